"""The cache is a real one: LRU, a time to live, evictions reported and expiries not."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collector import Collector
from auditor.demo.cache import AuditedCache, LruTtlCache, SimulatedClock


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(1000.0)


def filled(clock: SimulatedClock, capacity: int = 3, ttl: float = 60.0) -> LruTtlCache:
    cache = LruTtlCache(capacity, ttl, clock)
    for key in "abc":
        cache.put(key)
        clock.now += 1.0
    return cache


def test_the_least_recently_used_entry_makes_room(clock: SimulatedClock) -> None:
    cache = filled(clock)
    _ = cache["a"]
    cache.put("d")
    assert cache.evicted == ["b"]
    assert {key for key in "abcd" if key in cache} == {"a", "c", "d"}


def test_an_entry_expires_a_time_to_live_after_it_was_set_and_is_not_counted_as_evicted(
    clock: SimulatedClock,
) -> None:
    cache = filled(clock)
    clock.now = 1060.0
    assert [key in cache for key in "abc"] == [False, True, True]
    cache.put("d")
    assert cache.size == 3
    assert cache.evicted == []


def test_a_smaller_capacity_evicts_at_once_and_holds_until_it_is_put_back(clock: SimulatedClock) -> None:
    cache = filled(clock)
    cache.set_capacity(1)
    assert cache.evicted == ["a", "b"]
    cache.put("c")
    cache.put("d")
    assert cache.evicted == ["a", "b", "c"]
    cache.set_capacity(3)
    cache.put("e")
    assert len(cache) == 2
    for capacity in (0, 4):
        with pytest.raises(ValueError, match="the capacity has to be 1 to 3"):
            cache.set_capacity(capacity)


def test_a_shorter_time_to_live_applies_to_what_is_there_and_a_longer_one_too(clock: SimulatedClock) -> None:
    cache = filled(clock)
    clock.now = 1010.0
    cache.set_time_to_live(9.5)
    assert [key in cache for key in "abc"] == [False, True, True]
    cache.set_time_to_live(20.0)
    clock.now = 1020.5
    assert [key in cache for key in "abc"] == [False, True, True]
    clock.now = 1022.5
    assert len(cache) == 0
    assert cache.evicted == []


def test_emptying_the_cache_evicts_nothing(clock: SimulatedClock) -> None:
    cache = filled(clock)
    cache.clear()
    assert (len(cache), cache.evicted) == (0, [])


def test_every_operation_is_reported_with_its_time_and_size(clock: SimulatedClock) -> None:
    events: list[dict[str, Any]] = []
    collector = Collector(events.extend, clock=clock)
    cache = AuditedCache("answers", LruTtlCache(2, 60.0, clock), collector)
    assert not cache.find("a", 2.0)
    for key in "ab":
        cache.answered(key, 400.0, 3.0)
    assert cache.find("a", 2.0)
    cache.answered("c", 410.0, 3.0)
    cache.failed("d", 90.0, "BackendUnavailable", "503")
    collector.flush()
    told = [
        (e["operation_type"], e["cache_key"], e.get("response_time_ms"), e.get("cache_size")) for e in events
    ]
    assert told == [
        ("miss", "a", 400.0, 0),
        ("set", "a", 3.0, 1),
        ("miss", "b", 400.0, 1),
        ("set", "b", 3.0, 2),
        ("hit", "a", 2.0, 2),
        ("miss", "c", 410.0, 2),
        ("set", "c", 3.0, 2),
        ("evict", "b", None, 2),
        ("miss", "d", 90.0, 2),
        ("error", "d", None, None),
    ]


def test_a_cache_that_does_not_report_works_on(clock: SimulatedClock) -> None:
    events: list[dict[str, Any]] = []
    collector = Collector(events.extend, clock=clock)
    cache = AuditedCache("answers", LruTtlCache(2, 60.0, clock), collector)
    cache.reporting = False
    for key in "abc":
        cache.answered(key, 400.0, 3.0)
    cache.failed("d", 1.0, "BackendUnavailable", "503")
    assert cache.find("c", 2.0)
    assert collector.flush()
    assert events == []
