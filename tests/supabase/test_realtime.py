"""Hints through the real realtime client: what is written arrives, by broadcasts and by the table's changes."""

from __future__ import annotations

import asyncio
import calendar
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditor.database.hint import Hint, hint_of, hint_of_change
from auditor.database.realtime_health import RealtimeOptions
from tests.database.windows import now_minute, write
from tests.supabase.events import ingest
from tests.supabase.listening import CALM, listening

if TYPE_CHECKING:
    from tests.supabase.standing import Supabase


@pytest.mark.parametrize("kind", ["service_key", "secret_key"])
async def test_what_is_ingested_arrives_as_a_hint_with_its_minute(project: Supabase, kind: str) -> None:
    only_broadcasts = RealtimeOptions(canary_seconds=1.0, changes=False)
    async with listening(project, only_broadcasts, getattr(project, kind)) as listener:
        await listener.until_live()
        assert listener.source.health.last_canary_at is not None
        await listener.until(lambda: bool(listener.heard) and listener.heard[0].anew)
        await asyncio.to_thread(ingest, project.dsn)
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


async def test_another_channel_and_a_private_one_can_be_named_and_the_changes_are_private_too(
    project: Supabase,
) -> None:
    project.realtime.faults.private_only = True
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set auditor.realtime_channel = 'mine'".encode())
        connection.execute(f"alter database {name} set auditor.realtime_event = 'told'".encode())
        connection.execute(f"alter database {name} set auditor.realtime_private = 'on'".encode())
    options = RealtimeOptions(channel="mine", event="told", private=True, canary_seconds=0.3)
    async with listening(project, options) as listener:
        await listener.until(lambda: listener.source.health.changes_live)
        before = len(listener.heard)
        await asyncio.to_thread(ingest, project.dsn)
        await listener.until(lambda: any(hint.caches for hint in listener.heard[before:]))


async def test_broadcasts_serve_undisturbed_while_the_table_is_not_published(project: Supabase) -> None:
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute("alter publication supabase_realtime drop table monitoring.cache_metrics_1min")
        async with listening(project, CALM) as listener:
            await listener.until_live()
            await listener.until(lambda: project.realtime.joins >= 4)
            await listener.hears_of(project)
            assert not listener.source.health.changes_live
            connection.execute("alter publication supabase_realtime add table monitoring.cache_metrics_1min")
            await listener.until(lambda: listener.source.health.changes_live)
            minute = now_minute() - 3
            await asyncio.to_thread(write, project.dsn, [minute])
            await listener.until(lambda: any(minute in hint.minutes for hint in listener.heard))
            assert listener.source.health.rebuilds == 0


async def test_changes_that_are_never_said_to_live_are_subscribed_to_anew(project: Supabase) -> None:
    project.realtime.faults.changes_delay = 3600.0
    async with listening(project, CALM) as listener:
        await listener.until_live()
        await listener.until(lambda: project.realtime.joins >= 3)
        project.realtime.faults.changes_delay = 0.0
        await listener.until(lambda: listener.source.health.changes_live)
        assert listener.source.health.rebuilds == 0


async def test_changes_that_lived_and_were_closed_are_there_again(project: Supabase) -> None:
    async with listening(project) as listener:
        await listener.until(lambda: listener.source.health.changes_live)
        await asyncio.to_thread(project.do, project.realtime.expel(only="cache_metrics_1min"))
        await listener.until(lambda: listener.source.health.rebuilds > 0)
        await listener.until(lambda: listener.source.health.changes_live)


async def test_payloads_of_any_shape_kill_nothing(project: Supabase) -> None:
    odd: list[Any] = [
        None, 5, "text", [1], {}, {"minutes": "x"}, {"minutes": [None]}, {"minutes": [1e400]}, {"caches": {}},
        {"minute_window": 7}, {"minute_window": "2026-11-22T17:00:00+00:00", "implementation_type": "new"},
    ]  # fmt: skip
    async with listening(project, CALM) as listener:
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
