"""Hit rate and size by the lookups there are: what fewer of them explain pages nobody, and hides no fault."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from auditor.detection.fold import judge
from auditor.detection.load import Load, share_moved
from auditor.detection.policy import Policy
from auditor.detection.profile import follow, gain_and_bound
from auditor.detection.signals import AT, SIGNALS
from benchmarks.fault_cache import LruTtl, World
from benchmarks.fault_load import SHAPES, Shape
from benchmarks.fault_load import Load as Traffic
from benchmarks.fault_windows import block_of, columns_of, joined
from tests.detection.simulated import Course, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.judgement import Observation
    from auditor.detection.windows import WindowBlock
    from benchmarks.fault_windows import Columns

THURSDAY = 29_000_160
"""A midnight, UTC."""
DAY = 1440
QUIET_NIGHTS = SHAPES[1]
QUIET_WEEKENDS = Shape("weekends at a third", 40, 0.3, 1 / 3, 0.0, 1000, 1.0, 2000, 60)
SATURDAY_NOON = THURSDAY + 2 * DAY + DAY // 2


@cache
def _weekend(seed: int) -> tuple[Columns, World]:
    """Two and a half days of a world up to its first Saturday's noon, and the world as it is then."""
    world = World(Traffic(QUIET_WEEKENDS, seed), QUIET_WEEKENDS.capacity, QUIET_WEEKENDS.ttl, THURSDAY)
    return joined([_hour(world) for _ in range(60)]), world


def _hour(world: World, event: Callable[[World, float], int] | None = None) -> Columns:
    start = world.minute
    happening = None if event is None else (start + 0.5, event)
    lookups, lived = world.live(60, happening)
    return columns_of(start, 60, lookups, lived, world.condition)


def _until_the_evening(seed: int, event: Callable[[World, float], int] | None = None) -> WindowBlock:
    before, noon = _weekend(seed)
    world = noon.copy()
    return block_of(
        "answers", THURSDAY, joined([before, _hour(world, event), *(_hour(world) for _ in range(5))])
    )


def _pages(block: WindowBlock) -> list[Observation]:
    return [o for o in judge(None, block, Policy()).observations if o.severity != "info"]


def _flush(world: World, _now: float) -> int:
    world.cache.until.clear()
    return 0


def _unstable(world: World, _now: float) -> int:
    world.change(unstable=True)
    return 0


@pytest.mark.parametrize("fewer", [0.9, 0.3, 0.05])
@pytest.mark.parametrize("exponent", [0.6, 1.0, 1.4])
@pytest.mark.parametrize("lookups", [0.5, 5.0, 500.0])
def test_odds_of_a_hit_and_size_fall_at_most_as_lookups_do_and_never_rise(
    fewer: float, exponent: float, lookups: float
) -> None:
    share = np.arange(1, 301) ** -exponent
    share /= share.sum()

    def of(asked: float) -> tuple[float, float]:
        there = asked * share / (1.0 + asked * share)
        rate = float((share * there).sum())
        return rate / (1.0 - rate), float(there.sum())

    for usual, now in zip(of(100 * lookups), of(100 * lookups * fewer), strict=True):
        assert fewer * usual <= now <= usual


def test_a_real_cache_with_a_time_to_live_keeps_to_that() -> None:
    found = {}
    for rate in (60.0, 20.0):
        rng = np.random.default_rng(3)
        kept, hits, size = LruTtl(10_000, 30.0), 0, []
        times = np.cumsum(rng.exponential(1 / rate, 20_000))
        for now, key in zip(times.tolist(), rng.zipf(1.3, 20_000).tolist(), strict=True):
            kept.expire(now)
            if key in kept.until:
                hits += 1
            else:
                kept.put(key, now)
            size.append(len(kept.until))
        rated = hits / 20_000
        found[rate] = rated / (1.0 - rated), float(np.mean(size[2000:]))
    for usual, now in zip(found[60.0], found[20.0], strict=True):
        assert usual / 3 < now < 0.97 * usual


@pytest.mark.parametrize("seed", [5, 6])
def test_a_first_weekend_at_a_third_of_the_traffic_pages_nobody(seed: int) -> None:
    block = _until_the_evening(seed)
    weekday, weekend = (
        np.nanmean(block.columns["hit_rate"][first : first + 6 * 60]) for first in (DAY + 720, 2 * DAY + 720)
    )
    assert weekend < 0.92 * weekday
    assert not _pages(block)


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize("event", [_flush, _unstable], ids=["flush", "key change"])
def test_a_fault_of_that_weekend_is_found_within_five_minutes(
    seed: int, event: Callable[[World, float], int]
) -> None:
    opened = [o.window_start_minute for o in _pages(_until_the_evening(seed, event))]
    assert len(opened) == 1
    assert SATURDAY_NOON <= opened[0] < SATURDAY_NOON + 5


@pytest.mark.parametrize(
    ("begins", "step"), [(0, 437), (2 * DAY + DAY // 2 - 60, 1)], ids=["blocks", "windows"]
)
def test_unusual_traffic_is_judged_alike_however_the_windows_are_split(begins: int, step: int) -> None:
    block = _until_the_evening(5, _flush)
    whole = judge(None, block, Policy())
    first = judge(None, block.slice(0, begins), Policy()) if begins else None
    state = None if first is None else first.state
    observations = {} if first is None else {o.fingerprint: o for o in first.observations}
    for at in range(begins, len(block), step):
        part = judge(state, block.slice(at, min(at + step, len(block))), Policy())
        state = part.state
        observations |= {o.fingerprint: o for o in part.observations}
    assert state == whole.state
    assert observations == {o.fingerprint: o for o in whole.observations}


def test_a_fall_of_the_hit_rate_without_a_fall_of_the_traffic_is_found() -> None:
    def worse(plan: Course) -> None:
        plan.hit_rate[3000:] = 0.5

    def quieter(plan: Course) -> None:
        worse(plan)
        plan.traffic[3000:] /= 3.0

    assert _pages(windows(3060, fault=worse))
    # odds of a third are what a third of the lookups may leave: 0.75 may become 0.5
    assert not _pages(windows(3060, fault=quieter))


def test_more_lookups_do_not_excuse_a_lower_hit_rate() -> None:
    def surge(plan: Course) -> None:
        plan.hit_rate[3000:] = 0.5
        plan.traffic[3000:] *= 3.0

    assert any(o.metric_name == "hit_rate" for o in _pages(windows(3060, fault=surge)))


def test_lookups_behind_a_level_are_weighed_as_the_level_weighs_its_hours() -> None:
    rng = np.random.default_rng(4)
    shape = np.zeros((2, 2, 168))
    load = Load(np.zeros((2, 2)), np.zeros(2), shape)
    level, half_life, drift = np.zeros(2), np.array([4.0, 24.0]), np.array([0.01, 0.01])
    for hour in range(200):
        shown = rng.normal(scale=0.5)
        seen = np.full(2, shown)
        hours = np.full(len(SIGNALS), np.nan)
        hours[[AT["throughput"], AT["get_share"]]] = shown
        load = load.after(hour, hours, share_moved(seen - level, half_life, drift), 0.1)
        level = follow(level, seen, *gain_and_bound(half_life, drift))
    np.testing.assert_allclose(load.behind, np.stack([level, level], axis=1), atol=1e-12)


def test_few_lookups_are_remembered_for_a_few_hours() -> None:
    load = Load(np.zeros((2, 2)), np.zeros(2), np.zeros((2, 2, 168)))
    hours = np.zeros(len(SIGNALS))
    quiet = hours.copy()
    quiet[AT["throughput"]] = -1.6
    still = np.zeros(2)
    short = [
        float((load := load.after(hour, row, still, 0.01)).short[0])
        for hour, row in enumerate([quiet] + 6 * [hours])
    ]
    np.testing.assert_allclose(short, [-1.6, -0.8, -0.4, -0.2, -0.1, -0.05, 0.0], atol=1e-12)


@pytest.mark.parametrize("seed", [2, 11, 13])
def test_the_first_two_days_of_a_cache_with_quiet_nights_page_nobody(seed: int) -> None:
    world = World(Traffic(QUIET_NIGHTS, seed), QUIET_NIGHTS.capacity, QUIET_NIGHTS.ttl, THURSDAY)
    assert not _pages(block_of("answers", THURSDAY, joined([_hour(world) for _ in range(48)])))


@pytest.mark.parametrize(("minutes", "silent"), [(2, False), (5, True)])
def test_sets_and_evictions_that_are_missing_too_do_not_make_a_pause_of_few_lookups_a_silence(
    minutes: int, silent: bool
) -> None:
    def paused(plan: Course) -> None:
        plan.absent[3000 : 3000 + minutes] = True

    block = windows(3060, fault=paused, traffic=4.6, hit_rate=0.3, daily=0.0)
    assert any(o.metric_name == "silence" for o in _pages(block)) == silent


@pytest.mark.parametrize("sudden", [False, True])
def test_few_lookups_explain_a_small_cache_and_no_sudden_fall_of_its_size(sudden: bool) -> None:
    def smaller(plan: Course) -> None:
        plan.traffic[3000:] /= 3.0
        plan.size[3000:] *= np.exp(-np.minimum(np.arange(60), 50) / 250.0)
        if sudden:
            plan.size[3055:] = 420.0

    found = {o.metric_name for o in _pages(windows(3060, fault=smaller, daily=0.0))}
    assert found == ({"cache_size"} if sudden else set())


@pytest.mark.parametrize("sudden", [False, True])
def test_minutes_without_a_row_before_it_make_a_small_cache_no_sudden_fall(sudden: bool) -> None:
    def sparse(plan: Course) -> None:
        plan.traffic[3000:] /= 100.0
        plan.size[3000:] *= np.exp(-np.minimum(np.arange(90), 60) / 20.0)
        plan.absent[[3081, 3082, 3084]] = True
        if sudden:
            plan.size[3085:] /= 8.0

    block = windows(3090, fault=sparse, traffic=200.0, daily=0.0)
    opened = {
        o.window_start_minute - block.first_minute for o in _pages(block) if o.metric_name == "cache_size"
    }
    assert opened == ({3085} if sudden else set())


@pytest.mark.parametrize(("before", "silent"), [(20, False), (0, True)])
def test_a_pause_of_a_minute_is_nothing_where_lookups_have_just_become_few(before: int, silent: bool) -> None:
    stops = 3000

    def fewer(plan: Course) -> None:
        plan.traffic[stops - before :] = 4.0
        plan.absent[stops : stops + 2] = True

    block = windows(3010, fault=fewer, traffic=100.0, daily=0.0)
    assert any(o.metric_name == "silence" for o in _pages(block)) == silent


def _by_day(begins: int) -> Callable[[Course], None]:
    """Lookups of working hours, to a twenty-fifth at night, from a minute of the day on; hits and entries follow them."""

    def fault(plan: Course) -> None:
        hour = (begins + np.arange(len(plan.traffic))) % DAY / 60
        open_ = 1 / (1 + np.exp(-(hour - 8.5) * 2.0)) / (1 + np.exp((hour - 18.5) * 1.2))
        share = 0.04 + 0.96 * open_
        odds = 3.0 * share**0.7
        plan.traffic *= share
        plan.size *= share**0.7
        plan.hit_rate[:] = odds / (1.0 + odds)

    return fault


@pytest.mark.parametrize("begins", [450, 720, 1000])
def test_the_first_evenings_page_nobody(begins: int) -> None:
    for seed in range(3):
        block = windows(
            4 * DAY - begins,
            fault=_by_day(begins),
            seed=seed,
            first=THURSDAY + begins,
            daily=0.0,
            traffic=150.0,
        )
        assert not _pages(block)


def test_what_fewer_lookups_do_not_explain_pages_on_the_first_evening_too() -> None:
    begins = 450

    def fault(plan: Course) -> None:
        _by_day(begins)(plan)
        plan.hit_rate[20 * 60 - begins :] = 0.01

    block = windows(20 * 60 - begins + 60, fault=fault, first=THURSDAY + begins, daily=0.0, traffic=150.0)
    assert [o.metric_name for o in _pages(block)] == ["hit_rate"]
