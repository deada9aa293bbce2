"""From the world to the database: the same path as any cache's, its events in batches through the collector."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from auditor.collector import Collector
from auditor.database import failures
from auditor.database.connect import connect
from auditor.demo.cache import SimulatedClock
from auditor.demo.world import World
from auditor.errors import AuditorError, DependencyUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.demo.faults import PlannedFault

BATCH: Final = 4000
MOST_WAITING: Final = 6 * BATCH
_CORRUPT: Final = """
    update monitoring.cache_metrics_1min set hits = total_operations, misses = misses + 7
    where implementation_type = %s and minute_window = monitoring.minute_at(%s)
"""


class PostgresSink:
    """Ingests batches of events over one connection; each call is one transaction."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._connection = connect(dsn)

    def __call__(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Store a batch; what `ingest_cache_metrics` answers.

        Raises
        ------
        DependencyUnreachable
            If the database is gone.
        """
        with failures.explained(self.dsn):
            row = self._connection.execute(
                "select monitoring.ingest_cache_metrics(%s::jsonb)", (json.dumps(events),)
            ).fetchone()
        assert row is not None, "a function call gives one row"
        answer: dict[str, Any] = row[0]
        return answer

    def corrupt(self, cache: str, minute: int) -> None:
        """Overwrite a stored window with more hits and misses than operations, as a broken exporter would."""
        with failures.explained(self.dsn):
            self._connection.execute(_CORRUPT, (cache, minute))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Feed:
    """A world whose cache reports into a database; a context manager that closes its connection.

    Parameters
    ----------
    dsn
        The database.
    first_minute
        Minutes since 1970 at which the world begins.
    seed, origin
        What everything follows from, and the origin of the load.
    """

    def __init__(self, dsn: str, *, first_minute: int, seed: int, origin: int | None = None) -> None:
        self._sink = PostgresSink(dsn)
        self._due = threading.Event()
        self._stop = threading.Event()
        clock = SimulatedClock(60.0 * first_minute)
        self.collector = Collector(
            self._sink, batch_size=BATCH, max_events=10 * MOST_WAITING, clock=clock, when_full=self._due.set
        )
        self.world = World(clock, self.collector, first_minute=first_minute, seed=seed, origin=origin)
        self.fault: PlannedFault | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._sink.close()

    def stop(self) -> None:
        """Let a backfill that is under way end early."""
        self._stop.set()

    def backfill(self, until_minute: int, progress: Callable[[int], None] = lambda _: None) -> bool:
        """Live up to a minute, one thread living and one sending; whether it got there before it was stopped.

        Raises
        ------
        DependencyUnreachable
            If the database is gone.
        """
        while self.world.next_minute < until_minute and not self._stop.is_set():
            self._live_while_sending(until_minute, progress)
            self._deliver()
        return self.world.next_minute >= until_minute

    def live_minute(self) -> int:
        """Live the next minute and store it in one transaction; which one it was.

        Raises
        ------
        DependencyUnreachable
            If the database is gone.
        """
        if self.fault is not None:
            self.fault.before(self.world)
        minute = self.world.live_minute()
        self._deliver()
        if self.fault is not None and self.fault.corrupts(minute):
            self._sink.corrupt(self.world.cache.name, minute)
        return minute

    def _live_while_sending(self, until_minute: int, progress: Callable[[int], None]) -> None:
        """Live on, as long as another thread gets the events stored."""
        lived = threading.Event()
        sender = threading.Thread(target=self._send_until, args=(lived,), name="demo-sender")
        sender.start()
        try:
            while self.world.next_minute < until_minute and not self._stop.is_set() and sender.is_alive():
                progress(self.world.live_minute())
                self._wait_for_room(sender)
        finally:
            lived.set()
            self._due.set()
            sender.join()

    def _send_until(self, lived: threading.Event) -> None:
        while not lived.is_set():
            self._due.wait()
            self._due.clear()
            if not self.collector.flush():
                return

    def _wait_for_room(self, sender: threading.Thread) -> None:
        while (
            self.collector.stats().waiting > MOST_WAITING and sender.is_alive() and not self._stop.wait(0.005)
        ):
            pass

    def _deliver(self) -> None:
        delivered = self.collector.flush()
        stats = self.collector.stats()
        if not delivered:
            raise DependencyUnreachable(f"The demo's events could not be stored: {stats.last_error}.")
        if stats.rejected or stats.dropped:
            raise AuditorError(
                f"The database refused {stats.rejected} of the demo's events and {stats.dropped} were dropped."
            )
