"""Achieved alarms: counted as the budget is spent, told with an exact interval."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.detection.achieved import Achieved, exact_interval, in_words


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # R 4.3: poisson.test(0)$conf.int, poisson.test(3)$conf.int, poisson.test(10)$conf.int
    [(0, 0.0, 3.688879), (3, 0.6186721, 8.767273), (10, 4.795389, 18.39036)],
)
def test_the_interval_is_the_exact_one(count: int, low: float, high: float) -> None:
    np.testing.assert_allclose(exact_interval(count), (low, high), rtol=1e-6)


def test_findings_within_an_hour_of_each_other_are_one_alarm() -> None:
    assert Achieved.of(np.array([5, 6, 66, 127, 128, 500]), 10_080).alarms == 3


def test_what_is_called_an_incident_in_any_of_its_minutes_is_none_against_the_budget() -> None:
    found = np.array([10, 20, 30, 300])
    achieved = Achieved.of(found, 10_080, np.array([False, True, False, False]))
    assert (achieved.alarms, achieved.incidents) == (1, 1)


def test_caches_together_have_the_sum_of_alarms_and_time() -> None:
    whole = Achieved.together(
        [Achieved.of(np.array([7]), 10_080), Achieved.of(np.zeros(0, dtype=np.int64), 10_080)]
    )
    told = whole.as_json(1.0)
    assert told["alarms_per_cache_week"] == pytest.approx(0.5)
    assert told["alarms_per_cache_week_high"] == pytest.approx(exact_interval(1)[1] / 2)
    assert "0.5 a week and cache" in in_words(told)


def test_no_time_has_no_rate() -> None:
    assert in_words(Achieved().as_json(1.0)) == "No minute has been judged yet."
