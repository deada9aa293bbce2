"""A real LRU+TTL cache in simulated time, with faults: windows whose true cause is known.

The cache is cachetools' TLRUCache on a clock that is an argument; lookups, misses that ask a backend of a given speed, sets that
land when the backend has answered (so that misses for one key can overlap), evictions where capacity overflows, expiries that are
recorded nowhere. Everything follows from the seed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from cachetools import Cache, TLRUCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HIT_MS: Final = 0.6
MISS_MS: Final = 90.0


@dataclass(frozen=True)
class Shape:
    """A traffic shape: lookups a minute over so many keys with Zipf's exponent, into a cache of a capacity and a time to live."""

    name: str
    rate: float
    keys: int
    exponent: float
    capacity: int
    ttl: float
    warm: int


SHAPES: Final = (
    Shape("trickle, time to live binds", 4, 60, 1.0, 400, 240, 900),
    Shape("trickle, capacity binds", 6, 200, 1.0, 40, 1440, 900),
    Shape("small, time to live binds", 20, 300, 1.0, 1000, 60, 300),
    Shape("small, capacity binds", 30, 1500, 1.1, 200, 1440, 300),
    Shape("middle, both bind", 120, 3000, 1.0, 900, 30, 150),
    Shape("middle, capacity binds", 150, 4000, 1.1, 500, 600, 150),
    Shape("large, time to live binds", 500, 2500, 1.0, 8000, 20, 90),
    Shape("large, capacity binds", 1200, 20000, 1.0, 2500, 300, 90),
)


@dataclass
class Condition:
    """What is true of the world at a time; a fault changes it."""

    backend: float = 1.0
    lag_ms: float = 0.0
    failing: float = 0.002
    fails_slowly: bool = False
    failure_is_miss: bool = True
    rate: float = 1.0
    strangers: float = 0.0
    surplus: float = 0.0
    narrow: float = 1.0
    prefix: str = ""
    unstable: bool = False
    expire_hot_every: float = 0.0
    crowd: int = 0


class _Counting(TLRUCache[Any, float]):
    """Entries are their own time of expiry; evictions for want of room are counted, expiries are not."""

    evicted = 0

    def entries(self) -> list[tuple[Any, float]]:
        """The entries with their expiry, the least recently used first."""
        by_use = self._TLRUCache__items  # type: ignore[attr-defined]
        return [(key, Cache.__getitem__(self, key)) for key in list(by_use) if key in self]

    def popitem(self) -> tuple[Any, float]:
        item = super().popitem()
        self.evicted += 1
        return item


@dataclass(frozen=True)
class _Expire:
    """Not a lookup: the moment at which a key expires."""

    key: Any


@dataclass(eq=False)
class Minute:
    """One window's columns, as the collector would fill them."""

    hits: int = 0
    misses: int = 0
    sets: int = 0
    evictions: int = 0
    errors: int = 0
    hit_ms: list[float] = field(default_factory=list)
    miss_ms: list[float] = field(default_factory=list)
    size: list[int] = field(default_factory=list)


class World:
    """A cache in front of a backend, under load."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.random = np.random.default_rng([seed, int(shape.rate), shape.capacity])
        self.now = 0.0
        self.ttl = shape.ttl
        self.condition = Condition()
        self.sampled = max(
            1, int(shape.rate) // 100
        )  # each lookup's size; of hundreds a minute each so-manieth
        self.pending: list[tuple[float, int, Any]] = []
        self.order = 0
        self.serial = 0
        ranks = np.arange(1, shape.keys + 1, dtype=np.float64) ** -shape.exponent
        self.cumulative = np.cumsum(ranks / ranks.sum())
        self.cache = self._cache(shape.capacity)

    def _cache(self, capacity: int) -> _Counting:
        return _Counting(capacity, ttu=lambda _key, until, _now: until, timer=lambda: self.now)

    def copy(self, seed: int) -> World:
        """The same world with its own future."""
        twin = World(self.shape, seed)
        twin.now, twin.ttl = self.now, self.ttl
        for key, until in self.cache.entries():
            twin.cache[key] = until
        twin.pending, twin.order = list(self.pending), self.order
        return twin

    def resize(self, capacity: int, *, counted: bool) -> int:
        """Give the cache another capacity; the number of entries it drops, where dropping them is counted."""
        old = self.cache
        self.cache = self._cache(capacity)
        for key, until in old.entries():
            self.cache[key] = until
        dropped = self.cache.evicted
        self.cache.evicted = old.evicted
        return dropped if counted else 0

    def shorten(self, ttl: float, old: str) -> None:
        """Give entries a shorter time to live; those already there keep theirs, are aged, or start anew."""
        for key, until in self.cache.entries():
            if old == "aged":
                self.cache[key] = until - (self.ttl - ttl)
            elif old == "anew":
                self.cache[key] = min(until, self.now + ttl)
        self.ttl = ttl

    def minutes(self, count: int, events: Callable[[float], None] | None = None) -> Iterator[Minute]:
        """Live through so many minutes; `events` is told the time before each lookup."""
        for _ in range(count):
            start = float(round(self.now))
            window = Minute()
            evicted = self.cache.evicted
            for at, key in self._lookups(start):
                if events is not None:
                    events(at)
                self._land(at, window)
                self.now = at
                self._get(key, window)
            self._land(start + 1.0, window)
            self.now = start + 1.0
            window.evictions = self.cache.evicted - evicted
            yield window

    def _lookups(self, start: float) -> list[tuple[float, Any]]:
        now, shape = self.condition, self.shape
        count = self.random.poisson(shape.rate * now.rate * self.random.gamma(200.0, 1 / 200.0))
        times = start + np.sort(self.random.random(count))
        ranks = np.searchsorted(self.cumulative, self.random.random(count) * now.narrow)
        strange = self.random.random(count) < now.strangers
        drift = int(start) // 30
        lookups: list[tuple[float, Any]] = []
        for at, rank, new in zip(times.tolist(), ranks.tolist(), strange.tolist(), strict=True):
            lookups.append((at, self._key(int(rank), drift, stranger=new)))
        lookups += self._surplus(start) + self._crowds(start)
        lookups.sort(key=lambda lookup: lookup[0])
        return lookups

    def _key(self, rank: int, drift: int, *, stranger: bool) -> Any:
        if stranger:
            wide = int(self.random.random() ** 2 * self.shape.keys * 8)
            return f"stranger:{wide}"
        if self.condition.unstable:
            self.serial += 1
            return f"unstable:{rank}:{self.serial}"
        return f"{self.condition.prefix}{rank}:{(drift + rank) // 50}"

    def _surplus(self, start: float) -> list[tuple[float, Any]]:
        count = self.random.poisson(self.shape.rate * self.condition.surplus)
        keys = (self.random.random(count) * self.shape.keys * 20).astype(int)
        return [
            (start + at, f"surplus:{key}")
            for at, key in zip(self.random.random(count).tolist(), keys, strict=True)
        ]

    def _crowds(self, start: float) -> list[tuple[float, Any]]:
        """Crowds that ask at once for one popular key which has just expired."""
        if not self.condition.crowd:
            return []
        lookups: list[tuple[float, Any]] = []
        for _ in range(3):
            key = self._key(int(self.random.integers(0, 5)), int(start) // 30, stranger=False)
            at = start + self.random.random()
            lookups.append((at, _Expire(key)))
            lookups += [(at + 1e-6 * (i + 1), key) for i in range(self.condition.crowd)]
        return lookups

    def _get(self, key: Any, window: Minute) -> None:
        if isinstance(key, _Expire):
            self.cache.pop(key.key, None)
            return
        now = self.condition
        lookup = HIT_MS * self.random.lognormal(0.0, 0.3) + now.lag_ms
        if (window.hits + window.misses) % self.sampled == 0:
            window.size.append(int(self.cache.currsize))
        if self._hit(key):
            window.hits += 1
            window.hit_ms.append(lookup)
            return
        failed = self.random.random() < now.failing
        backend = MISS_MS * now.backend * self.random.lognormal(0.0, 0.4)
        if failed:
            window.errors += 1
            if not now.failure_is_miss:
                return
            backend *= 10.0 if now.fails_slowly else 0.1
        window.misses += 1
        window.miss_ms.append(lookup + backend)
        if not failed:
            self.order += 1
            heapq.heappush(self.pending, (self.now + backend / 60_000.0, self.order, key))

    def _hit(self, key: Any) -> bool:
        """Whether a key is there, which makes it the most recently used."""
        try:
            self.cache[key]
        except KeyError:
            return False
        return True

    def _land(self, until: float, window: Minute) -> None:
        while self.pending and self.pending[0][0] <= until:
            at, _, key = heapq.heappop(self.pending)
            self.now = max(self.now, at)
            self.cache[key] = self.now + self.ttl
            window.sets += 1


def warm_world(shape: Shape, seed: int) -> tuple[World, tuple[Minute, ...]]:
    """A world that has settled, with the second half of its healthy windows."""
    world = World(shape, seed)
    lived = list(world.minutes(shape.warm))
    return world, tuple(lived[shape.warm // 2 :])
