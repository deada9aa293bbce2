"""The live loop: woken by hints and by the clock, it takes turns until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Final

import structlog

from auditor.errors import DependencyUnreachable
from auditor.service.turn import Turns, TurnSummary
from auditor.service.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
    from typing import Any

    from auditor.database.realtime_health import RealtimeHealth
    from auditor.database.store import Store
    from auditor.settings import Settings

_log = structlog.get_logger(__name__)

BETWEEN_HINTED_TURNS_SECONDS: Final = 0.1
MAINTENANCE_SECONDS: Final = 3600.0
FIRST_MAINTENANCE_SECONDS: Final = 30.0
SKEW_WARNING_MINUTES: Final = 2
STATUSES_KEPT: Final = 5000
LONGEST_OUTAGE_WAIT_SECONDS: Final = 30.0


class Auditor:
    """Audits the caches that this worker has leases for, until it is stopped.

    Parameters
    ----------
    store
        The database, closed when the auditor stops.
    settings
        The settings.
    hints
        Makes the source of hints; without one the clock alone wakes the auditor.
    horizon
        The minute after which windows have to wait even if they are settled, or None for no such bound; asked at each turn.
    on_turn
        Told of each turn that wrote something.
    turns
        What takes the turns; by default made from the store and the settings.
    realtime
        How Realtime is doing, where it is what hints; told in the log each hour and at each change.
    beside
        Side tasks by name, run beside the turns until the auditor stops.
    place
        What the log names the database by when the auditor starts.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        hints: Callable[[], AsyncGenerator[object]] | None = None,
        horizon: Callable[[], int | None] = lambda: None,
        on_turn: Callable[[TurnSummary], None] = lambda _: None,
        turns: Turns | None = None,
        realtime: RealtimeHealth | None = None,
        beside: Mapping[str, Callable[[], Coroutine[Any, Any, None]]] | None = None,
        place: Mapping[str, str] | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._hints = hints
        self._horizon = horizon
        self._on_turn = on_turn
        self._turns = turns or Turns(store, settings.policy)
        self._stopping = asyncio.Event()
        self._woken = asyncio.Event()
        self._leased_at = -1e9
        self._held: frozenset[str] = frozenset()
        self._maintain_at = time.monotonic() + FIRST_MAINTENANCE_SECONDS
        self._statuses: dict[str, tuple[str, bool]] = {}
        self._skewed = False
        self._realtime = realtime
        self._beside = dict(beside or {})
        self._place = dict(place or {})
        self.vitals = Vitals()

    def stop(self) -> None:
        """Finish the turn that is under way, give up the leases and end; may be called any number of times."""
        if not self._stopping.is_set():
            _log.info("stopping")
        self._stopping.set()
        self._woken.set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def wake(self) -> None:
        """Look at the database now."""
        self._woken.set()

    async def run(self) -> None:
        """Audit until stopped.

        An outage of the database is waited out, with leases that others may take over meanwhile. A side task that dies ends
        the auditor with its error: half an auditor would be believed to be a whole one.
        """
        _log.info(
            "auditor_started",
            **self._place,
            worker=self._settings.worker,
            config_hash=self._settings.policy.config_hash(),
            settle_seconds=self._settings.settle,
        )
        main = asyncio.create_task(self._loop(), name="turns")
        tasks = {main}
        if self._hints is not None:
            tasks.add(asyncio.create_task(self._listen(), name="hints"))
        tasks |= {asyncio.create_task(work(), name=name) for name, work in self._beside.items()}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if main not in done:
                self.stop()
                await main
            for task in done:
                task.result()
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait({main})
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._leave()

    async def run_once(self) -> int:
        """Audit all that is settled, give up the leases and end; the number of windows judged."""
        windows = 0
        try:
            while not self._stopping.is_set():
                summary = await self._turn()
                windows += summary.windows
                if not summary.more:
                    break
        finally:
            await self._leave()
        return windows

    async def _loop(self) -> None:
        outage = 0.0
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                summary = await self._turn()
                await self._maintain()
            except DependencyUnreachable as error:
                self.vitals.outages += 1
                outage = min(2 * outage or 0.5, LONGEST_OUTAGE_WAIT_SECONDS)
                self._leased_at = -1e9
                _log.error("database_lost", reason=str(error), again_in_seconds=outage)
                await self._pause(outage)
                continue
            if outage:
                outage = 0.0
                _log.info("database_regained")
            if not summary.more and not self._woken.is_set():
                await self._pause(self._until_due())

    async def _turn(self) -> TurnSummary:
        await self._lease()
        summary = await self._turns.take(settle_seconds=self._settings.settle, horizon_minute=self._horizon())
        self.vitals.note_turn(summary, time.time(), hinted=self._hints is not None)
        self._heartbeat()
        self._report(summary)
        if summary.windows or summary.late:
            self._on_turn(summary)
        return summary

    async def _lease(self) -> None:
        if time.monotonic() - self._leased_at < self._settings.lease_seconds / 3:
            return
        asked_at = time.monotonic()
        held = frozenset(
            await self._store.lease(
                lease_seconds=self._settings.lease_seconds, max_caches=self._settings.max_caches
            )
        )
        self._leased_at = asked_at
        for name in sorted(held - self._held):
            _log.debug("lease_gained", cache=name)
        for name in sorted(self._held - held):
            _log.info("lease_lost", cache=name)
        if len(held) != len(self._held):
            _log.info("leases", caches=len(held))
        self._held = held

    async def _maintain(self) -> None:
        if time.monotonic() < self._maintain_at or not self._held:
            return
        self._maintain_at = time.monotonic() + MAINTENANCE_SECONDS
        self._report_hints()
        settings = self._settings
        done = await self._store.maintain(
            events_days=settings.events_days,
            minutes_days=settings.minutes_days,
            hours_days=settings.hours_days,
        )
        if done:
            _log.info("maintained", **done)

    async def _pause(self, seconds: float) -> None:
        """Wait for a while, or until woken."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    def _until_due(self) -> float:
        """Seconds until the next minute is settled, by this host's clock; never more than the poll interval.

        Caches that nobody holds yet are looked for at each poll, so a host whose clock is wrong is late by that much at most.
        """
        to_settle = 60.0 - (time.time() - self._settings.settle) % 60.0 + 0.02
        return min(to_settle, self._settings.poll_seconds)

    async def _listen(self) -> None:
        assert self._hints is not None
        async with contextlib.aclosing(self._hints()) as hints:
            async for hint in hints:
                self.vitals.note_hint(anew=getattr(hint, "anew", False))
                self._woken.set()
                await asyncio.sleep(BETWEEN_HINTED_TURNS_SECONDS)

    async def _leave(self) -> None:
        with contextlib.suppress(DependencyUnreachable):
            await self._store.release()
        await self._store.close()
        _log.info("auditor_stopped")

    def _heartbeat(self) -> None:
        path = self._settings.heartbeat_file
        if path is None:
            return
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(f"{time.time():.0f}\n", encoding="ascii")
        fresh.replace(path)

    def _report(self, summary: TurnSummary) -> None:
        if summary.windows or summary.late:
            level = _log.info if summary.more else _log.debug
            level(
                "turn",
                windows=summary.windows,
                late=summary.late,
                caches=summary.caches,
                behind=summary.more,
                seconds=round(summary.seconds, 3),
            )
        for name in summary.baselines:
            _log.debug("baseline_learned", cache=name)
        for name in summary.stale:
            _log.warning("commit_refused", cache=name, reason="the lease is another's, or has run out")
        if summary.stale:
            self._leased_at = -1e9
        for row in summary.observations:
            self._report_observation(row["fingerprint"], row["status"], row)
        self._report_skew(summary.horizon_minute)

    def _report_observation(self, fingerprint: str, status: str, row: object) -> None:
        assert isinstance(row, dict)
        now = status, row["severity"] != "info"
        before = self._statuses.get(fingerprint)
        if before == now:
            return
        self._statuses[fingerprint] = now
        if len(self._statuses) > STATUSES_KEPT:
            self._statuses.pop(next(iter(self._statuses)))
        # a notice that goes on as an alarm is told again, for only now it pages
        event = "observation_resolved" if status == "resolved" else "observation_opened"
        tell = _log.info if row["severity"] == "info" or status == "resolved" else _log.warning
        tell(
            event,
            cache=row["implementation_type"],
            severity=row["severity"],
            metric=row["metric_name"],
            title=row["title"],
            fingerprint=fingerprint,
        )

    def _report_hints(self) -> None:
        vitals, realtime = self.vitals, self._realtime
        told = {} if realtime is None else dataclasses.asdict(realtime)
        _log.info("hints", announced=vitals.announced, unannounced=vitals.unannounced, **told)

    def _report_skew(self, horizon_minute: int) -> None:
        if self._horizon() is not None:
            return
        here = int((time.time() - self._settings.settle) // 60) - 1
        skewed = abs(here - horizon_minute) >= SKEW_WARNING_MINUTES
        if skewed and not self._skewed:
            _log.warning("clock_skew", minutes=here - horizon_minute, trusted="the database's clock")
        self._skewed = skewed
