"""A cache that is a mapping, reporting each of its operations: cachetools' caches, dicts, and what behaves like them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, ItemsView, Iterator, MutableMapping, ValuesView
from typing import Any, Final, TypeVar

from auditor.collector.process import get_collector

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")
_ABSENT: Final = object()


class InstrumentedCache(MutableMapping[K, V]):
    """What `instrument` gives: the cache, with lookups, sets, evictions and failures recorded.

    Lookups are `cache[key]`, `get` and the first half of `setdefault`; `in`, `pop`, `del`, iteration and `clear` are no
    lookups and are passed on as they are, like every other attribute. A miss is timed by itself, since what is done
    about it is not the cache's; `measure` times both. An eviction is an entry that the cache's own `popitem` gives up
    during a set; where `popitem` cannot be watched, entries that are fewer after a set than they should be are evicted
    under the key "?".
    """

    def __init__(
        self, cache: MutableMapping[K, V], implementation_type: str, record: Callable[..., None] | None
    ) -> None:
        self._cache = cache
        self._name = implementation_type
        self._given = record
        self._setting = threading.local()
        self._watches = self._watch_evictions()

    def __getitem__(self, key: K) -> V:
        started = time.perf_counter_ns()
        try:
            known = key in self._cache if hasattr(self._cache, "__missing__") else True
            value = self._cache[key]
        except KeyError:
            self._timed("miss", key, started)
            raise
        except Exception as error:  # whatever the cache raises is recorded, and raised on
            self._failed(key, error)
            raise
        self._timed("hit" if known else "miss", key, started)
        return value

    def get(self, key: K, default: D = None) -> V | D:  # type: ignore[assignment]
        """The value of a key, else the default, which is a miss even where the cache would make a value."""
        started = time.perf_counter_ns()
        try:
            value: Any = self._cache.get(key, _ABSENT)
        except Exception as error:  # whatever the cache raises is recorded, and raised on
            self._failed(key, error)
            raise
        self._timed("miss" if value is _ABSENT else "hit", key, started)
        return default if value is _ABSENT else value

    def __setitem__(self, key: K, value: V) -> None:
        expected = 0 if self._watches else self._size(0) + (key not in self._cache)
        evicted: list[Any] = []
        self._setting.evicted = evicted
        started = time.perf_counter_ns()
        try:
            self._cache[key] = value
        except Exception as error:  # whatever the cache raises is recorded, and raised on
            self._failed(key, error)
            raise
        else:
            self._timed("set", key, started)
        finally:
            self._setting.evicted = None
            if not self._watches:
                evicted += ["?"] * (expected - self._size(expected))
            for gone in evicted:
                self._record("evict", gone, self._name, None, self._size())

    def __delitem__(self, key: K) -> None:
        del self._cache[key]

    def __contains__(self, key: object) -> bool:
        return key in self._cache

    def __iter__(self) -> Iterator[K]:
        return iter(self._cache)

    def __len__(self) -> int:
        return len(self._cache)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._cache, name)

    def items(self) -> ItemsView[K, V]:
        """All entries; no lookups."""
        return self._cache.items()

    def values(self) -> ValuesView[V]:
        """All values; no lookups."""
        return self._cache.values()

    def pop(self, key: K, *default: Any) -> Any:
        """Remove a key; no lookup."""
        return self._cache.pop(key, *default)

    def popitem(self) -> tuple[K, V]:
        """Remove an entry; no eviction, for it was asked for."""
        return self._cache.popitem()

    def clear(self) -> None:
        """Remove all entries."""
        self._cache.clear()

    def _watch_evictions(self) -> bool:
        popitem: Any = getattr(self._cache, "popitem", None)

        def watched(*arguments: Any, **named: Any) -> Any:
            item = popitem(*arguments, **named)
            evicted = getattr(self._setting, "evicted", None)
            if evicted is not None:
                evicted.append(item[0])
            return item

        if not callable(popitem):
            return False
        try:
            vars(self._cache)["popitem"] = watched
        except TypeError:  # a plain dict has no attributes of its own, and evicts nothing
            return False
        return True

    @property
    def _record(self) -> Callable[..., None]:
        return self._given if self._given is not None else get_collector().record

    def _timed(self, operation: str, key: object, started: int) -> None:
        elapsed = (time.perf_counter_ns() - started) / 1e6
        self._record(operation, key, self._name, elapsed, self._size())

    def _failed(self, key: object, error: Exception) -> None:
        self._record("error", key, self._name, None, None, type(error).__name__, error)

    def _size(self, otherwise: Any = None) -> Any:
        with contextlib.suppress(Exception):
            return len(self._cache)
        return otherwise


def instrument(
    cache: MutableMapping[K, V], implementation_type: str, *, record: Callable[..., None] | None = None
) -> InstrumentedCache[K, V]:
    """Have a cache's operations recorded; use what this gives in place of the cache, in `cachetools.cached` too.

    Parameters
    ----------
    cache
        A mapping. What is done to it behind the back of the result is not recorded.
    implementation_type
        The name that it is recorded under.
    record
        By default the process's collector; else the `record` of another.
    """
    return InstrumentedCache(cache, implementation_type, record)
