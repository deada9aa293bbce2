"""What is expected of single minutes, and how many of silence are worth: lines between hours, and what changes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.learning import learn
from auditor.detection.signals import AT
from tests.detection.histories import FIRST_HOUR, Floats, history, office

if TYPE_CHECKING:
    from auditor.detection.profile import Profile

WEEK = 7 * 1440


def _outlook(levels: Floats, minutes: list[int]) -> tuple[Floats, Floats]:
    """The throughput expected at minutes after the history, and its drift."""
    profile = learn(history(levels), 60 * (FIRST_HOUR + len(levels)))
    at = 60 * (FIRST_HOUR + len(levels)) + np.array(minutes)
    outlook = profile.outlook(at, int(at[0]) // 60 * 60)
    return outlook.link[AT["throughput"]], outlook.drift[AT["throughput"]]


def test_what_changes_between_two_hours_is_expected_to_change_then() -> None:
    levels = office(12 * 24)[-10 * 24 :] + 0.1 * np.random.default_rng(7).normal(size=10 * 24)
    night, before, around, after, noon = (60 * 9 + minute for minute in (-180, -20, 5, 20, 180))
    link, drift = _outlook(levels, [night, before, around, after, noon])
    assert link[1] == pytest.approx(link[0], abs=0.1)
    assert link[3] == pytest.approx(link[4], abs=0.1)
    assert link[0] + 0.5 < link[2] < link[4] - 0.5
    # nobody knows the minute
    assert drift[2] > 10 * drift[0]
    np.testing.assert_allclose(drift[[1, 3, 4]], drift[0], rtol=0.1)


def test_what_changes_within_an_hour_may_do_so_in_any_of_its_minutes() -> None:
    levels = office(12 * 24)[-10 * 24 :] + 0.1 * np.random.default_rng(7).normal(size=10 * 24)
    levels[9::24] -= 1.5
    _, drift = _outlook(levels, [60 * 9 + minute for minute in (-180, -20, 20, 40)])
    assert np.all(drift[1:] > 5 * drift[0])


def _known_office() -> Profile:
    levels = office(28 * 24) + 0.1 * np.random.default_rng(8).normal(size=28 * 24)
    return learn(history(levels), 60 * (FIRST_HOUR + len(levels)))


@given(end=st.integers(0, 2 * WEEK), run=st.integers(1, 2 * WEEK))
@settings(max_examples=60, deadline=None)
def test_minutes_of_silence_are_worth_the_traffic_of_their_own(end: int, run: int) -> None:
    profile, first = _known_office(), 60 * (FIRST_HOUR + 28 * 24)
    last = first + 2 * WEEK + end
    outlook = profile.outlook(last - np.arange(run)[::-1], first)
    link, drift = outlook.link[AT["throughput"]], outlook.drift[AT["throughput"]]
    missed = np.maximum(drift - profile.drift[AT["throughput"]], 0.0)
    expected = np.exp(link - link[-1] - 3.0 * np.sqrt(missed)).sum()
    worth = profile.minutes_worth(np.array([last]), np.array([float(run)]))
    assert worth[0] == pytest.approx(expected, rel=1e-9)


def test_a_quiet_night_is_no_silence_of_the_office_that_opens() -> None:
    nine = 60 * (FIRST_HOUR + 28 * 24 + 9)
    since_eight = _known_office().minutes_worth(nine + np.array([5, 20, 30]), np.array([65.0, 80.0, 90.0]))
    # by then it is not certain that it is open; later, the minutes since it is are what counts, and not the night's
    assert since_eight[0] < 20
    assert 5 < since_eight[1] < 9
    assert 15 < since_eight[2] < 19


def test_without_a_season_a_minute_is_a_minute() -> None:
    levels = 2.0 + 0.1 * np.random.default_rng(9).normal(size=14 * 24)
    profile = learn(history(levels), 60 * (FIRST_HOUR + len(levels)))
    run = np.array([1.0, 7.0, 900.0])
    np.testing.assert_array_equal(profile.minutes_worth(60 * (FIRST_HOUR + 400) + np.arange(3), run), run)
