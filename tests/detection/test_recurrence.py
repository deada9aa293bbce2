"""What comes at the same time every day or week pages until that is known, and hides nothing that is not usual then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from auditor.detection.fold import judge
from auditor.detection.hours import Part
from auditor.detection.policy import Policy
from auditor.detection.signals import AT
from auditor.detection.state import Memory
from tests.detection.simulated import FIRST_MINUTE, Course, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditor.detection.judgement import Observation
    from auditor.detection.windows import WindowBlock

POLICY = Policy()
DAY = 1440
AT_TWO = 120
LASTS = 40


def _batch(
    plan: Course, days: Iterable[int], *, rate: float = 0.4, at: int = AT_TWO, lasts: int = LASTS
) -> None:
    for day in days:
        plan.hit_rate[day * DAY + at : day * DAY + at + lasts] = rate


def _nightly(days: int, then: Callable[[Course], None] | None = None) -> WindowBlock:
    def fault(plan: Course) -> None:
        _batch(plan, range(days))
        if then is not None:
            then(plan)

    return windows(days * DAY, fault=fault)


def _pages(block: WindowBlock) -> list[Observation]:
    return [o for o in judge(None, block, POLICY).observations if o.severity != "info"]


def _days(pages: list[Observation]) -> list[int]:
    return [(page.window_start_minute - FIRST_MINUTE) // DAY for page in pages]


def test_a_nightly_batch_pages_on_four_nights_and_no_more() -> None:
    assert _days(_pages(_nightly(9))) == [0, 1, 2, 3]


def test_faults_of_some_days_at_one_time_of_day_are_no_habit() -> None:
    def faults(plan: Course) -> None:
        _batch(plan, range(3, 7))

    assert _days(_pages(windows(7 * DAY, fault=faults))) == [3, 4, 5, 6]


def test_a_job_of_working_days_is_known_after_the_weekend_too() -> None:
    def fault(plan: Course) -> None:
        _batch(plan, (day for day in range(18) if day % 7 < 5))

    assert _days(_pages(windows(18 * DAY, fault=fault))) == [0, 1, 2, 3]


def test_a_weekly_restart_pages_on_two_weekdays_and_no_more() -> None:
    def fault(plan: Course) -> None:
        _batch(plan, range(2, 28, 7))

    assert _days(_pages(windows(28 * DAY, fault=fault))) == [2, 9]


def test_other_people_on_weekends_page_on_two_of_them_and_no_more() -> None:
    def others(plan: Course) -> None:
        for day in (4, 5, 11, 12, 18, 19, 25, 26):
            plan.hit_rate[day * DAY : (day + 1) * DAY] = 0.5

    assert _days(_pages(windows(28 * DAY, fault=others, traffic=60.0))) == [4, 11]


def test_what_comes_every_day_at_another_time_pages_every_day() -> None:
    def fault(plan: Course) -> None:
        for day, at in enumerate((500, 900, 620, 1200, 300, 760)):
            _batch(plan, [day], at=at)

    assert _days(_pages(windows(6 * DAY, fault=fault))) == [0, 1, 2, 3, 4, 5]


def _deeper(plan: Course) -> None:
    _batch(plan, [6], rate=0.1)


def _longer(plan: Course) -> None:
    _batch(plan, [6], lasts=LASTS + 40)


def _errors_too(plan: Course) -> None:
    start = 6 * DAY + AT_TWO + 5
    plan.errors[start : start + 20] = 0.1


def _slow_too(plan: Course) -> None:
    start = 6 * DAY + AT_TWO + 5
    plan.miss_ms[start : start + 20] *= 3.0


@pytest.mark.parametrize(
    ("fault", "metric"),
    [
        (_deeper, "hit_rate"),
        (_longer, "hit_rate"),
        (_errors_too, "error_rate"),
        (_slow_too, "avg_response_time_ms"),
    ],
)
def test_what_is_not_usual_at_the_time_of_the_batch_pages(
    fault: Callable[[Course], None], metric: str
) -> None:
    pages = _pages(_nightly(7, fault))
    assert _days(pages) == [0, 1, 2, 3, 6]
    assert pages[-1].metric_name == metric


def test_a_night_without_the_batch_is_nothing() -> None:
    def without(plan: Course) -> None:
        _batch(plan, [5, 6], rate=0.75)

    assert _days(_pages(_nightly(8, without))) == [0, 1, 2, 3]


def test_a_state_that_lasts_for_days_does_not_become_usual_by_lasting() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[3 * DAY + 300 : 5 * DAY + 1200] = 0.4

    (page,) = _pages(windows(6 * DAY, fault=fault))
    assert page.window_end_minute - page.window_start_minute > 2.5 * DAY


def test_an_alarm_that_goes_on_through_the_batch_is_one_incident() -> None:
    def down(plan: Course) -> None:
        plan.hit_rate[6 * DAY + 60 : 6 * DAY + 260] = 0.4

    pages = _pages(_nightly(7, down))
    assert _days(pages) == [0, 1, 2, 3, 6]
    assert pages[-1].window_end_minute - FIRST_MINUTE == pytest.approx(6 * DAY + 260, abs=2)


def test_a_backup_that_slows_the_backend_every_night_hides_no_slow_backend_at_noon() -> None:
    def backups(plan: Course) -> None:
        for day in range(10):
            plan.miss_ms[day * DAY + 60 : day * DAY + 90] *= 3.0
        plan.miss_ms[9 * DAY + 737 : 9 * DAY + 777] *= 1.5

    pages = _pages(windows(10 * DAY, fault=backups, traffic=60.0, daily=0.0))
    assert _days(pages) == [0, 1, 2, 3, 9]
    assert pages[-1].metric_name == "avg_response_time_ms"
    assert 737 <= (pages[-1].window_start_minute - FIRST_MINUTE) % DAY < 777


def test_the_batch_is_left_out_of_what_is_learned() -> None:
    levels = []
    for block in (_nightly(8), windows(8 * DAY)):
        history = Memory.from_json(judge(None, block, POLICY).state, "answers").history
        levels.append(history.parts[:, AT["hit_rate"], Part.LEVEL])
    of_batch, without = (level[2::24][5:] for level in levels)
    assert of_batch == pytest.approx(without, abs=0.15)


def _at_night(block: WindowBlock, since: int) -> list[Observation]:
    """The pages of the hours from two to four, from a day on."""
    return [
        page
        for page in _pages(block)
        if AT_TWO <= page.window_start_minute % DAY < 2 * AT_TWO
        and page.window_start_minute >= FIRST_MINUTE + since * DAY
    ]


@pytest.mark.parametrize(("minutes", "begins", "seed"), [(40, 0.5, 2), (30, 0.62, 1)])
def test_the_slow_end_of_a_batch_is_of_the_batch(minutes: int, begins: float, seed: int) -> None:
    """It shows in means of a quarter of an hour, and in what is summed up, on some of the nights only."""

    def fault(plan: Course) -> None:
        slow = np.concatenate([np.full(38, 0.4), np.linspace(begins, 0.74, minutes)])
        for start in range(AT_TWO, 16 * DAY, DAY):
            plan.hit_rate[start : start + len(slow)] = slow

    assert not _at_night(windows(16 * DAY, fault=fault, seed=seed, traffic=20.0), since=4)


def _emptied(plan: Course, days: Iterable[int]) -> None:
    for day in days:
        start = day * DAY + AT_TWO
        plan.size[start : start + LASTS] *= np.linspace(0.1, 1.0, LASTS)


def _fewer_hits(plan: Course, day: int, *, least: float) -> None:
    start = day * DAY + AT_TWO
    plan.hit_rate[start : start + LASTS] *= np.linspace(least, 1.0, LASTS)


@pytest.mark.parametrize("emptied", [True, False])
def test_fewer_hits_are_usual_where_fewer_entries_are_and_there_are_fewer(emptied: bool) -> None:
    def fault(plan: Course) -> None:
        _emptied(plan, [*range(8), *([8] if emptied else [])])
        _fewer_hits(plan, 8, least=0.3)

    late = _at_night(windows(9 * DAY, fault=fault), since=8)
    assert [page.metric_name for page in late] == ([] if emptied else ["hit_rate"])


def test_fewer_hits_than_fewer_entries_explain_are_not_usual() -> None:
    def fault(plan: Course) -> None:
        _emptied(plan, range(9))
        _batch(plan, [8], rate=0.002)

    (late,) = _at_night(windows(9 * DAY, fault=fault), since=8)
    assert late.metric_name == "hit_rate"


def test_silence_of_every_night_is_known_and_a_longer_one_is_not() -> None:
    def fault(plan: Course) -> None:
        for day in range(7):
            plan.absent[day * DAY + 200 : day * DAY + (204 if day < 6 else 215)] = True

    assert _days(_pages(windows(7 * DAY, fault=fault))) == [0, 1, 6]


def test_a_cache_that_is_off_at_night_pages_at_first_and_in_the_morning_that_it_does_not_come_back() -> None:
    def off(plan: Course) -> None:
        of_day = np.arange(len(plan.absent)) % DAY
        plan.absent[(of_day < 6 * 60) | (of_day >= 22 * 60)] = True
        plan.absent[7 * DAY + 360 : 7 * DAY + 400] = True

    pages = [page for page in _pages(windows(8 * DAY, fault=off, daily=0.0)) if page.metric_name == "silence"]
    assert [day for day in _days(pages) if day > 2] == [7]
    assert 365 <= pages[-1].window_start_minute - FIRST_MINUTE - 7 * DAY < 400


def test_pauses_longer_than_most_of_those_before_page_and_usual_ones_do_not() -> None:
    random = np.random.default_rng(5)

    def pauses(plan: Course) -> None:
        for day in range(16):
            for start in random.integers(0, DAY - 40, 2).tolist():
                lasts = 30 if day == 15 else int(random.integers(3, 9))
                plan.absent[day * DAY + start : day * DAY + start + lasts] = True

    days = _days(_pages(windows(16 * DAY, fault=pauses)))
    assert len([day for day in days if 7 <= day < 15]) <= 2
    assert days.count(15) == 2


def test_a_pause_of_few_minutes_is_nothing_while_lookups_are_few_for_hours() -> None:
    def weekend(plan: Course) -> None:
        start = 4 * DAY
        plan.traffic[start:] /= 20.0
        plan.absent[start + 300 : start + 303] = True
        plan.absent[start + 600 : start + 640] = True

    pages = _pages(windows(5 * DAY, fault=weekend, traffic=20.0, daily=0.0))
    silent = [
        page.window_start_minute - FIRST_MINUTE - 4 * DAY for page in pages if page.metric_name == "silence"
    ]
    assert len(silent) == 1
    assert 602 <= silent[0] < 640


def test_splitting_the_windows_of_the_batch_changes_nothing() -> None:
    block = _nightly(5)
    whole = judge(None, block, POLICY)
    state = judge(None, block.slice(0, 4 * DAY + 90), POLICY).state
    verdicts = []
    for at in range(4 * DAY + 90, 4 * DAY + 200):
        judgement = judge(json.loads(json.dumps(state)) if at % 7 else state, block.slice(at, at + 1), POLICY)
        state = judgement.state
        verdicts += [judgement.ledger.verdict[0]]
    rest = judge(state, block.slice(4 * DAY + 200, len(block)), POLICY)
    assert rest.state == whole.state
    assert verdicts == whole.ledger.verdict[4 * DAY + 90 : 4 * DAY + 200].tolist()


def _every(hours: int, *, of: range, rate: float = 0.3, lasts: int = 4) -> Callable[[Course], None]:
    """Hits that fall for some minutes every so many hours."""

    def fault(plan: Course) -> None:
        for at in of[::hours]:
            plan.hit_rate[60 * at + 20 : 60 * at + 20 + lasts] = rate

    return fault


def _starts(pages: list[Observation]) -> list[int]:
    """The hours in which pages begin."""
    return [(page.window_start_minute - FIRST_MINUTE) // 60 for page in pages]


@pytest.mark.parametrize("hours", [1, 3])
def test_what_comes_every_hour_or_every_few_pages_three_times_on_the_first_day(hours: int) -> None:
    pages = _pages(windows(DAY, fault=_every(hours, of=range(3, 24))))
    assert _starts(pages) == [3, 3 + hours, 3 + 2 * hours]


def test_what_comes_every_hour_pages_where_it_goes_further() -> None:
    usual, further = _every(1, of=range(3, 12)), _every(1, of=range(10, 11), rate=0.02)

    def fault(plan: Course) -> None:
        usual(plan)
        further(plan)

    assert _starts(_pages(windows(DAY // 2, fault=fault))) == [3, 4, 5, 10]


def test_an_outage_of_many_hours_is_not_usual_in_any_of_them() -> None:
    starts, ends = DAY + 620, DAY + 1100

    def outage(plan: Course) -> None:
        plan.errors[starts:ends] = 0.3

    (page,) = _pages(windows(2 * DAY, fault=outage))
    assert page.window_start_minute - FIRST_MINUTE == starts
    assert page.window_end_minute - FIRST_MINUTE >= ends - 1


@pytest.mark.parametrize("block", [1, 7, 61, 200])
@pytest.mark.parametrize(
    "rate", [0.3, 0.99], ids=["pages", "infos, of which nothing is left out of learning"]
)
def test_splitting_the_windows_of_an_hourly_job_changes_nothing(rate: float, block: int) -> None:
    told = windows(33 * 60, fault=_every(1, of=range(26, 33), rate=rate))
    whole = judge(None, told, POLICY)
    first = judge(None, told.slice(0, DAY), POLICY)
    state, verdicts = first.state, first.ledger.verdict.tolist()
    for at in range(DAY, len(told), block):
        judgement = judge(state, told.slice(at, min(at + block, len(told))), POLICY)
        state = judgement.state
        verdicts += judgement.ledger.verdict.tolist()
    assert state == whole.state
    assert verdicts == whole.ledger.verdict.tolist()


def test_the_ledger_tells_what_is_usual_as_expected() -> None:
    ledger = judge(None, _nightly(5), POLICY).ledger
    within = slice(4 * DAY + AT_TWO + 2, 4 * DAY + AT_TWO + LASTS - 2)
    scores = ledger.scores["hit_rate"]
    assert scores.value[within] == pytest.approx(scores.expected[within], abs=12.0)
    assert not ledger.improbable[4 * DAY + AT_TWO - 5 : 4 * DAY + AT_TWO + LASTS + 20].any()


"""The slot of a midnight."""
