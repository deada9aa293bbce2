"""The simulated cache of the fault benchmark: it is the LRU cache with a time to live that it says it is, and its truth is true."""

from __future__ import annotations

import numpy as np
import pytest
from cachetools import TLRUCache

from auditor.detection.policy import Policy
from auditor.detection.validity import broken_identities
from benchmarks.fault_cache import LruTtl, World
from benchmarks.fault_condition import NORMAL, Condition
from benchmarks.fault_kinds import KINDS, draw
from benchmarks.fault_load import SHAPES, Load
from benchmarks.fault_run import FIRST_MINUTE, Plan, live
from benchmarks.fault_truth import material_since
from benchmarks.fault_windows import Columns, block_of, columns_of, joined


@pytest.mark.parametrize("seed", range(3))
def test_entries_come_and_go_as_in_cachetools(seed: int) -> None:
    random = np.random.default_rng(seed)
    now, ttl, evicted = 0.0, 7.0, 0
    mine = LruTtl(20, ttl)
    theirs: TLRUCache[int, float] = TLRUCache(20, ttu=lambda _key, until, _now: until, timer=lambda: now)
    for _ in range(5000):
        now += float(random.exponential(0.2))
        mine.expire(now)
        theirs.expire()
        key = int(40 * random.random() ** 2)
        assert (key in mine.until) == (key in theirs)
        if key in mine.until:
            mine.until.move_to_end(key)
            theirs[key]
        else:
            evicted += mine.put(key, now)
            theirs[key] = now + ttl
    assert set(mine.until) == set(theirs)
    assert evicted > 100


@pytest.mark.parametrize("old", ["kept", "aged", "anew"])
def test_a_shorter_time_to_live_treats_the_older_entries_as_it_says(old: str) -> None:
    cache = LruTtl(100, 10.0)
    for key in range(10):
        cache.put(key, float(key))
    cache.live_for(4.0, 9.5, old)
    cache.put(99, 9.5)
    left = {"kept": set(range(10)), "aged": {6, 7, 8, 9}, "anew": set(range(10))}[old]
    assert set(cache.until) == left | {99}
    cache.expire(13.5)
    assert set(cache.until) == ({4, 5, 6, 7, 8, 9} if old == "kept" else set())


def _columns(minutes: int, condition: Condition = NORMAL, shape: int = 2) -> Columns:
    world = World(Load(SHAPES[shape], 5), SHAPES[shape].capacity, SHAPES[shape].ttl, FIRST_MINUTE)
    for _ in range(4):
        world.live(60)
    world.condition = condition
    parts = []
    for _ in range(minutes):
        start = world.minute
        lookups, lived = world.live(1)
        parts.append(columns_of(start, 1, lookups, lived, condition))
    return joined(parts)


@pytest.mark.parametrize(
    "condition", [NORMAL, Condition(failing=0.5, failed_is_miss=False), Condition(crowd=20, surplus=1.0)]
)
def test_every_window_satisfies_the_identities(condition: Condition) -> None:
    block = block_of("simulated", FIRST_MINUTE, _columns(60, condition))
    broken, reasons = broken_identities(block)
    assert not broken.any(), reasons


def test_a_world_without_a_fault_lives_the_same_life_as_its_twin() -> None:
    world = World(Load(SHAPES[2], 5), SHAPES[2].capacity, SHAPES[2].ttl, FIRST_MINUTE)
    world.live(120)
    twin = world.copy()
    assert [world.live(1)[1] for _ in range(20)] == [twin.live(1)[1] for _ in range(20)]


def test_no_fault_is_no_material_one_and_a_slow_backend_is_one_in_its_first_window() -> None:
    twin, policy = _columns(160), Policy()
    still = {name: column[60:100] for name, column in twin.items()}
    assert material_since(twin, still, 60, policy) is None
    assert material_since(twin, still, 60, policy, better=True) is None
    slow = _columns(160, Condition(backend=4.0))
    assert material_since(twin, {name: column[60:100] for name, column in slow.items()}, 60, policy) == (
        0,
        "response_time",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_can_be_drawn_begun_and_ended(kind: str) -> None:
    shape = SHAPES[2]
    world = World(Load(shape, 5), shape.capacity, shape.ttl, FIRST_MINUTE)
    world.live(60)
    fault = draw(kind, shape, world, np.random.default_rng(3))
    fault.begin(world, float(world.minute))
    if fault.during is not None:
        fault.during(world, 5)
    world.live(5)
    fault.end(world, float(world.minute))
    assert world.condition == NORMAL
    assert (world.cache.capacity, world.cache.ttl) == (shape.capacity, shape.ttl)


def test_a_lifetime_gives_a_row_for_every_fault_and_finds_the_plain_ones() -> None:
    life = live(SHAPES[2], 4, Plan(learning_days=1, fault_days=1, each=1), Policy())
    by_kind = {row["kind"]: row for row in life.faults}
    assert set(by_kind) == set(KINDS)
    for kind in ("flush", "backend_slow", "silence", "collector_fault", "outage"):
        row = by_kind[kind]
        assert row["material"] is not None
        assert row["found"]
        assert row["told"] == row["cause"]
        assert row["incidents"] == 1
