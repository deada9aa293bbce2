"""The stand-in servers' connections to the database."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def connected(dsn: str, *, autocommit: bool = False) -> AsyncIterator[AsyncConnection[tuple[Any, ...]]]:
    """A connection that is closed in every case; psycopg leaves its own open where the commit at its end is cancelled."""
    connection = await AsyncConnection.connect(dsn, autocommit=autocommit)
    try:
        async with connection:
            yield connection
    finally:
        await connection.close()
