"""Every failure of the realtime client is survived: hints flow again, nothing is missed unnoticed, and nothing grows."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from realtime import AsyncRealtimeClient

from auditor.database.realtime import FIRST_WAIT_SECONDS, wait_after
from auditor.database.realtime_health import RealtimeOptions
from auditor.database.realtime_session import CLOSE_SECONDS, LOOK_SECONDS
from tests.supabase.events import ingest
from tests.supabase.faults import FAULTS, end, restarted
from tests.supabase.listening import CALM, listening

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.supabase.standing import Supabase


def named(fault: Callable[[Supabase], None]) -> str:
    return fault.__name__


def clients_task(name: str) -> asyncio.Task[Any]:
    """The task of the client that runs its method of this name."""
    return next(
        task
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__qualname__", "") == f"AsyncRealtimeClient.{name}"
    )


@pytest.mark.parametrize("fault", FAULTS, ids=named)
async def test_hints_flow_again_after(project: Supabase, fault: Callable[[Supabase], None]) -> None:
    async with listening(project) as listener:
        await listener.until(lambda: listener.source.health.changes_live)
        health = listener.source.health
        await asyncio.to_thread(fault, project)
        await listener.until(lambda: health.rebuilds > 0)
        assert health.last_trouble
        missed = len(listener.heard)
        await asyncio.to_thread(ingest, project.dsn)  # announced to nobody, where the fault lasts
        await asyncio.sleep(1.0)
        await asyncio.to_thread(end, project, fault)
        await listener.until(lambda: any(hint.anew for hint in listener.heard[missed:]))
        await listener.until(lambda: health.live and health.changes_live)
        await listener.hears_of(project)


async def test_a_listener_that_died_is_noticed_though_the_client_says_it_is_connected(
    project: Supabase,
) -> None:
    """As after a callback that raised; ours only note, so that the task is ended from outside."""
    async with listening(project) as listener:
        await listener.until_live()
        clients_task("_listen").cancel()
        await listener.until(lambda: listener.source.health.rebuilds > 0)
        assert "the listener ended" in str(listener.source.health.last_trouble)
        await listener.until_live()
        await listener.hears_of(project)


async def test_what_raises_behind_a_callback_does_not_end_the_listener(project: Supabase) -> None:
    async with listening(project, CALM) as listener:
        await listener.until_live()
        heard = listener.source._heard
        failures = iter([ZeroDivisionError(), MemoryError()])

        def failing(hint: Any) -> None:
            for failure in failures:
                raise failure
            heard(hint)

        session = listener.source._session
        assert session is not None
        session.heard = failing
        await listener.hears_of(project)
        assert next(failures, None) is None
        assert listener.source.health.rebuilds == 0


async def test_a_loop_that_was_blocked_until_the_server_closed_the_socket_hears_again(
    project: Supabase,
) -> None:
    project.realtime.faults.idle_seconds = 1.0
    async with listening(project) as listener:
        await listener.until_live()
        time.sleep(2.5)
        await listener.until(lambda: listener.source.health.rebuilds > 0)
        await listener.until_live()
        await listener.hears_of(project)


async def test_a_heartbeat_that_died_is_made_good_by_the_canaries(project: Supabase) -> None:
    project.realtime.faults.idle_seconds = 2.5
    async with listening(project, CALM) as listener:
        await listener.until_live()
        clients_task("_heartbeat").cancel()
        await asyncio.sleep(4.0)
        await listener.hears_of(project)
        assert listener.source.health.rebuilds == 0


async def test_unanswered_heartbeats_alone_do_not_stop_hints(project: Supabase) -> None:
    project.realtime.faults.heartbeats_unanswered = True
    async with listening(project) as listener:
        await listener.until_live()
        await listener.hears_of(project)


async def test_duplicate_frames_are_only_hints(project: Supabase) -> None:
    project.realtime.faults.twice = True
    async with listening(project, CALM) as listener:
        await listener.until_live()
        await listener.hears_of(project)
        assert listener.source.health.rebuilds == 0


async def test_a_server_that_lets_in_and_throws_out_at_once_is_pressed_ever_less(project: Supabase) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async with listening(project, RealtimeOptions(canary_seconds=5.0), sleep=sleep) as listener:
        for drop in range(1, 8):
            await listener.until_live()
            await asyncio.to_thread(restarted, project)
            await listener.until(lambda drop=drop: len(waited) >= drop)  # type: ignore[misc]  # a default, not an argument
    for wait, longest in zip(waited, [1, 2, 4, 8, 16, 30, 30], strict=False):
        assert 0.5 * max(1, longest - 5) <= wait <= longest, "up to five seconds of silence count"


def test_however_a_session_ends_the_next_one_stands_within_a_minute() -> None:
    """The longest way from the server's return to a new session, with the waits of the service and the worst of chances."""
    options = RealtimeOptions()
    silences = (0.0, options.join_seconds + 1, 3 * options.canary_seconds)
    for silence in silences:
        pause = wait_after(1e9, silence, options.longest_wait_seconds)
        assert silence + LOOK_SECONDS + CLOSE_SECONDS + pause <= 55
        assert pause >= FIRST_WAIT_SECONDS


async def test_many_drops_leave_no_task_no_socket_no_client_and_no_window_unannounced(
    project: Supabase,
) -> None:
    quick = RealtimeOptions(canary_seconds=0.3, join_seconds=5.0, longest_wait_seconds=0.01)
    async with listening(project, quick) as listener:
        health = listener.source.health
        marks: list[tuple[int, int]] = []
        written: list[tuple[int, int]] = []
        first = int(time.time() // 60) - 1000
        for drop in range(60):
            await listener.until_live()
            rebuilds = health.rebuilds
            await asyncio.to_thread(restarted, project)
            written.append((first + drop, len(listener.heard)))
            await asyncio.to_thread(ingest, project.dsn, 60.0 * (first + drop))
            await listener.until(lambda before=rebuilds: health.rebuilds > before)  # type: ignore[misc]
            if drop in {19, 59}:
                await asyncio.sleep(1.0)
                marks.append((len(asyncio.all_tasks()), len(psutil.Process().net_connections())))
        await listener.hears_of(project)
        assert health.rebuilds >= 60
        assert marks[1][0] <= marks[0][0] + 3
        assert marks[1][1] <= marks[0][1] + 3
        gc.collect()
        assert sum(isinstance(thing, AsyncRealtimeClient) for thing in gc.get_objects()) <= 2
        for minute, before in written:
            assert any(hint.anew or minute in hint.minutes for hint in listener.heard[before:])
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
                left = {f"AsyncRealtimeClient.{name}" for name in ("_listen", "_heartbeat")}
                running = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
                assert not left & running, "the session that was given up is gone with all that it ran"
                server.send_signal(signal.SIGCONT)
                await listener.until_live()
                await listener.hears_of(project)
        finally:
            server.kill()
