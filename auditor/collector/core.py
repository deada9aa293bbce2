"""The collector's core: operations in from any thread, batches of events out to a sink, nothing lost without being counted."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Final

from auditor.collector.environment import batch_size as batch_size_from_environment
from auditor.collector.events import event_of
from auditor.collector.losses import Losses
from auditor.collector.refusal import BatchRefused
from auditor.collector.stats import CollectorStats

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.collector.events import Event, Record
    from auditor.collector.spool import Spool

DEFAULT_MAX_EVENTS: Final = 100_000
_COLLECTORS: Final[weakref.WeakSet[Collector]] = weakref.WeakSet()


class Collector:
    """Collects the operations of caches and hands them to a sink in batches.

    Recording takes no lock, never raises and, but for the call that completes a batch, never waits for the sink. A batch
    that the sink failed to take is kept, on disk where there is a spool, and offered again: its events carry the same
    ids, so that a sink which had stored them after all counts nothing twice. Safe to use from any number of threads.

    Parameters
    ----------
    sink
        Called with a list of events as `ingest_cache_metrics` takes them; raises where it could not take them all, and
        `BatchRefused` where it never will. Its answer, if it is a mapping, may list events that were refused for good
        under `rejected`.
    batch_size
        Events that make a batch; by default CACHE_METRICS_BATCH_SIZE, else 1000.
    max_events
        The most events held in memory; beyond them the oldest is dropped and counted.
    clock
        Seconds since 1970; the time that an operation is given.
    when_full
        Called by the recording thread when a batch is complete; by default the batch is sent there and then.
    spool
        Where events go that the sink does not take; by default they stay in memory.

    Raises
    ------
    ValueError
        If a size is not a positive whole number.
    """

    def __init__(
        self,
        sink: Callable[[list[Event]], object],
        *,
        batch_size: int | None = None,
        max_events: int = DEFAULT_MAX_EVENTS,
        clock: Callable[[], float] = time.time,
        when_full: Callable[[], object] | None = None,
        spool: Spool | None = None,
    ) -> None:
        self._sink = sink
        self.batch_size = batch_size_from_environment() if batch_size is None else batch_size
        if self.batch_size < 1 or max_events < 1:
            raise ValueError("a collector's batch_size and max_events have to be at least 1")
        self.max_events = max_events
        self._clock = clock
        self._when_full = when_full if when_full is not None else self.flush
        self._spool = spool
        self._begin()
        _COLLECTORS.add(self)

    def _begin(self) -> None:
        """With nothing recorded and no lock held: at first, and in the child of a fork."""
        self._buffer: deque[Record] = deque()
        self._losses = Losses()
        self._due = self.batch_size
        self._outgoing: list[Event] = []
        self._out = 0
        self._closed = False
        self._sending = threading.Lock()
        """Held by the one thread that sends, while the sink is called too."""
        self._moving = threading.Lock()
        """Held while events move between memory and disk, never while the sink is called."""
        self._counting = threading.Lock()
        self._taken = self._adopted = self._sent = self._rejected = 0
        self._spooled = self._dropped = self._failures = 0
        self._last_error: str | None = None

    def configure(self, batch_size: int, spool: Spool | None) -> None:
        """Set what was not known when recording began."""
        with self._sending, self._moving:
            self.batch_size = self._due = batch_size
            self._spool = spool

    def notice_next(self) -> None:
        """Have `when_full` called by the next operation already."""
        self._due = 1

    def begin_in_child(self) -> None:
        """Leave what was recorded before a fork to the parent, which still has it."""
        if self._spool is not None:
            self._spool = self._spool.in_child()
        self._begin()

    def record_hit(
        self,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
    ) -> None:
        """A lookup that found its key."""
        self.record("hit", cache_key, implementation_type, response_time_ms, cache_size)

    def record_miss(
        self,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
    ) -> None:
        """A lookup that did not; its response time includes what had to be done instead."""
        self.record("miss", cache_key, implementation_type, response_time_ms, cache_size)

    def record_set(
        self,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
    ) -> None:
        """A value put into the cache."""
        self.record("set", cache_key, implementation_type, response_time_ms, cache_size)

    def record_evict(
        self,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
    ) -> None:
        """A value that the cache gave up for want of room."""
        self.record("evict", cache_key, implementation_type, response_time_ms, cache_size)

    def record_error(
        self, cache_key: str, implementation_type: str, error_type: str, error_message: str
    ) -> None:
        """An operation that failed."""
        self.record("error", cache_key, implementation_type, None, None, error_type, error_message)

    def record(
        self,
        operation_type: str,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
        error_type: str | None = None,
        error_message: str | None = None,
    ) -> None:
        """An operation of any type; the others come here.

        The deque's own operations are whole under the interpreter's lock, so there is none to wait for here, not even in a
        signal handler that interrupts this very function.
        """
        buffer = self._buffer
        held = len(buffer) + 1
        if held + self._out > self.max_events and not self._made_room(buffer, implementation_type):
            return
        buffer.append(
            (
                self._clock(),
                operation_type,
                cache_key,
                implementation_type,
                response_time_ms,
                cache_size,
                error_type,
                error_message,
            )
        )
        if held >= self._due:
            self._due = held + self.batch_size
            self._when_full()

    def flush(self, until: float | None = None) -> bool:
        """Send all that was recorded before the call, the spool's events first; whether the sink took it all.

        One thread sends at a time, so events reach the sink in the order in which they were recorded. What the sink did
        not take goes to the spool, if there is one.

        Parameters
        ----------
        until
            The time by `time.monotonic` from which no further batch is begun; by default there is none.
        """
        with self._sending:
            delivered = self._send_all(until)
            if not delivered:
                with self._moving:
                    self._spill()
            return delivered

    def spill(self) -> None:
        """Move what is in memory to the spool, without trying the sink."""
        with self._sending, self._moving:
            self._spill()

    def adopt(self) -> int:
        """Take over the events that dead processes left on disk; how many they are."""
        with self._sending, self._moving:
            if self._spool is None or self._closed:
                return 0
            adopted = self._spool.adopt()
            with self._counting:
                self._adopted += adopted
                self._spooled = self._spool.held
            return adopted

    def close(self) -> None:
        """Move what is in memory to the spool and let go of it, even while another thread waits for the sink.

        A batch that is with the sink at this moment goes to the spool too; should the sink take it after all, its ids keep
        it from being counted twice.
        """
        with self._moving:
            self._spill()
            self._closed = True
            if self._spool is not None:
                self._spool.close()

    def stats(self) -> CollectorStats:
        """The counters, consistent with each other."""
        with self._counting:
            buffered = len(self._buffer)
            hot = self._losses.hot()
            return CollectorStats(
                recorded=self._taken + buffered + hot,
                adopted=self._adopted,
                sent=self._sent,
                rejected=self._rejected,
                waiting=buffered + self._out,
                spooled=self._spooled,
                dropped=self._dropped + hot,
                failures=self._failures,
                last_error=self._last_error,
            )

    def _made_room(self, buffer: deque[Record], implementation_type: str) -> bool:
        """Drop the oldest operation in memory; False where that is the one that is being recorded."""
        try:
            self._losses.one(buffer.popleft()[3])
        except IndexError:
            self._losses.one(implementation_type)
            return False
        return True

    def _send_all(self, until: float | None) -> bool:
        batches = -(-len(self._buffer) // self.batch_size)
        while self._spooled:
            with self._moving:
                events = self._next_of_spool()
            if not events:
                break
            if _late(until) or not self._offer(events, spooled=True):
                return False
        if self._outgoing and (_late(until) or not self._offer(self._outgoing)):
            return False
        for _ in range(batches):
            if _late(until):
                return False
            with self._moving:
                self._take_batch()
            if self._outgoing and not self._offer(self._outgoing):
                return False
        return True

    def _offer(self, events: list[Event], *, spooled: bool = False) -> bool:
        """Give the sink a batch, which stays where it is until the sink has answered."""
        try:
            answer = self._sink(events)
        except BatchRefused as refusal:
            rejected = len(events)
            error: str | None = f"{type(refusal).__name__}: {refusal}"
        except Exception as failure:  # noqa: BLE001 - whatever a sink raises, the batch is kept and the cache goes on
            with self._counting:
                self._failures += 1
                self._last_error = f"{type(failure).__name__}: {failure}"
            return False
        else:
            rejected, error = _rejected_by(answer), None
        with self._moving:
            if self._closed:
                return False
            if spooled and self._spool is not None:
                self._spool.advance(len(events))
            with self._counting:
                self._sent += len(events)
                self._rejected += rejected
                self._last_error = error or self._last_error
                if self._spool is not None:
                    self._spooled = self._spool.held
                if not spooled:
                    self._outgoing, self._out = [], 0
        return True

    def _take_batch(self) -> None:
        """Make events of the oldest operations in memory."""
        if self._closed:
            return
        records: list[Record] = []
        with self._counting:
            with contextlib.suppress(IndexError):  # a full buffer's recorders take from this end too
                while len(records) < self.batch_size:
                    records.append(self._buffer.popleft())
            self._taken += len(records)
            self._out = len(records)
        self._due = self.batch_size
        self._outgoing = [event_of(record) for record in records]
        self._losses.tell(self._outgoing)

    def _next_of_spool(self) -> list[Event]:
        if self._spool is None or self._closed:
            return []
        events, damaged = self._spool.peek(self.batch_size)
        with self._counting:
            self._dropped += self._losses.dropped({} for _ in range(damaged))
            self._spooled = self._spool.held
        return events

    def _spill(self) -> None:
        """Move what is in memory to the spool, the oldest first, until the disk fails or nothing is left."""
        if self._spool is None or self._closed:
            return
        for _ in range(-(-len(self._buffer) // self.batch_size) + 1):
            if not self._outgoing:
                self._take_batch()
            if not self._outgoing or not self._spill_batch(self._spool):
                return

    def _spill_batch(self, spool: Spool) -> bool:
        try:
            gone = spool.append(self._outgoing)
        except OSError as failure:
            with self._counting:
                self._spooled = spool.held
                self._last_error = f"the spool: {type(failure).__name__}: {failure.strerror}"
            return False
        with self._counting:
            self._dropped += self._losses.dropped(gone)
            self._spooled = spool.held
            self._outgoing, self._out = [], 0
        return True


def _late(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _rejected_by(answer: object) -> int:
    rejected = answer.get("rejected") if isinstance(answer, dict) else None
    return len(rejected) if isinstance(rejected, list) else 0


def _begin_in_child() -> None:
    for collector in list(_COLLECTORS):
        collector.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
