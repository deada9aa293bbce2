"""The world of the demo: users, a cache and a backend, lived through minute by minute."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from auditor.demo.cache import AuditedCache, LruTtlCache, SimulatedClock
from auditor.demo.load import NORMAL, Condition, Load, Traffic

if TYPE_CHECKING:
    from auditor.collector import Collector

CACHE: Final = "answers"
CAPACITY: Final = 1500
TIME_TO_LIVE_SECONDS: Final = 6 * 3600.0
WORKERS: Final = 5
"""Calls that the backend works on at once; with more it slows in proportion."""

_Call = tuple[float, int, str, float, float, bool]


class World:
    """A cache-aside cache in front of a slow backend, under load.

    A miss asks the backend and sets the answer when it is there; until then the same question misses again. What is
    reported carries the time at which it was finished, so nothing lies beyond the minutes lived.

    Parameters
    ----------
    clock
        Set as time passes; the collector has to read the same one.
    collector
        Where the cache reports its operations.
    first_minute
        Minutes since 1970 at which life begins, with an empty cache.
    origin
        The origin of the load; by default the first minute.
    """

    def __init__(
        self,
        clock: SimulatedClock,
        collector: Collector,
        *,
        first_minute: int,
        seed: int,
        origin: int | None = None,
        traffic: Traffic | None = None,
        name: str = CACHE,
    ) -> None:
        self.clock = clock
        self.next_minute = first_minute
        self.load = Load(traffic or Traffic(), seed, origin=first_minute if origin is None else origin)
        self.condition: Condition = NORMAL
        entries = LruTtlCache(CAPACITY, TIME_TO_LIVE_SECONDS, clock)
        self.cache = AuditedCache(name, entries, collector)
        self._calls: list[_Call] = []
        self._order = 0

    def live_minute(self) -> int:
        """Live through the next minute; which one it was."""
        minute = self.next_minute
        lookups = self.load.minute(minute, self.condition)
        expiries = iter([*lookups.expiries, (float("inf"), "")])
        expires_at, expiring = next(expiries)
        for at, key, lookup_ms, set_ms, backend_ms, fails in zip(
            lookups.at,
            lookups.key,
            lookups.lookup_ms,
            lookups.set_ms,
            lookups.backend_ms,
            lookups.fails,
            strict=True,
        ):
            while expires_at <= at:
                self.cache.entries.pop(expiring, None)
                expires_at, expiring = next(expiries)
            self._answer(at)
            self.clock.now = at
            if not self.cache.find(key, lookup_ms):
                self._ask(at, key, lookup_ms + backend_ms * self._crowding(), set_ms, fails)
        self.next_minute = minute + 1
        self._answer(60.0 * self.next_minute)
        self.clock.now = 60.0 * self.next_minute - 1e-3
        return minute

    def _crowding(self) -> float:
        """How many times as long the backend takes, for the calls that it is busy with."""
        return max(1.0, (len(self._calls) + 1) / WORKERS)

    def _ask(self, at: float, key: str, response_ms: float, set_ms: float, fails: bool) -> None:
        self._order += 1
        heapq.heappush(self._calls, (at + response_ms / 1000.0, self._order, key, response_ms, set_ms, fails))

    def _answer(self, until: float) -> None:
        """Let the backend finish the calls that are done before a time."""
        while self._calls and self._calls[0][0] < until:
            self.clock.now, _, key, response_ms, set_ms, fails = heapq.heappop(self._calls)
            if fails:
                self.cache.failed(key, response_ms, "BackendUnavailable", "503 from the model: overloaded")
            else:
                self.cache.answered(key, response_ms, set_ms)
