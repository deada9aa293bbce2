"""Average latency where most windows have no miss: a slow backend shows in what spans cost, slow hits in every window alike."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from benchmarks.fault_cache import World
from benchmarks.fault_load import SHAPES, Load
from benchmarks.fault_windows import Columns, block_of, columns_of, joined
from tests.detection.simulated import windows

if TYPE_CHECKING:
    from auditor.detection.windows import WindowBlock

THURSDAY = 29_000_160
"""A midnight, UTC."""
HOURS = 12 * 24
LASTS = 40
FORKS = 6
SPARSE = SHAPES[0]


def _lived(world: World, minutes: int) -> Columns:
    start = world.minute
    lookups, lived = world.live(minutes)
    return columns_of(start, minutes, lookups, lived, world.condition)


@cache
def _grown_up() -> tuple[Columns, list[World]]:
    """Twelve days at four lookups a minute, and the world as it is then and in each of the hours that follow."""
    world = World(Load(SPARSE, 5), SPARSE.capacity, SPARSE.ttl, THURSDAY)
    columns = [_lived(world, 60) for _ in range(HOURS)]
    worlds = [world.copy()]
    for _ in range(FORKS - 1):
        columns.append(_lived(world, 60))
        worlds.append(world.copy())
    return joined(columns), worlds


def _found(**changes: float) -> int:
    """In how many of the hours forty minutes of a condition raise the average latency to a page."""
    columns, worlds = _grown_up()
    history = block_of("answers", THURSDAY, columns)
    found, state, position = 0, None, 0
    for origin in worlds:
        until = origin.minute - THURSDAY
        state = judge(state, history.slice(position, until), Policy()).state
        position = until
        world = origin.copy()
        world.change(**changes)
        after = judge(state, block_of("answers", world.minute, _lived(world, LASTS)), Policy()).observations
        found += any(o.metric_name == "avg_response_time_ms" and o.severity != "info" for o in after)
    return found


@pytest.mark.parametrize("changes", [{"backend": 2.2}, {"lag_ms": 20.0}], ids=["slow backend", "slow hits"])
def test_at_four_lookups_a_minute_either_is_found_within_forty_minutes(changes: dict[str, float]) -> None:
    assert _found(**changes) >= FORKS - 1


def _untimed(misses: int) -> WindowBlock:
    """A cache that does not time hits and misses apart; in its last windows so many of thirty lookups miss, and the 95th percentile is a miss's."""
    block = windows(1706, hit_rate=0.975, traffic=45.0, daily=0.0)
    columns, last = block.columns, slice(1700, 1706)
    for name in ("avg_hit_response_time_ms", "avg_miss_response_time_ms"):
        columns[name][:] = np.nan
    columns["p50_response_time_ms"][:] = 1.0
    columns["p95_response_time_ms"][:] = 2.0 * np.exp(0.05 * np.random.default_rng(1).normal(size=len(block)))
    columns["hits"][last], columns["misses"][last] = 30.0 - misses, misses
    columns["hit_rate"][last] = 100.0 * (30.0 - misses) / 30.0
    columns["sets"][last], columns["evictions"][last] = misses, 0.0
    columns["total_operations"][last] = 30.0 + misses + columns["errors"][last]
    columns["avg_response_time_ms"][last] = columns["avg_response_time_ms"][1690:1696]
    for name, latency in (("p95", 400.0), ("p99", 401.0), ("max", 402.0)):
        columns[f"{name}_response_time_ms"][last] = latency
    return block


@pytest.mark.parametrize(("misses", "slow"), [(2, False), (1, True)])
def test_a_percentile_among_the_misses_by_its_rank_is_not_slow(misses: int, slow: bool) -> None:
    pages = [o for o in judge(None, _untimed(misses), Policy()).observations if o.severity != "info"]
    assert [o.metric_name for o in pages] == (["p95_response_time_ms"] if slow else [])
