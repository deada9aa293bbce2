"""Hints through the real realtime client: every failure in its table is survived, and nothing grows."""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
from pydantic import SecretStr

from auditor.database.hint import Hint, hint_of, hint_of_change
from auditor.database.realtime import RealtimeHints, RealtimeOptions
from tests.database.windows import now_minute, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.supabase.standing import Supabase

QUICK = RealtimeOptions(
    canary_seconds=0.3, join_seconds=1.0, longest_wait_seconds=0.5, changes_patience_seconds=1.5
)


@dataclass
class Listener:
    """A listener that writes down its hints."""

    source: RealtimeHints
    heard: list[Hint] = field(default_factory=list)

    async def until(self, holds: Callable[[], bool], seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)

    async def until_live(self) -> None:
        await self.until(lambda: self.source.health.live)

    async def hears_of(self, project: Supabase) -> None:
        """An event that is ingested now comes through as a hint, tried again until it does."""
        async with asyncio.timeout(30):
            while True:
                before = self.source.health.hints
                await asyncio.to_thread(ingest, project)
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


def ingest(project: Supabase) -> None:
    event = {
        "cache_key": "k",
        "operation_type": "hit",
        "implementation_type": "new",
        "response_time_ms": 0.25,
    }
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute("select monitoring.ingest_cache_metrics(%s::jsonb)", (json.dumps([event]),))


@pytest.mark.parametrize("kind", ["service_key", "secret_key"])
async def test_what_is_ingested_arrives_as_a_hint_with_its_minute(project: Supabase, kind: str) -> None:
    only_broadcasts = RealtimeOptions(canary_seconds=0.3, changes=False)
    async with listening(project, only_broadcasts, getattr(project, kind)) as listener:
        await listener.until_live()
        assert listener.source.health.last_canary_at is not None
        await listener.until(lambda: bool(listener.heard) and listener.heard[0].anew)
        await asyncio.to_thread(ingest, project)
        await listener.until(lambda: len(listener.heard) > 1)
        assert abs(listener.heard[1].minutes[0] - now_minute()) <= 1
        assert listener.source.health.last_hint_at is not None
        assert listener.source.health.rebuilds == 0


async def test_a_written_window_arrives_through_the_tables_changes(project: Supabase) -> None:
    async with listening(project) as listener:
        await listener.until(lambda: listener.source.health.changes_live)
        minute = now_minute() - 3
        await asyncio.to_thread(write, project.dsn, [minute])
        await listener.until(lambda: any(minute in hint.minutes for hint in listener.heard))


async def test_what_is_written_before_the_changes_are_live_is_looked_for_when_they_are(
    project: Supabase,
) -> None:
    project.realtime.faults.changes_delay = 1.0
    async with listening(project) as listener:
        await listener.until_live()
        await asyncio.to_thread(write, project.dsn, [now_minute() - 3])
        await listener.until(lambda: listener.source.health.changes_live)
        await listener.until(lambda: sum(hint.anew for hint in listener.heard) == 2)


async def test_another_channel_and_a_private_one_can_be_named(project: Supabase) -> None:
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set auditor.realtime_channel = 'mine'".encode())
        connection.execute(f"alter database {name} set auditor.realtime_event = 'told'".encode())
        connection.execute(f"alter database {name} set auditor.realtime_private = 'on'".encode())
    options = RealtimeOptions(channel="mine", event="told", private=True, changes=False, canary_seconds=0.3)
    async with listening(project, options) as listener:
        await listener.until_live()
        await listener.hears_of(project)


def refused(project: Supabase) -> None:
    project.realtime.faults.refuse = True
    project.do(project.realtime.drop())


def unheard(project: Supabase) -> None:
    project.realtime.faults.silent = True


def expelled(project: Supabase) -> None:
    project.do(project.realtime.expel())


def slow_to_join(project: Supabase) -> None:
    project.realtime.faults.join_delay = 1.6
    project.do(project.realtime.drop())


def limited(project: Supabase) -> None:
    project.realtime.faults.join_error = "ChannelRateLimitReached: Too many channels"
    project.do(project.realtime.drop(1001))


def flooded(project: Supabase) -> None:
    project.do(project.realtime.flood("cache-metrics"))


def stopped(project: Supabase) -> None:
    project.stop()


FAULTS = [refused, unheard, expelled, slow_to_join, limited, flooded, stopped]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.__name__))
async def test_hints_flow_again_after(project: Supabase, fault: Callable[[Supabase], None]) -> None:
    async with listening(project) as listener:
        await listener.until_live()
        health = listener.source.health
        await asyncio.to_thread(fault, project)
        await listener.until(lambda: health.rebuilds > 0)
        assert health.last_trouble
        await asyncio.sleep(1.0)
        project.realtime.faults.__init__()  # type: ignore[misc]  # every fault ends
        await asyncio.to_thread(project.start) if fault is stopped else None
        anew = sum(hint.anew for hint in listener.heard)
        await listener.until_live()
        await listener.until(lambda: sum(hint.anew for hint in listener.heard) > anew or anew > 1)
        await listener.hears_of(project)


async def test_unanswered_heartbeats_alone_do_not_stop_hints(project: Supabase) -> None:
    project.realtime.faults.heartbeats_unanswered = True
    async with listening(project) as listener:
        await listener.until_live()
        await listener.hears_of(project)


async def test_duplicate_frames_are_only_hints(project: Supabase) -> None:
    project.realtime.faults.twice = True
    async with listening(project) as listener:
        await listener.until_live()
        await listener.hears_of(project)
        assert listener.source.health.rebuilds == 0


async def test_broadcasts_serve_while_the_table_is_not_published(project: Supabase) -> None:
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute("alter publication supabase_realtime drop table monitoring.cache_metrics_1min")
        async with listening(project) as listener:
            await listener.until_live()
            await listener.hears_of(project)
            assert not listener.source.health.changes_live
            await listener.until(lambda: listener.source.health.rebuilds > 0)
            assert "Please check Realtime is enabled" in str(listener.source.health.last_trouble)
            connection.execute("alter publication supabase_realtime add table monitoring.cache_metrics_1min")
            await listener.until(lambda: listener.source.health.changes_live)


async def test_payloads_of_any_shape_kill_nothing(project: Supabase) -> None:
    odd: list[Any] = [
        None, 5, "text", [1], {}, {"minutes": "x"}, {"minutes": [None]}, {"minutes": [1e400]}, {"caches": {}},
        {"minute_window": 7}, {"minute_window": "2026-11-22T17:00:00+00:00", "implementation_type": "new"},
    ]  # fmt: skip
    async with listening(project) as listener:
        await listener.until_live()
        for payload in odd:
            frame = {"type": "broadcast", "event": "cache-update", "payload": payload}
            project.do(project.realtime.broadcast("cache-metrics", frame))
        await listener.hears_of(project)
        assert listener.source.health.rebuilds == 0


def test_a_row_and_a_change_tell_their_minute() -> None:
    row = {"minute_window": "2026-11-22T17:00:00+00:00", "implementation_type": "new"}
    minute = calendar.timegm((2026, 11, 22, 17, 0, 0)) // 60
    assert hint_of(row) == Hint((minute,), 1)
    assert hint_of_change({"data": {"record": row}, "ids": [1]}) == Hint((minute,), 1)
    assert hint_of({"minutes": [minute], "caches": 1}) == Hint((minute,), 1)


async def test_many_drops_leave_no_task_no_socket_and_no_growth(project: Supabase) -> None:
    quick = RealtimeOptions(canary_seconds=0.3, join_seconds=5.0, longest_wait_seconds=0.01)
    async with listening(project, quick) as listener:
        await listener.until_live()
        health = listener.source.health
        marks: list[tuple[int, int]] = []
        for drop in range(60):
            await listener.until_live()
            rebuilds = health.rebuilds
            await asyncio.to_thread(project.do, project.realtime.drop())
            await listener.until(lambda before=rebuilds: health.rebuilds > before)  # type: ignore[misc]
            if drop in {19, 59}:
                await asyncio.sleep(1.0)
                marks.append((len(asyncio.all_tasks()), len(psutil.Process().net_connections())))
        await listener.hears_of(project)
        assert health.rebuilds >= 60
        assert marks[1][0] <= marks[0][0] + 3
        assert marks[1][1] <= marks[0][1] + 3
        assert len(listener.heard) < 2000


@pytest.mark.parametrize("hours", [1 / 6, 20])
async def test_after_an_outage_of_hours_hints_flow_within_a_minute_of_its_end(
    project: Supabase, hours: float
) -> None:
    """The clock between two tries is virtual, the tries are real."""
    waited: list[float] = []
    ended_at = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal ended_at
        waited.append(seconds)
        if project.realtime.faults.refuse and sum(waited) >= hours * 3600:
            ended_at = sum(waited)
            project.realtime.faults.refuse = False
        await asyncio.sleep(0)

    project.realtime.faults.refuse = True
    options = RealtimeOptions(canary_seconds=0.3, changes=False)  # the waits are those of the service
    async with listening(project, options, sleep=sleep) as listener:
        await listener.until(lambda: listener.source.health.live, seconds=120)
        assert ended_at >= hours * 3600
        assert sum(waited) - ended_at <= 60
        assert max(waited) <= options.longest_wait_seconds
        assert len(waited) >= hours * 3600 / options.longest_wait_seconds
        await listener.hears_of(project)
        assert len(asyncio.all_tasks()) < 20


async def test_a_frozen_server_is_noticed_and_hints_flow_when_it_thaws(project: Supabase) -> None:
    project.stop()  # the port is taken over by a process that can be frozen
    served = [sys.executable, "-m", "tests.supabase.standing", project.dsn, str(project.port)]
    with subprocess.Popen(served, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            await asyncio.to_thread(server.stdout.readline)
            async with listening(project) as listener:
                await listener.until_live()
                server.send_signal(signal.SIGSTOP)
                await listener.until(lambda: listener.source.health.rebuilds > 1)
                assert not listener.source.health.live
                server.send_signal(signal.SIGCONT)
                await listener.until_live()
                await listener.hears_of(project)
        finally:
            server.kill()
