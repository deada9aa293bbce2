"""One fault is one incident, however many metrics it touches and however often it comes and goes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from tests.detection.simulated import Course, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.judgement import Judgement, Observation

POLICY = Policy()
DAY = 1440


def _observed(minutes: int, fault: Callable[[Course], None]) -> list[Observation]:
    """What two days of learning and a fault after them give, in the last form of each observation."""
    observations = judge(None, windows(minutes, fault=fault, noise=0.05), POLICY).observations
    return [o for o in observations if o.window_end_minute > windows(1).first_minute + 2 * DAY]


def _everything_worse(plan: Course, start: int, stop: int) -> None:
    plan.hit_rate[start:stop] = 0.3
    plan.errors[start:stop] = 0.2
    plan.miss_ms[start:stop] *= 4.0
    plan.size[start:stop] = 200.0


def test_forty_minutes_in_four_metrics_are_one_incident_with_an_observation_each() -> None:
    found = _observed(2 * DAY + 200, lambda plan: _everything_worse(plan, 2 * DAY + 60, 2 * DAY + 100))
    assert len({o.incident_id for o in found}) == 1
    assert {"hit_rate", "error_rate", "avg_response_time_ms", "cache_size"} <= {o.metric_name for o in found}
    assert len(found) == len({(o.metric_name, o.direction) for o in found})
    (page,) = [o for o in found if o.severity != "info"]
    assert page.severity == "critical"
    assert 40 <= page.window_end_minute - page.window_start_minute <= 42
    assert {o.status for o in found} == {"resolved"}


def test_five_minutes_on_and_five_off_for_two_hours_are_one_incident_that_resolves_by_itself() -> None:
    def fault(plan: Course) -> None:
        for start in range(2 * DAY + 60, 2 * DAY + 180, 10):
            plan.hit_rate[start : start + 5] = 0.25

    found = _observed(2 * DAY + 260, fault)
    pages = [o for o in found if o.severity != "info"]
    assert [(o.metric_name, o.status) for o in pages] == [("hit_rate", "resolved")]
    assert pages[0].window_end_minute - pages[0].window_start_minute >= 110


def test_a_fault_that_pauses_longer_than_the_quiet_spell_is_reopened_for_two_hours() -> None:
    def fault(plan: Course) -> None:
        for start in range(2 * DAY + 60, 2 * DAY + 180, 20):
            plan.hit_rate[start : start + 5] = 0.25

    pages = [o for o in _observed(2 * DAY + 260, fault) if o.severity != "info"]
    assert len({o.incident_id for o in pages}) == 1


def test_metrics_that_join_late_join_the_incident_that_is_open() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[2 * DAY + 60 : 2 * DAY + 100] = 0.3
        plan.errors[2 * DAY + 80 : 2 * DAY + 90] = 0.3

    found = _observed(2 * DAY + 200, fault)
    assert len({o.incident_id for o in found}) == 1
    errors = next(o for o in found if o.metric_name == "error_rate")
    assert errors.severity == "info"
    assert 10 <= errors.window_end_minute - errors.window_start_minute <= 12


def _pages(found: list[Observation]) -> list[tuple[str, int]]:
    """The metric and the minute of the third day of everything that pages."""
    start = windows(1).first_minute + 2 * DAY
    pages = [o for o in found if o.severity != "info" and o.direction != "moved"]
    return sorted((o.metric_name, o.window_start_minute - start) for o in pages)


def test_another_fault_while_the_cache_is_still_small_is_an_incident_of_its_own() -> None:
    def fault(plan: Course) -> None:
        plan.size[2 * DAY + 60 : 2 * DAY + 700] = 200.0
        plan.hit_rate[2 * DAY + 60 : 2 * DAY + 100] = 0.3
        plan.hit_rate[2 * DAY + 400 : 2 * DAY + 440] = 0.2
        plan.errors[2 * DAY + 600 : 2 * DAY + 620] = 0.4

    found = _observed(2 * DAY + 800, fault)
    assert [at for _, at in _pages(found)] == [pytest.approx(at, abs=1) for at in (600, 60, 400)]
    assert [metric for metric, _ in _pages(found)] == ["error_rate", "hit_rate", "hit_rate"]
    for at in (400, 600):
        (page,) = [
            o for o in found if o.severity != "info" and o.window_start_minute % DAY in range(at - 1, at + 2)
        ]
        cause = page.evidence["causes"][0]["cause"]
        assert (cause == "backend_errors") is (at == 600)


def test_after_an_incident_is_over_another_metric_is_another_incident() -> None:
    def fault(plan: Course) -> None:
        plan.errors[2 * DAY + 60 : 2 * DAY + 75] = 0.3
        plan.hit_rate[2 * DAY + 100 : 2 * DAY + 130] = 0.1

    found = _observed(2 * DAY + 200, fault)
    assert _pages(found) == [("error_rate", 60), ("hit_rate", 100)]


def test_a_metric_that_goes_on_being_bad_is_one_incident_though_others_come_and_go() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[2 * DAY + 60 : 2 * DAY + 300] = 0.3
        for start in range(2 * DAY + 80, 2 * DAY + 300, 30):
            plan.size[start : start + 10] = 200.0

    assert _pages(_observed(2 * DAY + 400, fault)) == [("hit_rate", 60)]


@pytest.mark.parametrize("times", [3.0, 6.0])
@pytest.mark.parametrize("hour", [0, 12])
def test_a_backend_that_is_slower_by_day_pages_only_until_its_day_is_known(times: float, hour: int) -> None:
    first = windows(1).first_minute + hour * 60

    def swing(plan: Course) -> None:
        at = (hour * 60 + np.arange(len(plan.miss_ms))) % DAY
        plan.miss_ms *= times ** (0.5 - 0.5 * np.cos(2 * np.pi * (at / DAY - 3 / 24)))

    block = windows(10 * DAY, fault=swing, first=first)
    pages = [o for o in judge(None, block, POLICY).observations if o.severity != "info"]
    assert len({o.incident_id for o in pages}) <= 3
    assert all(o.window_start_minute < first + 2 * DAY for o in pages)
    assert sum(o.window_end_minute - o.window_start_minute for o in pages if o.direction != "moved") < DAY


@cache
def _clean() -> Judgement:
    return judge(None, windows(7 * DAY), POLICY)


@pytest.mark.parametrize("worse", ["hit_rate", "miss_ms", "errors"])
def test_two_days_of_an_incident_leave_what_is_expected_where_it_was_in_them_and_after(worse: str) -> None:
    def fault(plan: Course) -> None:
        column = getattr(plan, worse)
        column[4 * DAY : 6 * DAY] = {"hit_rate": 0.4, "miss_ms": 1500.0, "errors": 0.1}[worse]

    hurt = judge(None, windows(7 * DAY, fault=fault), POLICY)
    clean = _clean()
    metric = {"hit_rate": "hit_rate", "miss_ms": "avg_response_time_ms", "errors": "error_rate"}[worse]
    late = slice(5 * DAY, 7 * DAY)
    expected, without = (j.ledger.scores[metric].expected[late] for j in (hurt, clean))
    scale = clean.ledger.scores[metric].upper[late] - clean.ledger.scores[metric].lower[late]
    # where lookups are unusually few or many, what is expected goes by them, in single windows
    assert np.quantile(np.abs(expected - without) / scale, 0.995) < 0.05
    pages = [o for o in hurt.observations if o.severity != "info" and o.direction != "moved"]
    assert len(pages) == 1


@pytest.mark.parametrize("worse", ["hit_rate", "miss_ms"])
def test_a_decay_over_ten_days_is_told_and_told_a_few_times_only(worse: str) -> None:
    def fault(plan: Course) -> None:
        column = getattr(plan, worse)
        column *= np.interp(
            np.arange(len(column)), [2 * DAY, 12 * DAY], [1.0, 0.7 if worse == "hit_rate" else 1.8]
        )

    found = judge(None, windows(13 * DAY, fault=fault), POLICY).observations
    metric = "hit_rate" if worse == "hit_rate" else "avg_response_time_ms"
    told = [o for o in found if o.metric_name == metric and o.severity != "info"]
    assert 1 <= len(told) <= 4
    first = min(told, key=lambda o: o.timestamp_minute)
    assert first.timestamp_minute - windows(1).first_minute <= 10 * DAY


def test_an_alarm_keeps_the_size_of_five_windows_before_it_and_the_minute_of_the_smallest() -> None:
    at = 2 * DAY + 60

    def fault(plan: Course) -> None:
        plan.hit_rate[at:] = 0.3
        plan.size[at - 5], plan.size[at - 1] = 980.0, 940.0
        plan.size[at:] = [700.0, 300.0, 400.0, 500.0]

    state = judge(None, windows(at + 4, fault=fault, noise=0.05), POLICY).state
    alarm = state["hot"]["tracks"]["alarm"]
    first = windows(1).first_minute
    assert alarm["opened"] == first + at
    assert alarm["size_earlier"] == pytest.approx(980.0, rel=0.02)
    assert alarm["size_before"] == pytest.approx(940.0, rel=0.02)
    assert alarm["signals"]["cache_size"]["lowest_at"] == first + at + 1
    assert alarm["signals"]["hit_rate"]["newest"] == first + at + 3
