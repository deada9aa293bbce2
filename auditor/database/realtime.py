"""Hints over Supabase Realtime, supervised: its client dies silently, so a session is proved alive by its own canary.

One session is one client with its channels. It ends at the first sign of trouble and is built anew, client and all, after a
jittered wait; each new one begins with a hint that is `anew`, for whatever was written meanwhile was announced to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from realtime import AsyncRealtimeClient, RealtimePostgresChangesListenEvent, RealtimeSubscribeStates

from auditor.database.hint import Hint, hint_of, hint_of_change
from auditor.redaction import redact

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from pydantic import SecretStr
    from realtime import AsyncRealtimeChannel

_log = structlog.get_logger(__name__)

CANARY_EVENT: Final = "auditor-canary"
SCHEMA: Final = "monitoring"
TABLE: Final = "cache_metrics_1min"
LOOK_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 5.0
FIRST_WAIT_SECONDS: Final = 1.0
MINUTES_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class RealtimeOptions:
    """What to subscribe to and how to prove that it lives.

    Parameters
    ----------
    channel, event, private
        The aggregator's broadcasts.
    changes
        Whether to subscribe to the changes of `monitoring.cache_metrics_1min` too.
    canary_seconds
        Time between two broadcasts of its own; a session that has not heard one for three times that is given up.
    join_seconds
        The longest that a subscription may take to come alive.
    longest_wait_seconds
        The longest wait before a new session; the number of tries has no bound.
    changes_patience_seconds
        How long a session whose broadcasts live goes on without the table's changes before a new one tries them again.
    """

    channel: str = "cache-metrics"
    event: str = "cache-update"
    private: bool = False
    changes: bool = True
    canary_seconds: float = 15.0
    join_seconds: float = 15.0
    longest_wait_seconds: float = 30.0
    changes_patience_seconds: float = 50.0


@dataclass(slots=True)
class RealtimeHealth:
    """How Realtime is doing; times are seconds since 1970, None before the first.

    Parameters
    ----------
    live
        Whether a session is joined and its canary heard.
    changes_live
        Whether the changes of the table are subscribed to; False for ever where they are not asked for.
    last_hint_at, last_canary_at
        When a hint and when an own broadcast came in last.
    hints, rebuilds
        How many hints came in, and how many sessions were given up.
    last_trouble
        Why the last of them was, in words.
    """

    live: bool = False
    changes_live: bool = False
    last_hint_at: float | None = None
    last_canary_at: float | None = None
    hints: int = 0
    rebuilds: int = 0
    last_trouble: str | None = None


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
        self.health = RealtimeHealth()
        self._url = f"{url.rstrip('/')}/realtime/v1"
        self._key = key
        self._sleep = sleep
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
            session = _Session(
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
            jittered = min(wait, self.options.longest_wait_seconds) * random.uniform(0.5, 1.0)
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

    def _begun(self) -> None:
        _log.info("realtime_live", channel=self.options.channel, rebuilds=self.health.rebuilds)
        self._anew = True
        self._woken.set()

    def _heard(self, hint: Hint) -> None:
        self.health.hints += 1
        self.health.last_hint_at = time.time()
        if len(self._minutes) < MINUTES_KEPT:
            self._minutes.update(hint.minutes)
        self._caches = max(self._caches, hint.caches)
        self._woken.set()


@dataclass(slots=True)
class _Session:
    """One client with its channels, from its connection to its first trouble."""

    url: str
    key: str
    options: RealtimeOptions
    health: RealtimeHealth
    heard: Callable[[Hint], None]
    client: AsyncRealtimeClient | None = None
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: str = ""
    canary_at: float = 0.0
    changes_ready: bool = False
    changes_trouble: str = ""

    async def run(self, begun: Callable[[], None]) -> str:
        """Subscribe, report `begun`, and stay until there is trouble; the trouble in words."""
        options = self.options
        self.client = AsyncRealtimeClient(
            self.url, self.key, auto_reconnect=False, max_retries=1, timeout=int(max(1, options.join_seconds))
        )
        async with asyncio.timeout(options.join_seconds):
            await self.client.connect()
        channel = self.client.channel(
            options.channel,
            {
                "config": {
                    "broadcast": {"ack": True, "self": True},
                    "presence": {"key": "", "enabled": False},
                    "private": options.private,
                }
            },
        )
        channel.on_broadcast(options.event, self._on_broadcast)
        channel.on_broadcast(CANARY_EVENT, self._on_canary)
        await self._subscribe(channel, self._end, "the broadcasts")
        if options.changes and not self.ended.is_set():
            await self._subscribe_to_changes()
        if self.ended.is_set():
            return self.trouble
        await self._prove(channel, begun)
        return self.trouble

    async def close(self) -> None:
        """Close the client and everything it left running; never raises, never waits for long."""
        client, self.client = self.client, None
        if client is None:
            return
        for channel in client.get_channels():
            channel.rejoin_timer.reset()
            channel.join_push.destroy()
            for push in list(channel.messages_waiting_for_ack.values()):
                push.destroy()
            for task in list(channel._background_tasks):  # noqa: SLF001 - the client has no other way to end them
                task.cancel()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.close()

    async def _subscribe(
        self, channel: AsyncRealtimeChannel, failed: Callable[[str], None], what: str
    ) -> None:
        def on_state(state: RealtimeSubscribeStates, error: Exception | None) -> None:
            if state != RealtimeSubscribeStates.SUBSCRIBED:
                reason = f" ({error})" if error is not None else ""
                failed(f"{what}: {state.value}{reason}")

        try:
            async with asyncio.timeout(self.options.join_seconds + 1):
                await channel.subscribe(on_state)
        except TimeoutError:
            failed(f"{what}: no answer to the join")

    async def _subscribe_to_changes(self) -> None:
        """Subscribe to the table's changes; they are live only at the server's own word, seconds after the join."""
        assert self.client is not None
        changes = self.client.channel(f"{self.options.channel}:{TABLE}")
        changes.on_postgres_changes(
            RealtimePostgresChangesListenEvent.All, self._on_change, table=TABLE, schema=SCHEMA
        )
        changes.on_system(self._on_system)
        await self._subscribe(changes, self._lose_changes, "the table's changes")

    async def _prove(self, channel: AsyncRealtimeChannel, begun: Callable[[], None]) -> None:
        """Broadcast canaries and watch for them and for everything else that ends a session."""
        options = self.options
        started = self.canary_at = next_canary = time.monotonic()
        while not self.ended.is_set():
            now = time.monotonic()
            if now >= next_canary:
                next_canary = now + options.canary_seconds
                await self._sing(channel)
            if self.canary_at > started and not self.health.live and not self.ended.is_set():
                self.health.live = True
                begun()
            if self.changes_ready and self.health.live and not self.health.changes_live:
                self.health.changes_live = True  # what was written since the join was announced to nobody
                begun()
            self._judge(now, started)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_SECONDS, options.canary_seconds / 4)):
                    await self.ended.wait()

    def _judge(self, now: float, started: float) -> None:
        assert self.client is not None
        listening = self.client._listen_task  # noqa: SLF001 - the only way to see a listener that died
        if listening is None or listening.done():
            died = None if listening is None or listening.cancelled() else listening.exception()
            self._end(
                "the listener ended"
                if died is None
                else f"the listener died of {type(died).__name__}: {died}"
            )
        elif now - self.canary_at > 3 * self.options.canary_seconds:
            self._end(f"no canary came back for {now - self.canary_at:.0f} s")
        elif self.options.changes and not self.changes_ready and now - started > self._changes_patience():
            self._end(self.changes_trouble or "the table's changes did not come alive")

    def _changes_patience(self) -> float:
        return max(self.options.changes_patience_seconds, self.options.join_seconds)

    async def _sing(self, channel: AsyncRealtimeChannel) -> None:
        try:
            async with asyncio.timeout(max(1.0, self.options.canary_seconds)):
                await channel.send_broadcast(CANARY_EVENT, {"session": self.name})
        except Exception as error:  # noqa: BLE001 - whatever a dead socket raises ends the session
            self._end(f"the canary could not be sent ({type(error).__name__})")

    def _end(self, trouble: str) -> None:
        if not self.ended.is_set():
            self.trouble = trouble
            self.ended.set()

    def _lose_changes(self, trouble: str) -> None:
        """Without the table's changes the broadcasts still serve; but changes that were live and died end the session."""
        if self.changes_ready:
            self._end(trouble)
        elif not self.changes_trouble:
            self.changes_trouble = trouble
            _log.warning(
                "realtime_changes_absent", reason=redact(trouble), tried_again="with the next session"
            )

    # The callbacks run in the client's listener, which dies of whatever they raise: they only note.

    def _on_broadcast(self, payload: Any) -> None:
        with contextlib.suppress(Exception):
            if payload.get("event") == self.options.event:
                self.heard(hint_of(payload.get("payload")))

    def _on_canary(self, payload: Any) -> None:
        with contextlib.suppress(Exception):
            if payload.get("event") == CANARY_EVENT and payload["payload"].get("session") == self.name:
                self.canary_at = time.monotonic()
                self.health.last_canary_at = time.time()

    def _on_change(self, payload: Any) -> None:
        with contextlib.suppress(Exception):
            self.heard(hint_of_change(payload))

    def _on_system(self, payload: Any) -> None:
        with contextlib.suppress(Exception):
            if payload.extension == "postgres_changes" and payload.status == "ok":
                self.changes_ready = True
