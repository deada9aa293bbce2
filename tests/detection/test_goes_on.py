"""What was told before it mattered, and what is left once it no longer does, are of the incident between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from tests.detection.simulated import Course, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.judgement import Observation

POLICY = Policy()
DAY = 1440
START = 2 * DAY + 60
FIRST = windows(1).first_minute


def observed(
    fault: Callable[[Course], None], until: int = 2 * DAY + 700, block: int | None = None
) -> list[Observation]:
    """What two days of learning and a fault after them give up to a minute, in the last form of each observation."""
    history = windows(2 * DAY + 700, fault=fault, noise=0.03, traffic=3000.0).slice(0, until)
    state = None
    found: dict[str, Observation] = {}
    size = block or len(history)
    for at in range(0, len(history), size):
        judgement = judge(state, history.slice(at, min(at + size, len(history))), POLICY)
        state = judgement.state
        for observation in judgement.observations:
            found.pop(observation.fingerprint, None)
            found[observation.fingerprint] = observation
    return [o for o in found.values() if o.window_end_minute > FIRST + 2 * DAY]


def creeping(plan: Course) -> None:
    """Two hours in which the hit rate goes down by a fifth, two in which it stays there, and one in which it comes back."""
    down = np.concatenate([np.linspace(0.0, 0.15, 120), np.full(120, 0.15), np.linspace(0.15, 0.0, 60)])
    plan.hit_rate[START : START + len(down)] -= down


def test_a_fault_that_creeps_is_one_incident_from_the_notice_on_and_pages_once_it_matters() -> None:
    found = observed(creeping)
    assert len({o.incident_id for o in found}) == 1
    (page,) = [o for o in found if o.severity != "info"]
    assert page.metric_name == "hit_rate"
    warned = page.evidence["warned_minute"]
    assert page.timestamp_minute == warned + 1
    assert warned - page.window_start_minute > 10
    assert START + 20 < page.window_start_minute - FIRST < START + 90
    assert page.evidence["causes"][0]["cause"] in {"working_set_growth", "ttl_cut"}


def test_an_open_incident_has_the_value_of_its_newest_minute() -> None:
    until = START + 285
    (page,) = [o for o in observed(creeping, until) if o.severity != "info"]
    assert page.status == "open"
    newest = windows(2 * DAY + 700, fault=creeping, noise=0.03, traffic=3000.0).columns["hit_rate"]
    assert page.evidence["latest"] == pytest.approx(newest[page.evidence["last_minute"] - FIRST])
    assert page.evidence["latest"] > page.evidence["value"] + 5.0


def test_what_a_notice_went_on_as_hangs_on_no_split_and_keeps_its_name() -> None:
    until = START + 180
    whole, halves = observed(creeping, until), observed(creeping, until, block=7)
    assert {o.fingerprint for o in whole} == {o.fingerprint for o in halves}
    assert sorted(map(repr, whole)) == sorted(map(repr, halves))
    early = observed(creeping, START + 45)
    assert {o.severity for o in early} == {"info"}
    assert {o.fingerprint for o in early} <= {o.fingerprint for o in whole}


def test_a_sudden_fault_is_no_more_of_what_was_noticed_hours_ago() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[START : START + 180] = 0.715
        plan.hit_rate[START + 180 : START + 210] = 0.30

    found = observed(fault)
    (page,) = [o for o in found if o.severity != "info"]
    assert 180 <= page.window_start_minute - FIRST - START <= 181
    assert len({o.incident_id for o in found}) == 2


@pytest.mark.parametrize("before", [5, 60])
def test_what_has_just_been_noticed_is_of_the_alarm_whatever_it_is_of(before: int) -> None:
    def fault(plan: Course) -> None:
        plan.size[START : START + 90] *= 1.35
        plan.hit_rate[START + before : START + 90] = 0.40

    found = observed(fault)
    (page,) = [o for o in found if o.severity != "info"]
    assert page.window_start_minute - FIRST == START + before
    assert len({o.incident_id for o in found}) == (1 if before == 5 else 2)


def rest(
    minutes: int, off: float = 0.705, then: Callable[[Course, int], None] = lambda _plan, _at: None
) -> Callable[[Course], None]:
    """Forty bad minutes, and so many that are a little off."""

    def fault(plan: Course) -> None:
        plan.hit_rate[START : START + 40] = 0.30
        plan.hit_rate[START + 40 : START + 40 + minutes] = off
        then(plan, START + 40 + minutes)

    return fault


def test_what_is_left_of_an_alarm_for_two_hours_is_no_notice_of_its_own() -> None:
    found = observed(rest(100))
    assert len({o.incident_id for o in found}) == 1
    assert all(o.status == "resolved" for o in found)


def test_good_news_after_an_alarm_are_told() -> None:
    def better(plan: Course, at: int) -> None:
        plan.hit_rate[at : at + 10] = 0.95
        plan.hit_rate[at + 30 : at + 60] = 0.95

    found = observed(rest(0, then=better))
    notices = [o for o in found if o.direction == "rise" and o.metric_name == "hit_rate"]
    assert [o.incident_id for o in notices if o.window_end_minute - FIRST > START + 70]


def test_good_news_never_go_on_as_an_alarm() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[START : START + 10] = 0.95
        plan.hit_rate[START + 10 : START + 40] = 0.30

    found = observed(fault)
    (page,) = [o for o in found if o.severity != "info"]
    assert page.window_start_minute - FIRST == START + 10
    (notice,) = [o for o in found if o.window_start_minute - FIRST == START]
    assert (notice.metric_name, notice.direction) == ("hit_rate", "rise")
    assert notice.incident_id != page.incident_id


def test_what_is_left_for_longer_than_that_is_told() -> None:
    found = observed(rest(400, off=0.715))
    (page,) = [o for o in found if o.severity != "info"]
    later = {o.incident_id for o in found} - {page.incident_id}
    assert len(later) == 1
    notice = next(o for o in found if o.incident_id in later)
    assert (notice.metric_name, notice.direction, notice.severity) == ("hit_rate", "drop", "info")


def test_what_is_left_of_an_alarm_and_matters_again_is_the_same_alarm() -> None:
    def again(plan: Course, at: int) -> None:
        plan.hit_rate[at : at + 20] = 0.66

    found = observed(rest(70, then=again))
    assert len({o.incident_id for o in found}) == 1
    (page,) = [o for o in found if o.severity != "info"]
    assert page.window_end_minute - FIRST - START > 115


def test_another_fault_in_what_is_left_of_an_alarm_is_an_incident_of_its_own() -> None:
    def again(plan: Course, at: int) -> None:
        plan.hit_rate[at : at + 20] = 0.20

    found = observed(rest(70, then=again))
    pages = [o for o in found if o.severity != "info"]
    assert len({o.incident_id for o in pages}) == 2
    assert {o.incident_id for o in found} == {o.incident_id for o in pages}


def test_a_cache_that_hits_more_and_holds_less_for_it_pages_nobody() -> None:
    def better(plan: Course) -> None:
        plan.hit_rate[START : START + 90] = 0.92
        plan.size[START : START + 90] *= np.linspace(1.0, 0.45, 90)
        plan.size[START + 90 : START + 180] *= np.linspace(0.45, 1.0, 90)

    found = observed(better)
    assert {"hit_rate", "cache_size"} <= {o.metric_name for o in found}
    assert {o.severity for o in found} == {"info"}


def test_a_cache_that_holds_less_and_hits_no_more_pages() -> None:
    def cut(plan: Course) -> None:
        plan.size[START : START + 60] *= 0.5

    (page,) = [o for o in observed(cut) if o.severity != "info"]
    assert page.metric_name == "cache_size"


def test_slow_hits_page_though_the_average_hardly_moves() -> None:
    def slow(plan: Course) -> None:
        plan.hit_ms[START : START + 40] = 14.0

    (page,) = [o for o in observed(slow) if o.severity != "info"]
    assert (page.metric_name, page.severity) == ("avg_hit_response_time_ms", "critical")
    assert page.window_start_minute - FIRST == START
    assert page.evidence["causes"][0]["cause"] == "cache_slow"
    assert page.evidence["impact"]["added_latency_seconds"] > 0.0


def test_hits_that_take_less_than_a_millisecond_longer_page_nobody() -> None:
    def slow(plan: Course) -> None:
        plan.hit_ms[:] = 0.05
        plan.hit_ms[START : START + 40] = 0.5

    assert observed(slow) == []
