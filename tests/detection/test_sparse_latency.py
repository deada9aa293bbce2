"""Average latency where most windows have no miss: a slow backend shows in what spans cost, slow hits in every window alike."""

from __future__ import annotations

from functools import cache

import pytest

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from benchmarks.fault_cache import World
from benchmarks.fault_load import SHAPES, Load
from benchmarks.fault_windows import Columns, block_of, columns_of, joined

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
