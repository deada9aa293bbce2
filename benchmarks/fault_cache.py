"""An LRU cache with a time to live, lived through lookup by lookup in front of a backend, fast enough for weeks of traffic.

A miss asks the backend and sets the answer when it is there, so that misses for one key can overlap; a set into a full cache evicts
the entry used least recently; an expiry is recorded nowhere. Time is in minutes. Everything follows from the seed.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from benchmarks.fault_condition import NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.fault_load import Load, Lookups


class LruTtl:
    """The entries: a time of expiry for each key, the least recently used first."""

    def __init__(self, capacity: int, ttl: float) -> None:
        self.capacity = capacity
        self.ttl = ttl
        self.until: OrderedDict[int, float] = OrderedDict()
        self.due: list[deque[tuple[float, int]]] = [deque()]
        self.next_due = float("inf")

    def copy(self) -> LruTtl:
        """The same entries with their own future."""
        twin = LruTtl(self.capacity, self.ttl)
        twin.until = self.until.copy()
        twin.due = [queue.copy() for queue in self.due]
        twin.next_due = self.next_due
        return twin

    def expire(self, now: float) -> None:
        """Drop what has expired."""
        for queue in self.due:
            while queue and queue[0][0] <= now:
                until, key = queue.popleft()
                if self.until.get(key) == until:
                    del self.until[key]
        self.next_due = min((queue[0][0] for queue in self.due if queue), default=float("inf"))

    def put(self, key: int, now: float) -> int:
        """Set a key; how many entries were evicted for it."""
        if self.next_due <= now:
            self.expire(now)
        evicted = 0
        if key in self.until:
            self.until.move_to_end(key)
        elif len(self.until) >= self.capacity:
            self.until.popitem(last=False)
            evicted = 1
        until = now + self.ttl
        self.until[key] = until
        self.due[-1].append((until, key))
        self.next_due = min(self.next_due, until)
        return evicted

    def resize(self, capacity: int) -> int:
        """Hold at most so many entries from now on; how many were evicted at once."""
        self.capacity = capacity
        evicted = max(0, len(self.until) - capacity)
        for _ in range(evicted):
            self.until.popitem(last=False)
        return evicted

    def live_for(self, ttl: float, now: float, old: str) -> None:
        """Let entries live so many minutes; those there keep their expiry, are `aged` by the difference, or start `anew`."""
        if old == "aged":
            self.until = OrderedDict((key, until - self.ttl + ttl) for key, until in self.until.items())
        elif old == "anew":
            self.until = OrderedDict((key, min(until, now + ttl)) for key, until in self.until.items())
        self.ttl = ttl
        self.due = [deque(sorted((until, key) for key, until in self.until.items())), deque()]
        self.expire(now)


@dataclass(slots=True)
class Lived:
    """What happened to the lookups of a span: `hit` and `size` for each lookup, `sets` and `evictions` by their times in minutes."""

    hit: list[bool] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    sets: list[float] = field(default_factory=list)
    evictions: list[float] = field(default_factory=list)


class World:
    """A cache in front of a backend, under load.

    Parameters
    ----------
    load
        Who asks for what and when.
    capacity, ttl
        Of the cache: entries, and minutes that an entry lives.
    first_minute
        Minutes since 1970 at which life begins, with an empty cache.
    """

    def __init__(self, load: Load, capacity: int, ttl: float, first_minute: int) -> None:
        self.load = load
        self.cache = LruTtl(capacity, ttl)
        self.minute = first_minute
        self.condition = NORMAL
        self.pending: list[tuple[float, int]] = []

    def copy(self) -> World:
        """The same world with its own future."""
        twin = World(self.load, self.cache.capacity, self.cache.ttl, self.minute)
        twin.cache = self.cache.copy()
        twin.condition = self.condition
        twin.pending = list(self.pending)
        return twin

    def live(
        self, minutes: int, event: tuple[float, Callable[[World, float], int]] | None = None
    ) -> tuple[Lookups, Lived]:
        """Live through so many minutes.

        `event` is a time within them, and what happens to the world then (it returns the evictions that are counted at once).
        """
        start, end = self.minute, self.minute + minutes
        lived = Lived()
        if event is None:
            lookups = self.load.lookups(start, minutes, self.condition)
        else:
            when, happen = event
            before = self.load.lookups(start, minutes, self.condition).until(when)
            self._look_up(before, lived)
            self._land(when, lived)
            lived.evictions += [when] * happen(self, when)
            lookups = self.load.lookups(start, minutes, self.condition).since(when)
        self._look_up(lookups, lived)
        self._land(float(end), lived)
        self.minute = end
        return (lookups if event is None else before.then(lookups)), lived

    def _look_up(self, lookups: Lookups, lived: Lived) -> None:
        """Look each key up in the order of time; a key below nought is no lookup but the moment at which that key expires."""
        cache, until, pending = self.cache, self.cache.until, self.pending
        hit, size = lived.hit.append, lived.size.append
        for at, key, wait in zip(
            lookups.at.tolist(), lookups.key.tolist(), lookups.wait.tolist(), strict=True
        ):
            if pending and pending[0][0] <= at:
                self._land(at, lived)
            if cache.next_due <= at:
                cache.expire(at)
            size(len(until))
            if key in until:
                until.move_to_end(key)
                hit(True)
                continue
            hit(False)
            if key < 0:
                until.pop(-key, None)
            elif wait >= 0.0:
                heapq.heappush(pending, (at + wait, key))

    def _land(self, end: float, lived: Lived) -> None:
        """Set what the backend has answered before a time."""
        pending = self.pending
        while pending and pending[0][0] <= end:
            at, key = heapq.heappop(pending)
            if self.cache.put(key, at):
                lived.evictions.append(at)
            lived.sets.append(at)

    def change(self, **changes: float | bool) -> None:
        """Change what is true of the world."""
        self.condition = replace(self.condition, **changes)  # type: ignore[arg-type]  # fields by name
