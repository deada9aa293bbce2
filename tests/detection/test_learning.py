"""What is learned from hours: robustly, with a season only where it predicts, and within the budget on healthy caches."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import poisson

from auditor.detection.fold import judge
from auditor.detection.hours import History
from auditor.detection.learning import learn
from auditor.detection.policy import Policy
from auditor.detection.profile import Profile
from auditor.detection.seasons import daily_shape, hours_of_week, weekly_shape
from auditor.detection.signals import AT, SIGNALS
from auditor.detection.state import no_peaks
from benchmarks.null_traffic import NULLS, healthy
from tests.detection.histories import FIRST_HOUR, history, office
from tests.detection.simulated import windows

if TYPE_CHECKING:
    from auditor.detection.windows import WindowBlock
    from tests.detection.simulated import Course

Floats = np.typing.NDArray[np.float64]


def learned(levels: Floats) -> tuple[Floats, Floats, Floats]:
    """Level, season and week of the throughput."""
    profile = learn(history(levels), 60 * (FIRST_HOUR + len(levels)))
    at = AT["throughput"]
    return profile.level[at], profile.season[at], profile.week[at]


def _moved_by(seed: int, wild: float) -> float:
    """By how many deviations of a window a tenth of wild hours moves what is expected in the next day, in the mean."""
    rng = np.random.default_rng(seed)
    clean = 1.0 + 0.1 * rng.normal(size=14 * 24)
    spoilt = clean.copy()
    # not in the last hours: what is wild now is the business of incidents, whose hours are left out
    spoilt[rng.choice(13 * 24, len(clean) // 10, replace=False)] += wild
    before, after = (learn(history(levels), 60 * (FIRST_HOUR + len(levels))) for levels in (clean, spoilt))
    at = AT["throughput"]
    minutes = 60 * (FIRST_HOUR + len(clean)) + np.arange(0, 1440, 30)
    expected = [profile.outlook(minutes, int(minutes[0])).link[at].mean() for profile in (before, after)]
    return float(abs(expected[1] - expected[0]) / np.sqrt(before.drift[at] + before.spread[at]))


@pytest.mark.parametrize("wild", [-3.0, 0.5, 30.0])
def test_a_tenth_of_wild_hours_moves_what_is_expected_by_less_than_a_tenth_of_a_deviation(
    wild: float,
) -> None:
    moved = [_moved_by(seed, wild) for seed in range(20)]
    assert np.median(moved) < 0.07
    # the rest is a season that noise alone has suggested to one of the two
    assert np.quantile(moved, 0.85) < 0.1


def test_noise_has_no_season() -> None:
    rng = np.random.default_rng(2)
    _, season, week = learned(2.0 + 0.1 * rng.normal(size=28 * 24))
    assert not season.any()
    assert not week.any()


def test_the_shapes_of_the_day_and_the_week_are_learned_where_there_are_any() -> None:
    rng = np.random.default_rng(3)
    hour = np.arange(28 * 24) + FIRST_HOUR
    daily = 0.8 * np.sin(2 * np.pi * hour / 24)
    rest = np.where((hour // 24) % 7 >= 5, -1.0, 0.0)
    _, season, week = learned(3.0 + daily + rest + 0.03 * rng.normal(size=len(hour)))
    np.testing.assert_allclose(season, 0.8 * np.sin(2 * np.pi * np.arange(24) / 24), atol=0.08)
    assert 0.7 < _of_working_days(week) - _of_weekends(week) < 1.0


def test_the_week_is_learned_where_all_hours_of_a_day_are_alike() -> None:
    hour = np.arange(28 * 24) + FIRST_HOUR
    level, season, week = learned(np.where((hour // 24) % 7 >= 5, 2.0, 3.0))
    assert not season.any()
    assert _of_working_days(week) - _of_weekends(week) > 0.7
    np.testing.assert_allclose(level + week[:24], 3.0, atol=0.2)


def _of_working_days(week: Floats) -> float:
    return float(week.reshape(7, 24)[:5].mean())


def _of_weekends(week: Floats) -> float:
    return float(week.reshape(7, 24)[5:].mean())


def _expected(levels: Floats, hours: np.typing.NDArray[np.int64]) -> Floats:
    """The throughput expected in the middles of hours after the history, on the link scale."""
    profile = learn(history(levels), 60 * (FIRST_HOUR + len(levels)))
    minutes = 60 * (FIRST_HOUR + len(levels) + hours) + 30
    link: Floats = profile.outlook(minutes, int(minutes[0])).link[AT["throughput"]]
    return link


@pytest.mark.parametrize("days", [3, 4, 5, 8, 12])
@pytest.mark.parametrize("opens", [9, 17], ids=["within a day", "across midnight"])
def test_office_hours_are_expected_from_the_fourth_day_on(opens: int, days: int) -> None:
    """The night stands still, and by the median is most of the time: what a shape explains may not be left out as wild."""
    for seed in range(5):
        true = office(days * 24, opens)
        _, season, _ = learned(true + 0.1 * np.random.default_rng(seed).normal(size=len(true)))
        of_office = (np.arange(24) - opens) % 24 < 10
        assert season[of_office].min() - season[~of_office].max() > 3.5 * 0.5


def test_a_fall_on_the_fifth_evening_of_an_office_far_west_is_told() -> None:
    evening = 4 * 1440 + 20 * 60

    def fault(plan: Course) -> None:
        hour = np.arange(len(plan.traffic)) % 1440 // 60
        plan.traffic[(hour < 16) & (hour >= 2)] *= 0.03
        plan.traffic[evening : evening + 30] *= 0.05

    block = windows(evening + 40, fault=fault, noise=0.1, traffic=300.0, daily=0.0)
    told = [
        o
        for o in judge(None, block, Policy()).observations
        if o.window_end_minute > block.first_minute + evening
    ]
    assert {(o.metric_name, o.direction) for o in told} == {("throughput", "drop")}


@pytest.mark.parametrize("opens", [9, 17], ids=["within a day", "across midnight"])
@pytest.mark.parametrize("weeks", [2, 4])
def test_days_off_have_a_course_of_their_own(opens: int, weeks: int) -> None:
    rng = np.random.default_rng(weeks)
    true = office(7 * 24 * (weeks + 1), opens)
    levels = true[: -7 * 24] + 0.1 * rng.normal(size=7 * 24 * weeks)
    expected = _expected(levels, np.arange(7 * 24))
    # a third of what two weeks say of single hours is held back
    assert np.abs(expected - true[-7 * 24 :]).max() < (0.8 if weeks == 2 else 0.5)


@pytest.mark.parametrize("begins", range(0, 24, 5))
@pytest.mark.parametrize("weekday", [0, 2, 5])
def test_the_week_is_known_once_each_of_its_days_was_whole_twice(weekday: int, begins: int) -> None:
    true = office(21 * 24) + 0.1 * np.random.default_rng(2).normal(size=21 * 24)
    begin = 24 * weekday + begins
    known = [
        bool(weekly_shape(true[begin:end, None], FIRST_HOUR + begin).repeated.any())
        for end in (begin + 14 * 24 - 1, begin + 15 * 24)
    ]
    assert known == [False, True]


def test_one_odd_day_is_no_course_of_its_weekday() -> None:
    true = office(21 * 24)
    levels = true[: 14 * 24] + 0.1 * np.random.default_rng(1).normal(size=14 * 24)
    levels[9 * 24 : 10 * 24] = 0.5
    assert true[2 * 24 : 3 * 24].max() == 4.0, "a working day"
    expected = _expected(levels, np.arange(2 * 24, 3 * 24))
    assert np.abs(expected - true[2 * 24 : 3 * 24]).max() < 0.8


def test_what_an_odd_day_happens_to_share_with_noise_is_no_course_either() -> None:
    taken = []
    for seed in range(20):
        levels = 0.1 * np.random.default_rng(seed).normal(size=28 * 24)
        levels[9 * 24 + 9 : 9 * 24 + 19] -= 4.0
        week = weekly_shape(levels[:, None], FIRST_HOUR).repeated.reshape(7, 24)
        taken.append(np.ptp(week[2]) > 0)
    assert sum(taken) <= 1


def _weekends_that_surprised(last_weeks: float) -> History:
    """Four weeks of an office in which every test was at 30 in what are office hours on other days, in the last two weeks at `last_weeks`; else at 1."""
    levels = office(28 * 24) + 0.1 * np.random.default_rng(6).normal(size=28 * 24)
    slots = FIRST_HOUR + np.arange(len(levels))
    off = ((slots - 9) % (7 * 24) >= 5 * 24) & ((slots - 9) % 24 < 10)
    peaks = np.where(off, np.where(np.arange(len(levels)) < 14 * 24, 30.0, last_weeks), 1.0)
    told = history(levels)
    shape = (len(levels), len(SIGNALS), no_peaks().shape[1])
    return History.empty().with_hours(
        FIRST_HOUR, told.parts.astype(np.float64), np.broadcast_to(peaks[:, None, None], shape)
    )


def _scale(history: History, week_since: float) -> float:
    """The scale of the tail of the traffic's window test, where the shape of the week has been known since an hour."""
    end = 60 * (FIRST_HOUR + len(history.parts))
    before = learn(history, end)
    before = replace(before, week_since=np.full(len(SIGNALS), week_since))
    return float(learn(history, end, before).tails[AT["throughput"], 0, 1])


def test_days_off_before_they_were_known_are_no_tail_of_what_is_judged_since() -> None:
    known_early, known_late = (_scale(_weekends_that_surprised(1.0), FIRST_HOUR + 24 * d) for d in (0, 14))
    assert known_late < 0.5 * known_early
    still = _weekends_that_surprised(30.0)
    assert _scale(still, FIRST_HOUR + 24 * 14) > 0.8 * _scale(still, FIRST_HOUR)


def test_the_shape_of_the_week_is_known_since_it_was_first_learned() -> None:
    levels = office(28 * 24)
    at, known = AT["throughput"], None
    ends = [FIRST_HOUR + 24 * days for days in (13, 14, 15, 28)]
    since = []
    for end in ends:
        known = learn(history(levels[: end - FIRST_HOUR]), 60 * end, known)
        since.append(known.week_since[at])
    assert since == [np.inf, ends[1], ends[1], ends[1]]


def test_noise_is_no_course_of_a_weekday() -> None:
    rng = np.random.default_rng(5)
    hour = np.arange(28 * 24) + FIRST_HOUR
    level, _, week = learned(np.where((hour // 24) % 7 >= 5, 2.0, 3.0) + 0.1 * rng.normal(size=len(hour)))
    assert np.isfinite(level)
    assert not np.ptp(week.reshape(7, 24), axis=1).any()


def test_a_shape_out_of_sample_has_seen_nothing_of_its_own_day() -> None:
    level = np.zeros((21 * 24, 1))
    level[10 * 24 + 5] = 100.0
    daily, weekly = daily_shape(level, 0), weekly_shape(level, 0)
    assert not daily.rows.any()
    level[10 * 24 : 11 * 24] = 100.0
    weekly = weekly_shape(level, 0)
    assert weekly.rows[3 * 24, 0] == weekly.rows[17 * 24, 0]
    assert weekly.rows[10 * 24, 0] <= 0.0


def test_the_shape_of_the_week_is_read_back_bit_for_bit() -> None:
    levels = office(28 * 24) + 0.1 * np.random.default_rng(4).normal(size=28 * 24)
    profile = learn(history(levels), 60 * (FIRST_HOUR + len(levels)))
    stored = json.loads(json.dumps(profile.as_json()))
    read = Profile.from_json(stored)
    np.testing.assert_array_equal(read.week, profile.week)
    np.testing.assert_array_equal(read.week_since, profile.week_since)
    assert profile.week[AT["throughput"]].min() < -2.0


def test_a_profile_stays_small_where_all_signals_have_a_course_of_the_day_and_the_week() -> None:
    levels = office(28 * 24) + 0.1 * np.random.default_rng(4).normal(size=28 * 24)
    profile = learn(history(levels), 60 * (FIRST_HOUR + len(levels)))
    assert profile.season.any(axis=1).all()
    assert profile.week.any(axis=1).all()
    # of the 256 kB of a state, the history is 216, and the last windows 13
    assert len(json.dumps(profile.as_json())) < 15 * 1024


def test_a_profile_from_before_weekdays_had_courses_is_read() -> None:
    levels = office(28 * 24)
    stored = learn(history(levels), 60 * (FIRST_HOUR + len(levels))).as_json()
    stored["signals"]["throughput"]["week"] = [0.5, 0.0, 0.0, 0.0, 0.0, -1.0, -2.0]
    del stored["signals"]["throughput"]["week_since"]
    profile = Profile.from_json(stored)
    assert profile.week_since[AT["throughput"]] == 0
    week = profile.week[AT["throughput"]]
    np.testing.assert_array_equal(week.reshape(7, 24)[:, [0, 23]].T, [[0.5, 0, 0, 0, 0, -1, -2]] * 2)


def test_hours_of_the_week_are_the_day_and_the_week_together() -> None:
    day, week = np.arange(24.0)[None], np.repeat(100.0 * np.arange(7.0), 24)[None]
    together = hours_of_week(day, week)
    assert together.shape == (1, 168)
    assert together[0, 3 * 24 + 7] == 307.0


@pytest.mark.parametrize("null", range(len(NULLS)))
def test_healthy_caches_of_every_kind_keep_a_budget_of_ten_a_week(null: int) -> None:
    judgement = judge(None, healthy(NULLS[null], 1, seed=4_000 + null), Policy(false_alarms_per_week=10.0))
    incidents = {o.incident_id for o in judgement.observations}
    assert len(incidents) <= poisson.ppf(0.999, 10.0)


def test_a_worse_window_is_never_judged_better() -> None:
    block = windows(2 * 1440)
    state = judge(None, block.slice(0, 2 * 1440 - 1), Policy()).state
    last = block.slice(2 * 1440 - 1, 2 * 1440)
    gets = float(last.columns["hits"][0] + last.columns["misses"][0])
    found = []
    for hits in np.arange(0.7 * gets // 1, -1.0, -1.0):
        last.columns["hits"][0], last.columns["misses"][0] = hits, gets - hits
        last.columns["sets"][0] = last.columns["evictions"][0] = last.columns["errors"][0] = 0.0
        last.columns["total_operations"][0] = gets
        last.columns["hit_rate"][0] = 100.0 * hits / gets
        judgement = judge(state, last, Policy())
        severe = max(
            (("info", "warning", "critical").index(o.severity) for o in judgement.observations), default=-1
        )
        found.append((float(judgement.ledger.scores["hit_rate"].p_value[0]), severe))
    assert np.all(np.diff([p for p, _ in found]) <= 0.0)
    assert np.all(np.diff([severe for _, severe in found]) >= 0)
    assert found[-1][1] == 2


def _quiet_nights(days: int, *, stops: int | None = None) -> WindowBlock:
    """Nobody asks from midnight to six; from the minute `stops` on for an hour either."""

    def fault(plan: Course) -> None:
        plan.traffic[np.arange(len(plan.traffic)) % 1440 < 360] = 0.0
        if stops is not None:
            plan.traffic[stops : stops + 60] = 0.0

    return windows(days * 1440, fault=fault, noise=0.1)


@pytest.mark.parametrize("began", [0, 285, 720])
def test_the_first_nights_without_traffic_are_no_findings_and_a_noon_without_it_is_one(began: int) -> None:
    noon = 4 * 1440 + 720
    block = _quiet_nights(5, stops=noon)
    assert block.first_minute % 1440 == 0
    told = judge(None, block.slice(began, len(block)), Policy()).observations
    assert {(o.metric_name, o.direction, str(o.severity)) for o in told} == {("throughput", "drop", "info")}
    assert {o.window_start_minute for o in told} == {block.first_minute + noon}


def test_a_night_that_has_been_seen_once_is_no_surprise_when_it_comes_again() -> None:
    """Who begins at a quarter to five has seen most hours of the first day, and of its night the last one only."""
    (quiet,) = [null for null in NULLS if null.name == "quiet nights"]
    for seed in (6005, 6008, 6015):
        block = healthy(quiet, 1, seed).slice(285, 2 * 1440 + 30)
        improbable = judge(None, block, Policy(false_alarms_per_week=0.1)).ledger.improbable
        assert not improbable[2 * 1440 - 285 :].any()


@pytest.mark.parametrize("left", [0.0, 0.03])
def test_a_first_saturday_without_traffic_may_be_the_weekend_and_a_first_tuesday_may_not(left: float) -> None:
    def closed(plan: Course) -> None:
        plan.traffic[2 * 1440 + 540 : 2 * 1440 + 1140] *= left
        plan.traffic[5 * 1440 + 540 : 5 * 1440 + 1140] *= left

    block = windows(6 * 1440, fault=closed, noise=0.1, traffic=100.0)
    falls = {
        (o.window_start_minute - block.first_minute) // 1440
        for o in judge(None, block, Policy()).observations
        if o.metric_name == "throughput"
    }
    assert falls == {5}
