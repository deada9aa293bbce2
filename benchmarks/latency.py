"""From the commit of a bad window to its observation's row, through NOTIFY and the running service, on the embedded database."""

from __future__ import annotations

import asyncio
import functools
import time

import numpy as np
import psycopg

from auditor.database.listen import hints
from auditor.database.postgres import PostgresStore
from auditor.logs import configure_logging
from auditor.service.auditor import Auditor
from auditor.settings import Settings
from benchmarks.servers import database
from tests.detection.simulated import Course, windows
from tests.replay.stored import rows, store

LEARNED_MINUTES = 26 * 60
SHOWN = "select max(monitoring.minute_of(window_end)) from monitoring.cache_auditor_observations where metric_name = 'hit_rate'"


def main(quick: bool = False) -> dict[str, float]:
    """A cache turns bad, minute after minute; each is timed from its commit to its observation's row showing it."""
    configure_logging("ERROR")
    samples = asyncio.run(_measure(20 if quick else 300))
    numbers = {
        "p50_ms": float(np.quantile(samples, 0.5)),
        "p99_ms": float(np.quantile(samples, 0.99)),
        "samples": len(samples),
    }
    print(
        f"{len(samples)} bad windows: p50 {numbers['p50_ms']:.1f} ms, p99 {numbers['p99_ms']:.1f} ms from commit to observation"
    )
    return numbers


async def _measure(minutes: int) -> list[float]:
    first = int(time.time() // 60) - LEARNED_MINUTES - minutes - 2
    turns_bad = first + LEARNED_MINUTES
    horizon = [turns_bad - 1]
    found = rows(windows(LEARNED_MINUTES + minutes, first=first, fault=_fault, daily=0.0))
    settings = Settings(settle_seconds=0, poll_seconds=5, worker="bench")
    with database(durable=False) as dsn:
        store(dsn, found[:LEARNED_MINUTES])
        auditor = Auditor(
            PostgresStore(dsn, worker="bench"),
            settings,
            hints=functools.partial(hints, dsn),
            horizon=lambda: horizon[0],
        )
        task = asyncio.create_task(auditor.run())
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as asking:
            await _until(asking, "select count(*) from monitoring.cache_auditor_ledger", LEARNED_MINUTES)
            samples = []
            for minute, row in enumerate(found[LEARNED_MINUTES:], start=turns_bad):
                await asyncio.sleep(0.15)
                horizon[0] = minute
                store(dsn, [row])
                committed = time.perf_counter()
                await asking.execute("notify cache_metrics")
                await _until(asking, SHOWN, minute + 1)
                samples.append(1000 * (time.perf_counter() - committed))
        auditor.stop()
        await task
    return samples


def _fault(plan: Course) -> None:
    plan.hit_rate[LEARNED_MINUTES:] = 0.1


async def _until(asking: psycopg.AsyncConnection[tuple[int]], query: str, count: int) -> None:
    while True:
        row = await (await asking.execute(query.encode())).fetchone()
        if row is not None and row[0] is not None and row[0] >= count:
            return
        await asyncio.sleep(0.0005)


if __name__ == "__main__":
    main()
