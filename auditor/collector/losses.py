"""What a collector had to give up, by cache, and how much of that its events have told."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.collector.events import Event

MOST_CACHES: Final = 1000
OTHER_CACHES: Final = "(other caches)"


class Tally:
    """A count that any thread can raise without a lock, even inside a signal handler.

    `itertools.count` hands out each number once under the interpreter's lock; reading takes one number too, and those
    that were taken by reading are subtracted.
    """

    __slots__ = ("_lock", "_numbers", "_read")

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._read = 0
        self._lock = threading.Lock()

    def one(self) -> None:
        """Count one."""
        next(self._numbers)

    def value(self) -> int:
        """How many were counted."""
        with self._lock:
            value = next(self._numbers) - self._read
            self._read += 1
            return value


class Losses:
    """The events that a collector dropped, by implementation_type.

    `one` may be called by any thread; the rest by one thread at a time.
    """

    def __init__(self) -> None:
        self._hot: dict[str, Tally] = {}
        self._cold: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    def one(self, implementation_type: object) -> None:
        """Count an operation that found no room."""
        name = implementation_type if type(implementation_type) is str else OTHER_CACHES
        tally = self._hot.get(name)
        if tally is None:
            if len(self._hot) >= MOST_CACHES:
                name = OTHER_CACHES
            tally = self._hot.setdefault(name, Tally())
        tally.one()

    def hot(self) -> int:
        """How many operations found no room."""
        return sum(tally.value() for tally in list(self._hot.values()))

    def dropped(self, events: Iterable[Event]) -> int:
        """Count events that were dropped after they were made, and take back what these would have told; how many."""
        count = 0
        for event in events:
            count += 1
            name = _name(event)
            self._cold[name if name in self._cold or len(self._cold) < MOST_CACHES else OTHER_CACHES] += 1
            for told, number in _told_by(event).items():
                self._told[told] -= number
        return count

    def untold(self) -> dict[str, int]:
        """What no event has told yet, by implementation_type."""
        lost = Counter(self._cold)
        for name, tally in list(self._hot.items()):
            lost[name] += tally.value()
        return {name: number - self._told[name] for name, number in lost.items() if number > self._told[name]}

    def tell(self, events: list[Event]) -> None:
        """Let the first of these events carry what is untold, each cache's own the losses of that cache.

        The first event of a cache carries its cache's number under `metadata.collector.dropped`. The losses of caches that
        have no event here go with the first event of all, under `metadata.collector.elsewhere` by name.
        """
        untold = self.untold() if events else {}
        if not untold:
            return
        self._told.update(untold)
        for event in events:
            number = untold.pop(_name(event), 0)
            if number:
                _note(event)["dropped"] = number
        if untold:
            _note(events[0])["elsewhere"] = untold


def _note(event: Event) -> dict[str, Any]:
    note: dict[str, Any] = event.setdefault("metadata", {}).setdefault("collector", {})
    return note


def _told_by(event: Event) -> Counter[str]:
    note = (event.get("metadata") or {}).get("collector") or {}
    told = Counter(note.get("elsewhere") or {})
    told[_name(event)] += note.get("dropped", 0)
    return told


def _name(event: Event) -> str:
    return str(event.get("implementation_type", OTHER_CACHES))
