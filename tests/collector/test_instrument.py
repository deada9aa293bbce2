"""Instrumented caches: the same answers as the cache itself, and each operation recorded once."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import Any

import pytest
from cachetools import LFUCache, LRUCache, TTLCache, cached
from hypothesis import given
from hypothesis import strategies as st

from auditor.collector import instrument

Operations = list[tuple[Any, ...]]


def watched(cache: Any) -> tuple[Any, Operations]:
    operations: Operations = []
    return instrument(cache, "answers", record=lambda *operation: operations.append(operation)), operations


def short(operations: Operations) -> list[tuple[str, Any]]:
    return [(operation[0], operation[1]) for operation in operations]


class OwnLru(OrderedDict[str, int]):
    """A cache as many programs have one."""

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value)
        while len(self) > 2:
            self.popitem(last=False)


@pytest.mark.parametrize("make", [lambda: LRUCache(2), lambda: TTLCache(2, 60), lambda: LFUCache(2), OwnLru])
def test_lookups_sets_and_evictions_are_recorded_with_key_time_and_size(make: Any) -> None:
    cache, operations = watched(make())
    cache["a"] = 1
    cache["b"] = 2
    assert cache["b"] == 2
    cache["c"] = 3
    assert cache.get("a") is None
    with pytest.raises(KeyError):
        cache["a"]
    assert short(operations) == [
        ("set", "a"),
        ("set", "b"),
        ("hit", "b"),
        ("set", "c"),
        ("evict", "a"),
        ("miss", "a"),
        ("miss", "a"),
    ]
    assert [operation[4] for operation in operations] == [1, 2, 2, 2, 2, 2, 2]
    assert all(operation[3] > 0 for operation in operations if operation[0] != "evict")


def test_a_plain_dict_is_a_cache_that_evicts_nothing() -> None:
    cache, operations = watched({})
    cache["a"] = None
    assert cache.get("a", "default") is None
    assert cache.setdefault("b", 5) == 5
    assert short(operations) == [("set", "a"), ("hit", "a"), ("miss", "b"), ("set", "b")]


def test_a_value_made_for_a_missing_key_is_a_miss() -> None:
    cache, operations = watched(defaultdict(int))
    assert (cache["a"], cache["a"]) == (0, 0)
    assert short(operations) == [("miss", "a"), ("hit", "a")]


def test_removing_and_looking_whether_it_is_there_are_no_lookups() -> None:
    cache, operations = watched(LRUCache(5))
    cache.update(a=1, b=2, c=3)
    operations.clear()
    assert "a" in cache
    assert dict(cache.items()) == {"a": 1, "b": 2, "c": 3}
    assert sorted(cache.values()) == [1, 2, 3]
    assert cache.pop("a") == 1
    assert cache.pop("a", 7) == 7
    assert cache.popitem() == ("b", 2)
    del cache["c"]
    cache.clear()
    assert (operations, len(cache), list(cache)) == ([], 0, [])
    assert cache.maxsize == 5


def test_the_decorator_of_cachetools_takes_it() -> None:
    cache, operations = watched(LRUCache(2))

    @cached(cache)
    def square(number: int) -> int:
        return number * number

    assert [square(3), square(3)] == [9, 9]
    assert [operation for operation, _ in short(operations)] == ["miss", "set", "hit"]


def test_a_cache_that_fails_is_an_error_and_raises_as_before() -> None:
    class Failing(dict[str, int]):
        def __getitem__(self, key: str) -> int:
            raise ConnectionError("gone")

    cache, operations = watched(Failing())
    with pytest.raises(ConnectionError, match="gone"):
        cache["a"]
    assert short(operations) == [("error", "a")]


@given(st.lists(st.tuples(st.sampled_from(["get", "set", "del"]), st.integers(0, 6)), max_size=60))
def test_it_answers_as_the_cache_itself_would_and_its_counts_are_the_caches(
    steps: list[tuple[str, int]],
) -> None:
    plain: LRUCache[int, int] = LRUCache(3)
    cache, operations = watched(LRUCache(3))
    hits = 0
    for step, key in steps:
        if step == "get":
            hits += key in plain
            assert cache.get(key) == plain.get(key)
        elif step == "set":
            cache[key] = plain[key] = key
        else:
            assert cache.pop(key, None) == plain.pop(key, None)
        assert set(cache) == set(plain)
    counts = [operation[0] for operation in operations if operation[0] in {"set", "evict"}]
    lookups = [operation for operation in short(operations) if operation[0] == "hit"]
    assert counts.count("set") == sum(step == "set" for step, _ in steps)
    assert len(lookups) == hits
