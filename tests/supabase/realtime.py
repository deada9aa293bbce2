"""Realtime's wire (vsn 1.0.0 and 2.0.0) over a real database, with faults that can be scripted while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import psycopg
from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect, WebSocketState

from tests.supabase.connecting import connected
from tests.supabase.frames import VERSIONS, decoded, encoded
from tests.supabase.keys import Keys, Refused

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket

_LARGEST: Final = 1_048_576


@dataclass
class RealtimeFaults:
    """What goes wrong for as long as it is set."""

    refuse: bool = False
    """New sockets are refused."""
    heartbeats_unanswered: bool = False
    silent: bool = False
    """Nothing is answered or delivered, while the socket stays open and its pings are answered."""
    join_delay: float = 0.0
    join_error: str | None = None
    """The reason with which joins are refused, such as "ChannelRateLimitReached: Too many channels"."""
    private_only: bool = False
    """Joins of channels that are not private are refused."""
    changes_delay: float = 0.0
    """Seconds from a join to the moment at which its postgres_changes are live."""
    changes_error: str | None = None
    idle_seconds: float | None = None
    """Sockets from which nothing came for so long are closed, as the real server does after 60."""
    twice: bool = False
    """Every frame is delivered twice."""


@dataclass(eq=False)
class _Joined:
    config: dict[str, Any]
    join_ref: str | None
    changes: list[dict[str, Any]] = field(default_factory=list)
    live: bool = False


@dataclass(eq=False)
class _Socket:
    websocket: WebSocket
    role: str
    version: str
    joined: dict[str, _Joined] = field(default_factory=dict)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Realtime:
    """The Realtime server of one project."""

    def __init__(self, dsn: str, keys: Keys) -> None:
        self.dsn = dsn
        self.keys = keys
        self.faults = RealtimeFaults()
        self.sockets: set[_Socket] = set()
        self.opened = 0
        self.refused = 0
        self.joins = 0
        self._ids = itertools.count(1)

    async def serve(self, websocket: WebSocket) -> None:
        """One client's socket from its handshake to its end."""
        try:
            role = self.keys.role_of(websocket.query_params.get("apikey"), None, time.time())
        except Refused:
            role = ""
        if self.faults.refuse or not role:
            self.refused += 1
            await websocket.send_denial_response(Response(status_code=503 if role else 401))
            return
        await websocket.accept()
        self.opened += 1
        socket = _Socket(websocket, role, websocket.query_params.get("vsn", VERSIONS[0]))
        self.sockets.add(socket)
        try:
            while True:
                message = await asyncio.wait_for(websocket.receive(), self.faults.idle_seconds)
                if message["type"] == "websocket.disconnect":
                    break
                frame = decoded(socket.version, message.get("text") or message["bytes"])
                if not self.faults.silent:
                    await self._hear(socket, frame)
        except TimeoutError:
            await websocket.close(1000)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self.sockets.discard(socket)
            for task in socket.tasks:
                task.cancel()

    async def _hear(self, socket: _Socket, frame: dict[str, Any]) -> None:
        topic, event, ref = frame["topic"], frame["event"], frame.get("ref")
        if event == "heartbeat":
            if not self.faults.heartbeats_unanswered:
                await self._reply(socket, topic, ref, {"status": "ok", "response": {}})
        elif event == "phx_join":
            self._later(socket, self._join(socket, frame))
        elif event == "phx_leave":
            socket.joined.pop(topic, None)
            await self._reply(socket, topic, ref, {"status": "ok", "response": {}})
            await self._send(socket, {"topic": topic, "event": "phx_close", "payload": {}, "ref": ref})
        elif event == "broadcast" and topic in socket.joined:
            joined = socket.joined[topic]
            settings = joined.config.get("broadcast") or {}
            spared = None if settings.get("self") else socket
            await self.broadcast(topic.removeprefix("realtime:"), frame["payload"], spared=spared)
            if settings.get("ack"):
                await self._reply(socket, topic, ref, {"status": "ok", "response": {}})

    async def _join(self, socket: _Socket, frame: dict[str, Any]) -> None:
        self.joins += 1
        topic, ref = frame["topic"], frame.get("ref")
        if self.faults.join_delay:
            await asyncio.sleep(self.faults.join_delay)
        config = frame["payload"].get("config") or {}
        reason = self.faults.join_error
        if config.get("private") and socket.role == "anon":
            reason = "Unauthorized: You do not have permissions to read from this Channel topic"
        if self.faults.private_only and not config.get("private"):
            reason = "PrivateOnly: This project only allows private channels"
        if reason:
            await self._reply(socket, topic, ref, {"status": "error", "response": {"reason": reason}})
            return
        joined = _Joined(config, frame.get("join_ref"))
        joined.changes = [wish | {"id": next(self._ids)} for wish in config.get("postgres_changes") or []]
        socket.joined[topic] = joined
        await self._reply(
            socket, topic, ref, {"status": "ok", "response": {"postgres_changes": joined.changes}}
        )
        if joined.changes:
            await self._subscribe(socket, topic, joined)

    async def _subscribe(self, socket: _Socket, topic: str, joined: _Joined) -> None:
        if self.faults.changes_delay:
            await asyncio.sleep(self.faults.changes_delay)
        reason = self.faults.changes_error
        for wish in joined.changes:
            if not await self._is_published(wish["schema"], wish.get("table", "*")):
                reason = (
                    "Unable to subscribe to changes with given parameters. Please check Realtime is enabled "
                    f"for the given connect parameters: [event: *, schema: {wish['schema']}, table: {wish['table']}]"
                )
        status, message = ("error", reason) if reason else ("ok", "Subscribed to PostgreSQL")
        joined.live = reason is None
        payload = {
            "extension": "postgres_changes",
            "status": status,
            "message": message,
            "channel": topic.removeprefix("realtime:"),
        }
        await self._send(socket, {"topic": topic, "event": "system", "payload": payload, "ref": None})

    async def _is_published(self, schema: str, table: str) -> bool:
        async with connected(self.dsn) as connection:
            cursor = await connection.execute(
                "select exists (select from pg_publication_tables where pubname = 'supabase_realtime'"
                " and schemaname = %s and (tablename = %s or %s = '*'))",
                (schema, table, table),
            )
            row = await cursor.fetchone()
            return bool(row and row[0])

    async def broadcast(
        self, topic: str, payload: dict[str, Any], *, private: bool | None = None, spared: object = None
    ) -> None:
        """Deliver `{type, event, payload}` to everyone on the topic but the spared one."""
        if self.faults.silent:
            return
        named = f"realtime:{topic}"
        for socket in list(self.sockets):
            joined = socket.joined.get(named)
            if joined is None or socket is spared:
                continue
            if private is not None and bool(joined.config.get("private")) != private:
                continue
            await self._send(socket, {"topic": named, "event": "broadcast", "payload": payload, "ref": None})

    async def rest_broadcast(self, request: Request) -> Response:
        """`POST /realtime/v1/api/broadcast`."""
        try:
            self.keys.role_of(
                request.headers.get("apikey"), request.headers.get("authorization"), time.time()
            )
        except Refused:
            return Response(status_code=401)
        for message in (await request.json())["messages"]:
            payload = {"type": "broadcast", "event": message["event"], "payload": message["payload"]}
            await self.broadcast(message["topic"], payload, private=bool(message.get("private")))
        return Response(status_code=202)

    async def changed(self, change: dict[str, Any]) -> None:
        """Deliver a row's change to those whose subscription is live."""
        if self.faults.silent:
            return
        data = change | {
            "commit_timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "errors": None,
            "columns": [{"name": name, "type": "text"} for name in change["record"]],
        }
        for socket in list(self.sockets):
            for topic, joined in list(socket.joined.items()):
                ids = [
                    wish["id"]
                    for wish in joined.changes
                    if wish["schema"] == change["schema"] and wish.get("table", "*") in {"*", change["table"]}
                ]
                if joined.live and ids and await self._is_published(change["schema"], change["table"]):
                    payload = {"ids": ids, "data": data}
                    frame = {"topic": topic, "event": "postgres_changes", "payload": payload, "ref": None}
                    await self._send(socket, frame)

    async def feed(self) -> None:
        """Deliver what the database sends and changes."""
        while True:
            with contextlib.suppress(psycopg.Error):
                async with connected(self.dsn, autocommit=True) as connection:
                    await connection.execute("listen standing_broadcast")
                    await connection.execute("listen standing_change")
                    async for notice in connection.notifies():
                        told = json.loads(notice.payload)
                        if notice.channel == "standing_change":
                            await self.changed(told)
                        else:
                            payload = {
                                "type": "broadcast",
                                "event": told["event"],
                                "payload": told["payload"],
                                "meta": {"id": str(uuid.uuid4())},
                            }
                            await self.broadcast(told["topic"], payload, private=told["private"])
            await asyncio.sleep(0.05)

    async def drop(self, code: int = 1012) -> None:
        """Close every socket with a code."""
        for socket in list(self.sockets):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.websocket.close(code)

    async def expel(self, message: str = "Token has expired", *, only: str = "") -> None:
        """Tell channels of an error and close them, as at a token's expiry, the sockets staying open."""
        for socket in list(self.sockets):
            for topic in [topic for topic in socket.joined if only in topic]:
                payload = {
                    "extension": "system",
                    "status": "error",
                    "message": message,
                    "channel": topic.removeprefix("realtime:"),
                }
                await self._send(socket, {"topic": topic, "event": "system", "payload": payload, "ref": None})
                await self._send(socket, {"topic": topic, "event": "phx_close", "payload": {}, "ref": None})
                socket.joined.pop(topic, None)

    async def flood(self, topic: str) -> None:
        """Broadcast a frame of more than 1 MiB."""
        payload = {"type": "broadcast", "event": "cache-update", "payload": {"text": "x" * (_LARGEST + 1)}}
        await self.broadcast(topic, payload)

    def _later(self, socket: _Socket, work: Any) -> None:
        task = asyncio.create_task(work)
        socket.tasks.add(task)
        task.add_done_callback(socket.tasks.discard)

    async def _reply(self, socket: _Socket, topic: str, ref: str | None, payload: dict[str, Any]) -> None:
        await self._send(socket, {"topic": topic, "event": "phx_reply", "payload": payload, "ref": ref})

    async def _send(self, socket: _Socket, frame: dict[str, Any]) -> None:
        if self.faults.silent or socket.websocket.client_state != WebSocketState.CONNECTED:
            return
        async with socket.sending:
            for _ in range(2 if self.faults.twice else 1):
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    message = encoded(socket.version, frame)
                    kind = "text" if isinstance(message, str) else "bytes"
                    await socket.websocket.send({"type": "websocket.send", kind: message})
