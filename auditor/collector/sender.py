"""A collector with a thread of its own that sends: in time, with backoff, after a fork, and at the end."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from auditor.collector import environment
from auditor.collector.core import DEFAULT_MAX_EVENTS, Collector
from auditor.collector.importing import importing
from auditor.collector.sinks import sink_from_environment
from auditor.collector.spool import DEFAULT_MAX_BYTES, Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditor.collector.events import Event

FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 60.0
ADOPTION_INTERVAL: Final = 60.0
EXIT_SECONDS: Final = 5.0
"""The longest that the end of a process waits for the backend before the rest goes to disk."""
_NEVER: Final = 1 << 62
_log = logging.getLogger("auditor.collector")
_SENDERS: Final[weakref.WeakSet[Sender]] = weakref.WeakSet()


class Sender:
    """What `get_collector()` gives: records operations from any thread and sends them from its own.

    It starts by itself with the first operation, as the environment says. Made without any I/O.

    Parameters
    ----------
    max_events
        The most operations held in memory, and so the most that a kill -9 can lose.
    """

    def __init__(self, *, max_events: int = DEFAULT_MAX_EVENTS) -> None:
        self._max_events = max_events
        self._sink: Any = None
        self._interval = environment.DEFAULT_FLUSH_INTERVAL
        self._spool_folder: Path | None = None
        self._spool_bytes = DEFAULT_MAX_BYTES
        self._state = "new"
        self._reason: str | None = None
        self._collector = Collector(
            self._deliver, batch_size=1, max_events=max_events, when_full=self._noticed
        )
        self.record: Callable[..., None] = self._collector.record
        self._begin()
        _SENDERS.add(self)

    def _begin(self) -> None:
        self._changing = threading.Lock()
        self._begin_thread()

    def _begin_thread(self) -> None:
        self._wake = threading.Lock()
        self._wake.acquire()
        self._stopping = False
        self._until: float | None = None
        self._thread: threading.Thread | None = None
        self._last_sent_at: float | None = None

    def start(
        self,
        sink: Callable[[list[Event]], object] | None = None,
        *,
        batch_size: int | None = None,
        flush_interval: float | None = None,
        spool_dir: Path | None = None,
        spool_bytes: int = DEFAULT_MAX_BYTES,
    ) -> bool:
        """Start sending; whether it does, for it may be switched off or not configured, which is logged once.

        Nothing happens where it runs already.

        Parameters
        ----------
        sink
            Where batches go; by default what the environment configures.
        batch_size, flush_interval
            By default CACHE_METRICS_BATCH_SIZE and CACHE_METRICS_FLUSH_INTERVAL.
        spool_dir
            By default CACHE_METRICS_SPOOL_DIR, else the user's cache folder.
        spool_bytes
            The most that this process keeps on disk.
        """
        with self._changing:
            if self._state == "running" and self._thread is not None:
                return True
            try:
                with importing():
                    self._configure(sink, batch_size, flush_interval, spool_dir, spool_bytes)
            except ValueError as error:
                self._switch_off(str(error))
            if self._state == "running":
                self._start_thread()
            return self._state == "running"

    def stop(self, timeout: float = EXIT_SECONDS) -> None:
        """Send what there is for at most so many seconds, write the rest to disk, and record nothing from then on."""
        with self._changing:
            if self._state != "running":
                self._state = "stopped"
                self.record = _ignore
                return
            self._state = "stopped"
            self.record = _ignore
            self._until = time.monotonic() + timeout
            self._stopping = True
            self._awake()
            if self._thread is not None:
                self._thread.join(timeout + 0.2)
            self._collector.close()
            if self._thread is not None and not self._thread.is_alive():
                self._close_sink()
            stats = self._collector.stats()
            if stats.waiting:
                _log.warning("%d cache events could be neither sent nor written to disk.", stats.waiting)
            if stats.dropped:
                _log.warning("%d cache events were dropped for want of room.", stats.dropped)

    def flush(self) -> bool:
        """Send all that was recorded, in this thread; whether the backend took it all."""
        return self._state == "running" and self._collector.flush()

    def get_stats(self) -> dict[str, Any]:
        """Where every operation is, and how much is at risk.

        Returns
        -------
        dict
            The fields of `CollectorStats`, for which recorded + adopted = sent + waiting + spooled + dropped, and `state` (new, running,
            disabled, stopped), `reason` (why it is disabled), `pid`, `at_risk` (events that a kill -9 would lose now)
            and `most_at_risk` (the most that it ever could), `last_sent_at` (seconds since 1970).
        """
        stats = self._collector.stats()
        return {
            "state": self._state,
            "reason": self._reason,
            "pid": os.getpid(),
            **stats._asdict(),
            "at_risk": stats.waiting,
            "most_at_risk": self._max_events,
            "batch_size": self._collector.batch_size,
            "flush_interval": self._interval,
            "last_sent_at": self._last_sent_at,
        }

    def begin_in_child(self) -> None:
        """Become the child's: nothing recorded, no thread until the first operation, connections of its own."""
        self._begin()
        if self._state == "running":
            if hasattr(self._sink, "in_child"):
                self._sink = self._sink.in_child()
            self._collector.notice_next()

    def _configure(
        self,
        sink: Callable[[list[Event]], object] | None,
        batch_size: int | None,
        flush_interval: float | None,
        spool_dir: Path | None,
        spool_bytes: int,
    ) -> None:
        if self._state == "running":  # the child of a fork, as its parent was
            return
        if not environment.enabled():
            self._switch_off(f"{environment.ENABLED_VARIABLE} is false", warn=False)
            return
        self._sink = sink if sink is not None else sink_from_environment()
        if self._sink is None:
            self._switch_off("no SUPABASE_URL with its key and no AUDITOR_DATABASE_URL is set")
            return
        size = environment.batch_size() if batch_size is None else batch_size
        if size < 1:
            raise ValueError("batch_size has to be at least 1")
        self._interval = environment.flush_interval() if flush_interval is None else flush_interval
        destination = getattr(self._sink, "destination", None) or _name_of(self._sink)
        folder = environment.spool_folder(destination, spool_dir)
        if self._state != "new":
            self._collector.begin_in_child()
            self._begin_thread()
        self._collector.configure(size, None if folder is None else Spool(folder, max_bytes=spool_bytes))
        self.record = self._collector.record
        self._state, self._reason = "running", None

    def _switch_off(self, reason: str, *, warn: bool = True) -> None:
        if warn and self._reason != reason:
            _log.warning("Cache metrics are not collected: %s.", reason)
        self._state, self._reason = "disabled", reason
        self.record = _ignore
        self._collector.begin_in_child()

    def _noticed(self) -> None:
        """A batch is complete, or the first operation is there; in the thread that recorded it."""
        if self._thread is not None:
            self._awake()
        elif self._state in {"new", "running"} and self._changing.acquire(blocking=False):
            self._changing.release()
            try:
                self.start()
            except Exception as error:  # noqa: BLE001 - the caller of a cache is not to know of this
                self._state, self._reason = "disabled", f"{type(error).__name__}: {error}"

    def _awake(self) -> None:
        """Wake the thread; a bare lock is used as a flag, for it can be set in a signal handler and at any moment."""
        try:
            self._wake.release()
        except RuntimeError:
            return  # it is awake

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="cache-metrics-sender", daemon=True)
        self._thread.start()
        ending = sys.modules.get("multiprocessing.util")
        if ending is not None:  # its children end without atexit
            ending.Finalize(self, self.stop, exitpriority=100)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._send_in_turn()
            except Exception:  # noqa: BLE001 - the loop of the thread: whatever stumbles, the next turn is made
                _log.exception("The collector's sender stumbled and goes on.")
                time.sleep(FIRST_DELAY)
        self._collector.flush(self._until)

    def _send_in_turn(self) -> None:
        """Send whenever it is time or a batch is complete; while the backend is away, write to disk instead."""
        delay, retry_at, adopt_at = FIRST_DELAY, 0.0, 0.0
        while True:
            now = time.monotonic()
            if now >= adopt_at:
                self._collector.adopt()
                adopt_at = now + ADOPTION_INTERVAL
            pause = self._interval if retry_at <= now else min(self._interval, retry_at - now + 0.001)
            self._wake.acquire(timeout=pause)
            if self._stopping:
                return
            if time.monotonic() < retry_at:
                self._collector.spill()
            elif self._collector.flush():
                delay, retry_at = FIRST_DELAY, 0.0
            else:
                retry_at = time.monotonic() + delay * (0.5 + os.urandom(1)[0] / 510)
                delay = min(2 * delay, LONGEST_DELAY)

    def _deliver(self, events: list[Event]) -> object:
        answer = self._sink(events)
        self._last_sent_at = time.time()
        return answer

    def _close_sink(self) -> None:
        close = getattr(self._sink, "close", None)
        if callable(close):
            close()


def _ignore(*_: object, **__: object) -> None:
    """What recording does while it is switched off."""


def _name_of(sink: object) -> str:
    named = sink if hasattr(sink, "__qualname__") else type(sink)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', '')}"


def _begin_in_child() -> None:
    for sender in list(_SENDERS):
        sender.begin_in_child()


def _stop_all() -> None:
    for sender in list(_SENDERS):
        sender.stop()


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
