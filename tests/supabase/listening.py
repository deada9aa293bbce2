"""A listener to Realtime's hints for the tests, with the waits of a service in a hurry."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from auditor.database.realtime import RealtimeHints
from auditor.database.realtime_health import RealtimeOptions
from tests.supabase.events import ingest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from auditor.database.hint import Hint
    from tests.supabase.standing import Supabase

QUICK = RealtimeOptions(
    canary_seconds=0.3, join_seconds=1.0, longest_wait_seconds=0.5, changes_patience_seconds=1.5
)

CALM = dataclasses.replace(QUICK, canary_seconds=1.0, join_seconds=5.0)
"""For tests in which no session may end: a machine that is busy for a second or two is no fault."""


@dataclass
class Listener:
    """A listener that writes down its hints."""

    source: RealtimeHints
    heard: list[Hint] = field(default_factory=list)

    async def until(self, holds: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)

    async def until_live(self) -> None:
        """Wait until the canary has come back."""
        await self.until(lambda: self.source.health.live)

    async def hears_of(self, project: Supabase) -> None:
        """An event that is ingested now comes through as a hint, tried again until it does."""
        async with asyncio.timeout(30):
            while True:
                before = self.source.health.hints
                await asyncio.to_thread(ingest, project.dsn)
                for _ in range(30):
                    if self.source.health.hints > before:
                        return
                    await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def listening(
    project: Supabase, options: RealtimeOptions = QUICK, key: str | None = None, **given: Any
) -> AsyncIterator[Listener]:
    source = RealtimeHints(project.url, SecretStr(key or project.service_key), options, **given)
    listener = Listener(source)

    async def listen() -> None:
        async with contextlib.aclosing(source.hints()) as hints:
            async for hint in hints:
                listener.heard.append(hint)

    task = asyncio.create_task(listen())
    try:
        yield listener
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not source.health.live
