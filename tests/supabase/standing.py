"""A Supabase project's wire over a real PostgreSQL database: PostgREST's rpc and Realtime, on a loopback port.

`python -m tests.supabase.standing DSN PORT` serves one as a process of its own, to be frozen or killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from tests.supabase.keys import Keys
from tests.supabase.postgrest import PostgRest
from tests.supabase.realtime import Realtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from starlette.requests import Request

T = TypeVar("T")
_PLATFORM: Final = Path(__file__).with_name("realtime_schema.sql")


class Supabase:
    """One project; its server runs in a thread of its own and may be stopped and started again on the same port."""

    def __init__(
        self, dsn: str, *, exposed: tuple[str, ...] = ("public", "monitoring"), port: int | None = None
    ) -> None:
        self.dsn = dsn
        self.keys = Keys()
        self.port = port or _free_port()
        self.rest = PostgRest(dsn, self.keys, list(exposed))
        self.realtime = Realtime(dsn, self.keys)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(_PLATFORM.read_bytes())

    @property
    def url(self) -> str:
        """The project's address, as in SUPABASE_URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def service_key(self) -> str:
        """The JWT of service_role."""
        return self.keys.service_key

    @property
    def secret_key(self) -> str:
        """The newer key of the same rights."""
        return self.keys.secret_key

    @property
    def anon_key(self) -> str:
        """The JWT of anon."""
        return self.keys.anon_key

    def start(self) -> Self:
        """Serve, from the moment this returns."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="supabase", daemon=True)
        self._thread.start()
        assert ready.wait(30), "the stand-in did not start"
        return self

    def stop(self) -> None:
        """Stop serving and cut every connection."""
        if self._thread is None:
            return
        assert self._server is not None
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the stand-in did not stop"
        self._thread = None

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the server's in its loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _serve(self, ready: threading.Event) -> None:
        asyncio.run(self._serving(ready))

    async def _serving(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        config = uvicorn.Config(
            self.app(),
            host="127.0.0.1",
            port=self.port,
            log_config=None,
            log_level="critical",
            ws="websockets-sansio",
            ws_max_size=16 * 1024 * 1024,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.005)
        ready.set()
        await serving

    def app(self) -> Starlette:
        """The ASGI application."""

        async def unknown(_: Request) -> JSONResponse:
            return JSONResponse({"message": "no Route matched with those values"}, 404)

        return Starlette(
            routes=[
                Route("/rest/v1/rpc/{name}", self.rest.answer, methods=["POST"]),
                Route("/realtime/v1/api/broadcast", self.realtime.rest_broadcast, methods=["POST"]),
                WebSocketRoute("/realtime/v1/websocket", self.realtime.serve),
                Route("/{rest:path}", unknown),
            ],
            lifespan=self._life,
        )

    @contextlib.asynccontextmanager
    async def _life(self, _: Starlette) -> AsyncIterator[None]:
        await self.rest.reload()
        tasks = [asyncio.create_task(self.rest.keep_cache()), asyncio.create_task(self.realtime.feed())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running_supabase(dsn: str, *, exposed: tuple[str, ...] = ("public", "monitoring")) -> Iterator[Supabase]:
    """A project that serves within the context."""
    project = Supabase(dsn, exposed=exposed).start()
    try:
        yield project
    finally:
        project.stop()


if __name__ == "__main__":
    Supabase(sys.argv[1], port=int(sys.argv[2])).start()
    print("ready", flush=True)
    threading.Event().wait()
