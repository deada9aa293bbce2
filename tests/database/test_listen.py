"""Hints over LISTEN, through lost connections and a restarted server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import psycopg

from auditor.database.embedded import EmbeddedServer
from auditor.database.hint import Hint
from auditor.database.listen import CHANNEL, hints
from tests.database.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def notify(dsn: str, payload: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select pg_notify(%s, %s)", (CHANNEL, payload))


async def heard(source: AsyncIterator[Hint]) -> Hint:
    return await asyncio.wait_for(anext(source), 60)


async def test_a_hint_names_the_minutes_and_the_caches(plain_server: str) -> None:
    async with contextlib.aclosing(hints(plain_server)) as source:
        assert await heard(source) == Hint(anew=True)
        notify(plain_server, json.dumps({"minutes": [7, 8], "caches": 2}))
        assert await heard(source) == Hint((7, 8), 2)


async def test_a_hint_that_cannot_be_read_still_wakes(plain_server: str) -> None:
    async with contextlib.aclosing(hints(plain_server)) as source:
        await heard(source)
        for payload in ("", "not json", "[]", '{"minutes": "x"}'):
            notify(plain_server, payload)
            assert await heard(source) == Hint()


async def test_a_cut_connection_is_made_again_and_says_so(plain_server: str) -> None:
    async with Proxy(plain_server) as proxy, contextlib.aclosing(hints(proxy.dsn)) as source:
        assert (await heard(source)).anew
        await proxy.cut()
        assert (await heard(source)).anew
        notify(plain_server, '{"minutes": [9], "caches": 1}')
        assert await heard(source) == Hint((9,), 1)
        assert proxy.connections == 2


async def test_a_server_that_is_away_for_a_while_is_heard_again(plain_server: str) -> None:
    async with Proxy(plain_server) as proxy, contextlib.aclosing(hints(proxy.dsn)) as source:
        assert (await heard(source)).anew
        await proxy.down()
        waiting = asyncio.ensure_future(heard(source))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await proxy.up()
        assert (await waiting).anew


async def test_a_silent_connection_is_probed_and_stays(plain_server: str) -> None:
    async with (
        Proxy(plain_server) as proxy,
        contextlib.aclosing(hints(proxy.dsn, probe_seconds=0.05)) as source,
    ):
        await heard(source)
        waiting = asyncio.ensure_future(heard(source))
        await asyncio.sleep(0.3)
        notify(plain_server, '{"minutes": [3], "caches": 1}')
        assert await waiting == Hint((3,), 1)
        assert proxy.connections == 1


async def test_hints_outlive_a_restart_of_the_server(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "postgres", durable=False)
    dsn = server.start()
    try:
        async with contextlib.aclosing(hints(dsn)) as source:
            assert (await heard(source)).anew
            waiting = asyncio.ensure_future(heard(source))
            await asyncio.to_thread(server.stop)
            assert await asyncio.to_thread(server.start) == dsn
            assert (await waiting).anew
            notify(dsn, '{"minutes": [5], "caches": 1}')
            assert await heard(source) == Hint((5,), 1)
    finally:
        server.stop()
