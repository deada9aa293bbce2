"""The demo: days of traffic, then the last hour fast with a fault in it, then real time; audited by the real service."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from auditor.database.listen import hints
from auditor.database.postgres import PostgresStore
from auditor.database.resolve import resolve_database
from auditor.demo.faults import HOUR, plan_fault
from auditor.demo.feed import Feed
from auditor.demo.outcome import Outcome, outcome_of
from auditor.demo.stage import Phase, Stage
from auditor.demo.watch import Watch, holds_windows
from auditor.demo.world import CACHE
from auditor.errors import AuditorError, BadInput
from auditor.service.auditor import Auditor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from auditor.demo.stage import Audience
    from auditor.service.turn import TurnSummary
    from auditor.settings import Settings

LONGEST_AUDIT_SECONDS: Final = 60.0
LEDGER_SHOWN_MINUTES: Final = 240


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What is to be shown.

    Parameters
    ----------
    fault, seed
        The kind of fault, and what everything follows from.
    days
        Days lived before the last hour.
    pace
        Simulated minutes a second in the last hour; None for as fast as it goes.
    real_time
        Whether to go on in real time after the last hour.
    seconds
        The end, in seconds from the start, but never before the last hour is audited; None for no end of its own.
    keep
        Folder in which the database stays; None for a temporary one.
    """

    fault: str
    seed: int = 1
    days: float = 3.0
    pace: float | None = 4.0
    real_time: bool = False
    seconds: float | None = None
    keep: Path | None = None


async def run_demo(plan: DemoPlan, settings: Settings, audience: Audience) -> Outcome:
    """Show the demo; ends by itself, or with what it has when SIGINT or SIGTERM comes. Everything is taken down then.

    Raises
    ------
    BadInput
        If there is no such fault, or the folder to keep already holds windows.
    DependencyUnreachable
        If the embedded server cannot be started, or goes away.
    """
    demo = _Demo(plan, settings, audience)
    outcome = await demo.run()
    audience.ended(demo.stage, outcome)
    return outcome


class _Demo:
    """One showing."""

    def __init__(self, plan: DemoPlan, settings: Settings, audience: Audience) -> None:
        self._started = time.monotonic()
        self._plan = plan
        self._settings = settings
        self._audience = audience
        self._stopping = asyncio.Event()
        self.stage = Stage(CACHE)
        plan_fault(plan.fault, seed=plan.seed, hour_start=0)

    async def run(self) -> Outcome:
        with _folder(self._plan.keep) as folder, _stopped_by_signals(self._stop):
            settings = self._settings.model_copy(
                update={
                    "database_url": None,
                    "embedded_dir": folder,
                    "settle_seconds": 0.0,
                    "worker": "demo",
                }
            )
            self._changed()
            async with resolve_database(settings, durable=self._plan.keep is not None) as dsn:
                if await asyncio.to_thread(holds_windows, dsn):
                    raise BadInput(
                        f"The folder {folder} already holds windows: name an empty one with --keep."
                    )
                return await self._show(dsn, settings)

    async def _show(self, dsn: str, settings: Settings) -> Outcome:
        stage = self.stage
        stage.hour_start = int(time.time() // 60) - HOUR
        stage.first_minute = stage.lived_to = stage.hour_start - round(self._plan.days * 1440)
        stage.planned = plan_fault(self._plan.fault, seed=self._plan.seed, hour_start=stage.hour_start)
        with (
            Feed(dsn, first_minute=stage.first_minute, seed=self._plan.seed, origin=stage.hour_start) as feed,
            Watch(dsn, CACHE) as watch,
        ):
            feed.fault = stage.planned
            self._feed = feed
            await self._backfill(feed)
            if not self._stopping.is_set():
                async with _service(dsn, settings) as service:
                    await self._watched(service, feed, watch)
            self._enter(Phase.ENDING)
            await asyncio.to_thread(self._look, watch)
        return outcome_of(
            stage.planned, stage.observations, windows_audited=stage.audited, lived_to=stage.lived_to
        )

    async def _backfill(self, feed: Feed) -> None:
        self._enter(Phase.BACKFILL)
        await asyncio.to_thread(feed.backfill, self.stage.hour_start, self._lived)
        self._lived(feed.world.next_minute - 1)

    async def _watched(self, service: _Service, feed: Feed, watch: Watch) -> None:
        stage = self.stage
        self._enter(Phase.LEARNING)
        await self._audit(service, watch)
        self._enter(Phase.FAST_HOUR)
        due = time.monotonic()
        while feed.world.next_minute < stage.hour_start + HOUR and not self._stopping.is_set():
            await self._minute(service, feed, watch)
            due = max(due + 1.0 / self._plan.pace, time.monotonic() - 1.0) if self._plan.pace else 0.0
            await self._rest(due - time.monotonic())
        if not self._plan.real_time or self._over():
            return
        self._enter(Phase.REAL_TIME)
        while not self._over():
            wait = 60.0 * (feed.world.next_minute + 1) - time.time()
            if wait > 0.0:
                await self._rest(min(wait, self._left()))
            else:
                await self._minute(service, feed, watch)

    async def _minute(self, service: _Service, feed: Feed, watch: Watch) -> None:
        self._lived(await asyncio.to_thread(feed.live_minute))
        await self._audit(service, watch)

    async def _audit(self, service: _Service, watch: Watch) -> None:
        await service.audit(self.stage.lived_to - 1)
        await asyncio.to_thread(self._look, watch)
        self._changed()

    def _look(self, watch: Watch) -> None:
        stage = self.stage
        stage.audited, stage.unaudited = watch.coverage()
        stage.ledger = watch.ledger_after(stage.lived_to - 1 - LEDGER_SHOWN_MINUTES)
        stage.observations = watch.observations()

    def _lived(self, minute: int) -> None:
        self.stage.lived_to = minute + 1
        self.stage.events = self._feed.collector.stats().sent
        self._changed()

    def _enter(self, phase: Phase) -> None:
        self.stage.phase = phase
        self._changed()

    def _changed(self) -> None:
        self._audience.changed(self.stage)

    def _stop(self) -> None:
        self._stopping.set()
        if hasattr(self, "_feed"):
            self._feed.stop()

    def _left(self) -> float:
        """Seconds until the end that the plan sets."""
        if self._plan.seconds is None:
            return float("inf")
        return self._plan.seconds - (time.monotonic() - self._started)

    def _over(self) -> bool:
        return self._stopping.is_set() or self._left() <= 0.0

    async def _rest(self, seconds: float) -> None:
        """Wait, but no longer than until the demo is stopped."""
        if seconds > 0.0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)


class _Service:
    """The service, which audits no further than it is allowed to."""

    def __init__(self, dsn: str, settings: Settings) -> None:
        self._horizon = -1
        self._audited = -1
        self._turned = asyncio.Event()
        self.auditor = Auditor(
            PostgresStore(dsn, worker=settings.worker),
            settings,
            hints=functools.partial(hints, dsn),
            horizon=lambda: self._horizon,
            on_turn=self._on_turn,
        )
        self.task: asyncio.Task[None] | None = None

    async def audit(self, minute: int) -> None:
        """Let the service audit up to a minute, and wait until it has.

        Raises
        ------
        AuditorError
            If it does not within a minute.
        """
        assert self.task is not None, "the service has been started"
        self._horizon = minute
        until = time.monotonic() + LONGEST_AUDIT_SECONDS
        while self._audited < minute:
            self._turned.clear()
            self.auditor.wake()
            turned = asyncio.ensure_future(self._turned.wait())
            await asyncio.wait({turned, self.task}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            turned.cancel()
            if self.task.done():
                self.task.result()
                raise AuditorError("The service stopped by itself.")
            if time.monotonic() > until:
                raise AuditorError(f"The service did not audit minute {minute} within a minute.")

    def _on_turn(self, summary: TurnSummary) -> None:
        if not summary.more:
            self._audited = summary.horizon_minute
        self._turned.set()


@contextlib.asynccontextmanager
async def _service(dsn: str, settings: Settings) -> AsyncIterator[_Service]:
    service = _Service(dsn, settings)
    service.task = asyncio.create_task(service.auditor.run(), name="auditor")
    try:
        yield service
    finally:
        service.auditor.stop()
        await asyncio.wait({service.task})
    service.task.result()


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="cache-auditor-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextlib.contextmanager
def _stopped_by_signals(stop: object) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop)  # type: ignore[arg-type]  # a plain function
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
