"""A real LRU cache with a time to live (cachetools), on a clock that is an argument, each operation reported to a collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachetools import Cache, TLRUCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.collector import Collector


class SimulatedClock:
    """A clock that stands until it is set; seconds since 1970."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """What it stands at."""
        return self.now


class LruTtlCache(TLRUCache[str, float]):
    """cachetools' LRU cache whose time to live and capacity can be set while it runs, as an operator would.

    An entry's value is the time at which it was set, and its age is reckoned from that; so a new time to live applies to
    the entries that are there already. What is given up for want of room is listed in `evicted`; what expires is not.
    """

    def __init__(self, capacity: int, ttl: float, timer: Callable[[], float]) -> None:
        self._ttl: float = ttl
        super().__init__(capacity, ttu=self._until, timer=timer)
        self._capacity = capacity
        self.evicted: list[str] = []

    def _until(self, _key: str, was_set: float, _now: float) -> float:
        return was_set + self._ttl

    @property
    def capacity(self) -> int:
        """The most entries that it holds."""
        return self._capacity

    @property
    def time_to_live(self) -> float:
        """Seconds from an entry's setting to its expiry."""
        return self._ttl

    @property
    def size(self) -> int:
        """Entries held; those that expired since the last set are still among them."""
        return Cache.__len__(self)

    def put(self, key: str) -> None:
        """Set a key now, giving up the least recently used entries where there is no room."""
        if self._capacity < self.maxsize and key not in self:
            self._make_room(self._capacity - 1)
        self[key] = self.timer()

    def set_capacity(self, capacity: int) -> None:
        """Hold at most so many entries from now on; the least recently used of those beyond are evicted.

        Raises
        ------
        ValueError
            If it is not within 1..maxsize.
        """
        if not 1 <= capacity <= self.maxsize:
            raise ValueError(f"the capacity has to be 1 to {self.maxsize:.0f}, not {capacity}")
        self._capacity = capacity
        self._make_room(capacity)

    def set_time_to_live(self, ttl: float) -> None:
        """Let entries live so many seconds from when they were set, those already there too."""
        self._ttl = ttl
        now = self.timer()
        was_set = {key: Cache.__getitem__(self, key) for key in list(self)}
        for key in sorted(was_set, key=was_set.__getitem__):
            if was_set[key] + ttl <= now:
                del self[key]
            else:
                self[key] = was_set[key]

    def popitem(self) -> tuple[str, float]:
        """Evict the least recently used entry; cachetools calls this when a set finds the cache full."""
        item = super().popitem()
        self.evicted.append(item[0])
        return item

    def _make_room(self, entries: int) -> None:
        while len(self) > entries:
            self.popitem()


class AuditedCache:
    """The cache as its users call it: every operation is reported, with what it took.

    Parameters
    ----------
    name
        The implementation_type it reports under.
    entries
        The cache itself.
    collector
        Where operations are reported.
    """

    def __init__(self, name: str, entries: LruTtlCache, collector: Collector) -> None:
        self.name = name
        self.entries = entries
        self.collector = collector
        self.reporting = True

    def find(self, key: str, lookup_ms: float) -> bool:
        """Look a key up; a hit is reported at once, a miss when its answer is there (`answered`)."""
        if key not in self.entries:
            return False
        _ = self.entries[key]  # the use that LRU goes by
        if self.reporting:
            self.collector.record_hit(key, self.name, lookup_ms, self.entries.size)
        return True

    def answered(self, key: str, response_ms: float, set_ms: float) -> None:
        """The backend has answered a miss: report it, and set the answer."""
        if self.reporting:
            self.collector.record_miss(key, self.name, response_ms, self.entries.size)
        self.entries.put(key)
        if self.reporting:
            self.collector.record_set(key, self.name, set_ms, self.entries.size)
        self.report_evictions()

    def failed(self, key: str, response_ms: float, error_type: str, error_message: str) -> None:
        """The backend has failed a miss: report both; nothing is set."""
        if self.reporting:
            self.collector.record_miss(key, self.name, response_ms, self.entries.size)
            self.collector.record_error(key, self.name, error_type, error_message)

    def report_evictions(self) -> None:
        """Report what was evicted since the last report; an eviction takes the caller no time."""
        for key in self.entries.evicted:
            if self.reporting:
                self.collector.record_evict(key, self.name, None, self.entries.size)
        self.entries.evicted.clear()
