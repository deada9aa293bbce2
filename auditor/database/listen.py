"""Hints over LISTEN: that there is something to pull, not what. They may be lost; the timer finds what they missed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Final

import psycopg
import structlog
from psycopg import AsyncConnection

from auditor.database import failures
from auditor.database.connect import completed
from auditor.database.hint import Hint, hint_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

CHANNEL: Final = "cache_metrics"
PROBE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


async def hints(
    dsn: str, *, probe_seconds: float = PROBE_SECONDS, longest_wait_seconds: float = 15.0
) -> AsyncGenerator[Hint]:
    """Hints for as long as the caller iterates; close the generator to stop (`contextlib.aclosing`).

    A lost connection is made again, after waits that double up to `longest_wait_seconds`; each new one begins with a hint
    that is `anew`. A silent connection is probed every `probe_seconds`, so a vanished server is noticed.

    Parameters
    ----------
    dsn
        A connection string that allows LISTEN: not that of a pooler in transaction mode.
    """
    waits = _waits(longest_wait_seconds)
    while True:
        try:
            async with contextlib.aclosing(_listened(dsn, probe_seconds)) as heard:
                async for hint in heard:
                    waits = _waits(longest_wait_seconds)
                    yield hint
        except psycopg.Error as error:
            wait = next(waits)
            _log.warning(
                "hints_lost", reason=str(failures.explain(error, dsn)), again_in_seconds=round(wait, 3)
            )
            await asyncio.sleep(wait)


def _waits(longest: float) -> Iterator[float]:
    wait = 0.05
    while True:
        yield wait
        wait = min(2 * wait, longest)


async def _listened(dsn: str, probe_seconds: float) -> AsyncGenerator[Hint]:
    """The hints of one connection; ends only by its loss."""
    async with await AsyncConnection.connect(completed(dsn, "auditor hints"), autocommit=True) as connection:
        await connection.execute(f"listen {CHANNEL}".encode())
        yield Hint(anew=True)
        while True:
            async for notice in connection.notifies(timeout=probe_seconds):
                yield _read(notice.payload)
            await connection.execute("select 1")


def _read(payload: str) -> Hint:
    try:
        return hint_of(json.loads(payload))
    except ValueError:
        return Hint()
