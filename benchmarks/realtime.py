"""A thousand drops of Realtime's sockets: whether anything is missed or grows, and how soon hints flow again.

Against the tests' stand-in, which speaks Realtime's wire over the embedded database, through the real client.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import structlog
from pydantic import SecretStr

from auditor.database.embedded import EmbeddedServer
from auditor.database.migrations import apply_migrations
from auditor.database.realtime import RealtimeHints
from auditor.database.realtime_health import RealtimeOptions
from tests.supabase.events import ingest
from tests.supabase.standing import Supabase, running_supabase

if TYPE_CHECKING:
    from auditor.database.hint import Hint


def main(*, quick: bool) -> dict[str, Any]:
    """Drop, and print what was seen; the figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    drops = 100 if quick else 1000
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedServer(Path(folder) / "postgres", durable=False) as server,
    ):
        apply_migrations(server.dsn)
        with running_supabase(server.dsn) as project:
            seen = asyncio.run(_drop(project, drops))
    print(f"{'':<12}{'tasks':>8}{'sockets':>9}{'memory MiB':>12}")
    for name in ("early", "late"):
        mark = seen[name]
        print(f"{name:<12}{mark['tasks']:>8}{mark['sockets']:>9}{mark['memory_mib']:>12.1f}")
    print(
        f"{drops} drops, a window written in each, {seen['missed']} of them neither announced nor looked for afterwards; "
        f"{seen['rebuilds']} clients built anew; live again after {seen['median_s']:.2f} s (median), "
        f"{seen['worst_s']:.2f} s (worst), waits bounded to 0.05 s here and 30 s in the service"
    )
    return seen


async def _drop(project: Supabase, drops: int) -> dict[str, Any]:
    options = RealtimeOptions(canary_seconds=0.3, join_seconds=5.0, longest_wait_seconds=0.05)
    source = RealtimeHints(project.url, SecretStr(project.service_key), options)
    seen: dict[str, Any] = {"drops": drops}
    again: list[float] = []
    heard: list[tuple[float, Hint]] = []
    missed = 0

    async def listen() -> None:
        async with contextlib.aclosing(source.hints()) as hints:
            async for hint in hints:
                heard.append((time.monotonic(), hint))  # noqa: PERF401 - the source never ends

    def is_told(minute: int, written_at: float) -> bool:
        """Whether a hint named the minute, or told of a new connection after it was written, when the auditor looks by itself."""
        return any(minute in hint.minutes or (hint.anew and at > written_at) for at, hint in heard)

    listening = asyncio.create_task(listen())
    for drop in range(drops):
        await _until(lambda: source.health.live)
        if drop in {drops // 10, drops - 1}:
            await asyncio.sleep(1.0)
            gc.collect()
            seen["early" if drop < drops - 1 else "late"] = _mark()
        heard.clear()
        before, began = source.health.rebuilds, time.monotonic()
        minute = int(time.time() // 60) - 10 - drop
        written_at = await asyncio.to_thread(_drop_and_write, project, minute)
        await _until(lambda before=before: source.health.rebuilds > before)
        await _until(lambda: source.health.live)
        again.append(time.monotonic() - began)
        with contextlib.suppress(TimeoutError):
            await _until(functools.partial(is_told, minute, written_at), 5.0)
        missed += not is_told(minute, written_at)
    seen |= {
        "missed": missed,
        "rebuilds": source.health.rebuilds,
        "median_s": statistics.median(again),
        "worst_s": max(again),
    }
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    return seen


def _drop_and_write(project: Supabase, minute: int) -> float:
    """Drop every socket and write a window of its own; when it was there."""
    project.do(project.realtime.drop())
    ingest(project.dsn, 60.0 * minute)
    return time.monotonic()


def _mark() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "tasks": len(asyncio.all_tasks()),
        "sockets": len(process.net_connections()),
        "memory_mib": process.memory_info().rss / 2**20,
    }


async def _until(holds: Any, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
