"""The collector's core: operations in from any thread, batches of events out to a sink, nothing lost without being counted."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from auditor.collector.events import event_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.collector.events import Event, Record

BATCH_SIZE_VARIABLE: Final = "CACHE_METRICS_BATCH_SIZE"
DEFAULT_BATCH_SIZE: Final = 1000
DEFAULT_MAX_EVENTS: Final = 100_000


@dataclass(frozen=True, slots=True)
class CollectorStats:
    """Where every recorded operation is: recorded = sent + waiting + dropped, at any moment.

    Parameters
    ----------
    recorded
        Operations that were recorded.
    sent
        Events in batches that the sink has taken.
    rejected
        Of those sent, the events that the sink's answer names under `rejected`.
    waiting
        Events held for the next flush, those of a failed batch included.
    dropped
        Operations that found the buffer full.
    failures
        Calls of the sink that raised.
    last_error
        What the last of them raised, in words; None before any.
    """

    recorded: int
    sent: int
    rejected: int
    waiting: int
    dropped: int
    failures: int
    last_error: str | None


class Collector:
    """Collects the operations of caches and hands them to a sink in batches.

    Recording never raises and, but for the call that completes a batch, never waits for the sink. A batch that the
    sink refused by raising is kept and offered again, unchanged: its events carry the same ids, so that a sink which had
    stored them after all counts nothing twice. Safe to use from any number of threads.

    Parameters
    ----------
    sink
        Called with a list of events as `ingest_cache_metrics` takes them; raises where it could not take them all.
        Its answer, if it is a mapping, may list events that were refused for good under `rejected`.
    batch_size
        Events that make a batch; by default CACHE_METRICS_BATCH_SIZE, else 1000.
    max_events
        The most events held; operations beyond are dropped and counted, so that those already held stay whole.
    clock
        Seconds since 1970; the time that an operation is given.
    when_full
        Called by the recording thread when a batch is complete; by default the batch is sent there and then.

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
    ) -> None:
        self._sink = sink
        self._batch_size = _batch_size_from_environment() if batch_size is None else batch_size
        if self._batch_size < 1 or max_events < 1:
            raise ValueError("a collector's batch_size and max_events have to be at least 1")
        self._max_events = max_events
        self._clock = clock
        self._when_full = when_full if when_full is not None else self.flush
        self._buffer: deque[Record] = deque()
        self._buffer_lock = threading.Lock()
        self._due = self._batch_size
        self._outgoing: list[Event] = []
        self._out = 0
        self._sending = threading.Lock()
        self._recorded = self._sent = self._rejected = self._dropped = self._failures = 0
        self._last_error: str | None = None

    def record_hit(
        self,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
    ) -> None:
        """A lookup that found its key."""
        self._record("hit", cache_key, implementation_type, response_time_ms, cache_size)

    def record_miss(
        self,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
    ) -> None:
        """A lookup that did not; its response time includes what had to be done instead."""
        self._record("miss", cache_key, implementation_type, response_time_ms, cache_size)

    def record_set(
        self,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
    ) -> None:
        """A value put into the cache."""
        self._record("set", cache_key, implementation_type, response_time_ms, cache_size)

    def record_evict(
        self,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None = None,
    ) -> None:
        """A value that the cache gave up for want of room."""
        self._record("evict", cache_key, implementation_type, response_time_ms, cache_size)

    def record_error(
        self, cache_key: str, implementation_type: str, error_type: str, error_message: str
    ) -> None:
        """An operation that failed."""
        self._record("error", cache_key, implementation_type, None, None, error_type, error_message)

    def flush(self) -> bool:
        """Send all that was recorded before the call; whether the sink took it all.

        One thread sends at a time, so events reach the sink in the order in which they were recorded.
        """
        with self._sending:
            with self._buffer_lock:
                batches = -(-len(self._buffer) // self._batch_size)
            if self._outgoing and not self._send():
                return False
            for _ in range(batches):
                self._outgoing = [event_of(record) for record in self._take_batch()]
                if not self._send():
                    return False
            return True

    def stats(self) -> CollectorStats:
        """The counters, consistent with each other."""
        with self._buffer_lock:
            return CollectorStats(
                recorded=self._recorded,
                sent=self._sent,
                rejected=self._rejected,
                waiting=len(self._buffer) + self._out,
                dropped=self._dropped,
                failures=self._failures,
                last_error=self._last_error,
            )

    def _record(
        self,
        operation_type: str,
        cache_key: str,
        implementation_type: str,
        response_time_ms: float | None,
        cache_size: int | None,
        error_type: str | None = None,
        error_message: str | None = None,
    ) -> None:
        record = (
            self._clock(),
            operation_type,
            cache_key,
            implementation_type,
            response_time_ms,
            cache_size,
            error_type,
            error_message,
        )
        with self._buffer_lock:
            self._recorded += 1
            held = len(self._buffer)
            if held + self._out >= self._max_events:
                self._dropped += 1
                return
            self._buffer.append(record)
            full = held + 1 >= self._due
            if full:
                self._due = held + 1 + self._batch_size
        if full:
            self._when_full()

    def _take_batch(self) -> list[Record]:
        with self._buffer_lock:
            self._out = min(self._batch_size, len(self._buffer))
            self._due = self._batch_size
            return [self._buffer.popleft() for _ in range(self._out)]

    def _send(self) -> bool:
        try:
            answer = self._sink(self._outgoing)
        except Exception as error:  # noqa: BLE001 - whatever a sink raises, the batch is kept and the cache goes on
            with self._buffer_lock:
                self._failures += 1
                self._last_error = f"{type(error).__name__}: {error}"
            return False
        rejected = answer.get("rejected") if isinstance(answer, dict) else None
        with self._buffer_lock:
            self._sent += len(self._outgoing)
            self._rejected += len(rejected) if isinstance(rejected, list) else 0
            self._outgoing = []
            self._out = 0
        return True


def _batch_size_from_environment() -> int:
    text = os.environ.get(BATCH_SIZE_VARIABLE, "").strip() or str(DEFAULT_BATCH_SIZE)
    try:
        size = int(text)
    except ValueError:
        size = 0
    if size < 1:
        raise ValueError(f"{BATCH_SIZE_VARIABLE} has to be a whole number of at least 1, not {text}")
    return size
