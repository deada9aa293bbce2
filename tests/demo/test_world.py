"""The physics of the simulated cache: healthy it is steady, and each fault changes what its cause would."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from auditor.demo.faults import FAULTS
from auditor.demo.load import Traffic
from auditor.demo.world import CAPACITY
from tests.demo.lived import FIRST_MINUTE, live

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.demo.lived import Figures, Lived

pytestmark = pytest.mark.xdist_group("world")  # it is warmed up once, by one worker
WARM = 240
QUICK = Traffic(per_minute=150.0, daily=0.0)


def told(figures: Figures) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if name != "id"} for event in figures.events]


def test_a_healthy_cache_is_full_steady_and_mostly_hit() -> None:
    lived = _warm().twin()
    hours = [lived.minutes(60) for _ in range(3)]
    for hour in hours:
        assert 0.7 < hour.hit_rate < 0.85
        assert 1.0 < hour.hit_ms < 4.0
        assert 400.0 < hour.miss_ms < 600.0
        assert hour.counts["set"] == pytest.approx(hour.counts["miss"], rel=0.02)
        assert hour.counts["evict"] == pytest.approx(hour.counts["set"], rel=0.1)
        assert hour.counts["error"] < 0.5
        assert min(hour.sizes) > 0.98 * CAPACITY
    assert np.ptp([hour.hit_rate for hour in hours]) < 0.03


def test_the_same_seed_lives_the_same_life() -> None:
    lives = [told(live(seed=seed).minutes(30)) for seed in (4, 4, 5)]
    assert lives[0] == lives[1]
    assert lives[0] != lives[2]


def test_a_seed_lives_the_same_life_whatever_the_time_it_is_shown_at() -> None:
    def kinds_and_keys(first_minute: int) -> list[tuple[str, str, float]]:
        lived = live(first_minute=first_minute)
        lived.fault("key_change", 5)
        lived.minutes(20)
        return [(e["operation_type"], e["cache_key"], e.get("response_time_ms", 0.0)) for e in lived.events]

    assert kinds_and_keys(FIRST_MINUTE) == kinds_and_keys(FIRST_MINUTE + 7777)


def test_what_is_reported_happened_within_the_minutes_lived_and_nothing_lies_ahead() -> None:
    lived = live()
    for i in range(50):
        figures = lived.minutes(1)
        start, end = figures.span
        assert start == 60 * (FIRST_MINUTE + i)
        assert all(start <= moment < end for moment in figures.moments)
        assert figures.moments == sorted(figures.moments)


def test_every_lookup_is_reported_once_as_hit_or_miss() -> None:
    lived = live()
    asked = [lived.world.load.minute(FIRST_MINUTE + i).key for i in range(60)]
    told = [e["cache_key"] for e in lived.minutes(60).events if e["operation_type"] in {"hit", "miss"}]
    still_out = len([key for minute in asked for key in minute]) - len(told)
    assert 0 <= still_out < 10


CHANGES: dict[str, Callable[[Figures, Figures], bool]] = {
    "flush": lambda well, ill: (
        ill.hit_rate < 0.9 * well.hit_rate and min(ill.sizes) < 100 and ill.sizes[-1] > 500
    ),
    "capacity_cut": lambda well, ill: (
        ill.hit_rate < 0.75 * well.hit_rate
        and ill.sizes[-1] == CAPACITY // 12
        and ill.counts["evict"] > 1.5 * well.counts["evict"]
    ),
    "ttl_cut": lambda well, ill: (
        ill.hit_rate < 0.9 * well.hit_rate and ill.sizes[-1] < 0.5 * CAPACITY and ill.counts["evict"] == 0.0
    ),
    "key_change": lambda well, ill: ill.hit_rate == 0.0 and same_gets(well, ill),
    "working_set_growth": lambda well, ill: (
        0.25 < ill.hit_rate / well.hit_rate < 0.75 and same_gets(well, ill)
    ),
    "surge_new_keys": lambda well, ill: (
        ill.gets > 2.0 * well.gets and 0.7 < ill.counts["hit"] / well.counts["hit"] <= 1.0
    ),
    "stampede": lambda well, ill: ill.miss_ms > 1.5 * well.miss_ms and ill.hit_rate < 0.8 * well.hit_rate,
    "backend_slow": lambda well, ill: (
        ill.miss_ms == pytest.approx(3.0 * well.miss_ms, rel=0.05)
        and ill.hit_ms == pytest.approx(well.hit_ms, rel=0.05)
    ),
    "cache_slow": lambda well, ill: (
        ill.hit_ms - well.hit_ms == pytest.approx(210.0, abs=10.0)
        and ill.miss_ms - well.miss_ms == pytest.approx(210.0, abs=10.0)
    ),
    "backend_errors": lambda well, ill: (
        ill.counts["error"] == pytest.approx(0.6 * ill.counts["miss"], rel=0.1)
        and ill.counts["set"] + ill.counts["error"] == ill.counts["miss"]
    ),
    "silence": lambda well, ill: ill.events == [],
    "collector_fault": lambda well, ill: told(well) == told(ill),
    "none": lambda well, ill: told(well) == told(ill),
}
"""For each fault, what the minutes with it are against the same minutes without."""


def same_gets(well: Figures, ill: Figures) -> bool:
    return ill.gets == pytest.approx(well.gets, abs=0.3)


def test_each_fault_has_its_physics_held_here() -> None:
    assert set(CHANGES) == set(FAULTS)


@cache
def _warm() -> Lived:
    return live(warm_minutes=WARM, traffic=QUICK)


def test_a_twin_lives_as_the_world_would_and_leaves_it_alone() -> None:
    twins = [_warm().twin() for _ in range(2)]
    assert told(twins[0].minutes(30)) == told(twins[1].minutes(30))
    lived = live(warm_minutes=WARM, traffic=QUICK)
    assert told(lived.minutes(30)) == told(_warm().twin().minutes(30))


@pytest.fixture(scope="module")
def well() -> tuple[Figures, Figures]:
    lived = _warm().twin()
    during = lived.minutes(20)
    lived.minutes(60)
    return during, lived.minutes(30)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_changes_what_its_cause_would_and_its_end_mends_it(
    kind: str, well: tuple[Figures, Figures]
) -> None:
    lived = _warm().twin()
    assert CHANGES[kind](well[0], lived.fault(kind, 20))
    FAULTS[kind].end(lived.world)
    lived.minutes(60)
    after = lived.minutes(30)
    assert after.hit_rate == pytest.approx(well[1].hit_rate, abs=0.03)
    assert after.miss_ms == pytest.approx(well[1].miss_ms, rel=0.05)
    assert after.hit_ms == pytest.approx(well[1].hit_ms, rel=0.05)
    assert same_gets(well[1], after)
