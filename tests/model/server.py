"""A real HTTP server that speaks chat completions, well or badly: what it does is a list of plays, one for each request.

It runs in a thread of its own, so that tests of any kind, and other processes, can talk to it::

    with model_server(rate_limited(retry_after="1"), good) as server:
        ...  # server.url, server.asked

After the last play it goes on with `rest`. A play (tests/model/plays.py) writes its own bytes and may break whatever it likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

START_SECONDS = 10.0
TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: its path with the query, its headers by names in lower case, its body."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """The texts of all messages."""
        return "\n\n".join(str(message["content"]) for message in self.body["messages"])

    @property
    def rung(self) -> str:
        """How JSON was asked for."""
        return str(self.body.get("response_format", {"type": "text"})["type"])


class Wire:
    """One request's way back."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(
        self,
        body: bytes | str,
        *,
        status: int = 200,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A whole answer."""
        content = body.encode() if isinstance(body, str) else body
        await self.begin(len(content), status=status, kind=kind, headers=headers)
        await self.raw(content)

    async def begin(
        self,
        length: int,
        *,
        status: int = 200,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """The head of an answer of so many bytes."""
        told = {"content-type": kind, "content-length": str(length), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        await self.raw(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode())

    async def raw(self, content: bytes) -> None:
        """Bytes as they are."""
        self._writer.write(content)
        await self._writer.drain()

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        endpoint: socket.socket = self._writer.get_extra_info("socket")
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


if TYPE_CHECKING:
    Play = Callable[[Asked, Wire], Awaitable[None]]


@dataclass
class ModelServer:
    """What a running server tells: requests in the order they came, and how many connections are open."""

    plays: list[Play]
    rest: Play
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    most_at_a_time: int = 0
    at_work: int = 0
    tasks: set[asyncio.Task[Any]] = field(default_factory=set, repr=False)

    @property
    def url(self) -> str:
        """The base URL to be set."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request by request."""
        self.connections += 1
        here = asyncio.current_task()
        assert here is not None
        self.tasks.add(here)  # the loop alone holds a task too weakly
        try:
            while (asked := await _request(reader)) is not None and not writer.is_closing():
                await self._answer(asked, Wire(writer))
        except ConnectionError:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass  # the client is gone: that is its right
        except asyncio.CancelledError:
            pass  # the server stops; asyncio would log the end of a cancelled handler as an error
        finally:
            self.connections -= 1
            self.tasks.discard(here)
            writer.close()

    async def _answer(self, asked: Asked, wire: Wire) -> None:
        self.asked.append(asked)
        play = self.plays.pop(0) if self.plays else self.rest
        self.at_work += 1
        self.most_at_a_time = max(self.most_at_a_time, self.at_work)
        try:
            await play(asked, wire)
        finally:
            self.at_work -= 1


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    """The next request of a connection; None where it ends."""
    first_byte = await reader.read(1)
    if first_byte == TLS_HANDSHAKE:
        raise ConnectionError("TLS to a plain server")
    try:
        head = (first_byte + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(first.split(" ")[1], headers, json.loads(body))


async def _run(server: ModelServer, ready: threading.Event, stop: asyncio.Event) -> None:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    ready.set()
    await stop.wait()
    listening.close()
    while server.tasks:
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


@contextlib.contextmanager
def model_server(*plays: Play, rest: Play | None = None) -> Iterator[ModelServer]:
    """A server that does these plays in turn, then `rest` (by default: answer well) for ever."""
    from tests.model.plays import good

    server = ModelServer(list(plays), rest or good)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_run(server, ready, stop))

    thread = threading.Thread(target=work, name="model-server", daemon=True)
    thread.start()
    assert ready.wait(START_SECONDS), "the server did not start"
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_SECONDS)
        assert not thread.is_alive()
