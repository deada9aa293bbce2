"""Hints over Supabase Realtime, supervised: its client dies silently, so that it is never trusted for longer than a canary.

One session is one client with its channels (`realtime_session`). It ends at the first sign of trouble and is built anew, client and all, after a
jittered wait; each new one begins with a hint that is `anew`, for whatever was written meanwhile was announced to nobody.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final

import structlog

from auditor.database.hint import Hint
from auditor.database.realtime_health import RealtimeHealth, RealtimeOptions
from auditor.database.realtime_session import Session
from auditor.redaction import redact

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from pydantic import SecretStr

_log = structlog.get_logger(__name__)

FIRST_WAIT_SECONDS: Final = 1.0
MINUTES_KEPT: Final = 500


class RealtimeHints:
    """Hints of one project for as long as they are iterated.

    Parameters
    ----------
    url, key
        The project's address and key.
    options
        The channels and the timing.
    sleep
        Waits for a number of seconds between two sessions.
    """

    def __init__(
        self,
        url: str,
        key: SecretStr,
        options: RealtimeOptions | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.options = options or RealtimeOptions()
        self.health = RealtimeHealth(changes_asked=self.options.changes)
        self._url = f"{url.rstrip('/')}/realtime/v1"
        self._key = key
        self._sleep = sleep
        self._session: Session | None = None
        self._woken = asyncio.Event()
        self._minutes: set[int] = set()
        self._caches = 0
        self._anew = False

    async def hints(self) -> AsyncGenerator[Hint]:
        """Hints for as long as the caller iterates; close the generator to stop (`contextlib.aclosing`).

        Hints that come faster than they are taken are put together, so that nothing grows.
        """
        supervising = asyncio.create_task(self._supervise(), name="realtime")
        try:
            while True:
                woken = asyncio.create_task(self._woken.wait())
                try:
                    await asyncio.wait({woken, supervising}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    woken.cancel()
                if supervising.done():
                    supervising.result()
                self._woken.clear()
                hint = Hint(tuple(sorted(self._minutes)), self._caches, self._anew)
                self._minutes, self._caches, self._anew = set(), 0, False
                yield hint
        finally:
            supervising.cancel()
            await asyncio.gather(supervising, return_exceptions=True)
            self.health.live = self.health.changes_live = False

    async def _supervise(self) -> None:
        """One session after the other, for ever."""
        wait = FIRST_WAIT_SECONDS
        while True:
            session = self._session = Session(
                self._url, self._key.get_secret_value(), self.options, self.health, self._heard
            )
            began = time.monotonic()
            try:
                trouble = await session.run(self._begun)
            except Exception as error:  # noqa: BLE001 - whatever the client raises, hints must come back
                trouble = f"{type(error).__name__}: {error}"
            finally:
                self.health.live = self.health.changes_live = False
                await session.close()
            # a session that lived for long starts from the first wait; one that joins and falls at once does not
            lived = time.monotonic() - began
            if lived > 4 * self.options.canary_seconds:
                wait = FIRST_WAIT_SECONDS
            pause = wait_after(wait, session.silence, self.options.longest_wait_seconds)
            jittered = pause * random.uniform(0.5, 1.0)
            self.health.rebuilds += 1
            self.health.last_trouble = redact(trouble)
            _log.warning(
                "realtime_lost",
                reason=self.health.last_trouble,
                lived_seconds=round(lived, 1),
                again_in_seconds=round(jittered, 2),
                rebuilds=self.health.rebuilds,
            )
            await self._sleep(jittered)
            wait = min(2 * wait, self.options.longest_wait_seconds)

    def _begun(self, event: str) -> None:
        _log.info(event, channel=self.options.channel, rebuilds=self.health.rebuilds)
        self._anew = True
        self._woken.set()

    def _heard(self, hint: Hint) -> None:
        self.health.hints += 1
        self.health.last_hint_at = time.time()
        if len(self._minutes) < MINUTES_KEPT:
            self._minutes.update(hint.minutes)
        self._caches = max(self._caches, hint.caches)
        self._woken.set()


def wait_after(wait: float, silence: float, longest: float) -> float:
    """Seconds to wait before the next session: `wait`, at most `longest`, less the silence that has been waited through already.

    A server that was unheard for `silence` was not pressed either, and hints have to flow again soon after it is back; a short wait remains
    in any case.
    """
    return max(min(wait, longest) - silence, min(wait, longest, FIRST_WAIT_SECONDS))
