"""One session over Supabase Realtime: one client with its channels, from its connection to its first trouble.

The client dies silently, so that a session is proved alive by a canary of its own, broadcast to itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from realtime import AsyncRealtimeClient, RealtimePostgresChangesListenEvent, RealtimeSubscribeStates

from auditor.database.hint import Hint, hint_of, hint_of_change
from auditor.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime import AsyncRealtimeChannel
    from realtime.types import RealtimeChannelOptions

    from auditor.database.realtime_health import RealtimeHealth, RealtimeOptions

_log = structlog.get_logger(__name__)

CANARY_EVENT: Final = "auditor-canary"
SCHEMA: Final = "monitoring"
TABLE: Final = "cache_metrics_1min"
LOOK_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 5.0


@dataclass(slots=True)
class Session:
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
    began: float = field(default_factory=time.monotonic)
    changes: AsyncRealtimeChannel | None = None
    changes_ready: asyncio.Event = field(default_factory=asyncio.Event)
    changes_trouble: str = ""

    @property
    def silence(self) -> float:
        """Seconds since the server was heard last: its canary, or else the start."""
        return time.monotonic() - max(self.canary_at, self.began)

    async def run(self, begun: Callable[[str], None]) -> str:
        """Subscribe, report `begun`, and stay until there is trouble; the trouble in words."""
        options = self.options
        self.client = AsyncRealtimeClient(
            self.url, self.key, auto_reconnect=False, max_retries=1, timeout=int(max(1, options.join_seconds))
        )
        async with asyncio.timeout(options.join_seconds):
            await self.client.connect()
        channel = self.client.channel(options.channel, self._config(broadcast=True))
        channel.on_broadcast(options.event, self._on_broadcast)
        channel.on_broadcast(CANARY_EVENT, self._on_canary)
        await self._subscribe(channel, self._end, "the broadcasts")
        if self.ended.is_set():
            return self.trouble
        changing = asyncio.create_task(self._keep_changes(), name="realtime changes")
        try:
            await self._prove(channel, begun)
        finally:
            changing.cancel()
            await asyncio.gather(changing, return_exceptions=True)
        return self.trouble

    def _config(self, *, broadcast: bool) -> RealtimeChannelOptions:
        return {
            "config": {
                "broadcast": {"ack": broadcast, "self": broadcast},
                "presence": {"key": "", "enabled": False},
                "private": self.options.private,
            }
        }

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
        connection, running = client._ws_connection, (client._listen_task, client._heartbeat_task)  # noqa: SLF001 - as above
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.close()
        for left in running:  # a close that a frozen server never answers leaves them running
            if left is not None:
                left.cancel()
        if connection is not None:
            connection.transport.abort()

    async def _subscribe(
        self, channel: AsyncRealtimeChannel, failed: Callable[[str], None], what: str
    ) -> None:
        def on_state(state: RealtimeSubscribeStates, error: Exception | None) -> None:
            if state != RealtimeSubscribeStates.SUBSCRIBED:
                channel.rejoin_timer.reset()  # the client would join again by itself, and tell nobody how that went
                reason = f" ({_reason(error)})" if error is not None else ""
                failed(f"{what}: {state.value}{reason}")

        try:
            async with asyncio.timeout(self.options.join_seconds + 1):
                await channel.subscribe(on_state)
        except TimeoutError:
            failed(f"{what}: no answer to the join")

    async def _keep_changes(self) -> None:
        """Subscribe to the table's changes until they are live, which they are at the server's own word, seconds after the join.

        Each try has a channel of its own name: what the server still says of the one before is not about this one.
        """
        if not self.options.changes:
            return
        for tries in itertools.count(1):
            try:
                await self._subscribe_to_changes(tries)
            except Exception as error:  # noqa: BLE001 - whatever a dying socket raises, the session's own watch ends it
                self.changes_trouble = f"{type(error).__name__}: {error}"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.options.changes_patience_seconds):
                    await self.changes_ready.wait()
                    return
            if tries == 1:
                _log.warning(
                    "realtime_changes_absent",
                    reason=redact(self.changes_trouble or "the server does not say that they are live"),
                    tried_again_each_seconds=self.options.changes_patience_seconds,
                )

    async def _subscribe_to_changes(self, tries: int) -> None:
        assert self.client is not None
        before = self.changes
        self.changes = changes = self.client.channel(
            f"{self.options.channel}:{TABLE}:{tries}", self._config(broadcast=False)
        )
        if before is not None:
            await before.unsubscribe()
        changes.on_postgres_changes(
            RealtimePostgresChangesListenEvent.All, self._on_change, table=TABLE, schema=SCHEMA
        )
        changes.on_system(self._on_system)

        def lost(trouble: str) -> None:
            if changes is self.changes:
                self._lose_changes(trouble)

        await self._subscribe(changes, lost, "the table's changes")

    async def _prove(self, channel: AsyncRealtimeChannel, begun: Callable[[str], None]) -> None:
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
                begun("realtime_live")
            if self.changes_ready.is_set() and self.health.live and not self.health.changes_live:
                self.health.changes_live = True  # what was written since the join was announced to nobody
                begun("realtime_changes_live")
            self._judge(now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_SECONDS, options.canary_seconds / 4)):
                    await self.ended.wait()

    def _judge(self, now: float) -> None:
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
        self.changes_trouble = trouble
        if self.changes_ready.is_set():
            self._end(trouble)

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
                self.changes_ready.set()


def _reason(error: Exception) -> str:
    """The server's own words, where the client's error holds them as JSON."""
    with contextlib.suppress(ValueError):
        told = json.loads(str(error))
        if isinstance(told, dict):
            return str(told.get("reason") or told.get("message") or error)
    return str(error) or type(error).__name__
