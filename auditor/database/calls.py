"""The SQL functions of a connection string, called by name as `SupabaseCalls` calls those of a project."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from psycopg import sql
from psycopg.types.json import Jsonb

from auditor.database import failures
from auditor.database.connect import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATEMENT_TIMEOUT: Final = "-c statement_timeout=20s"


class Calls(Protocol):
    """The SQL functions of the schema `monitoring`, whatever carries them."""

    async def call_once(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of a function that is asked once only; raises what the transport raises."""
        ...

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        ...


class PostgresCalls:
    """`Calls` over a connection of its own for each; errors are the driver's."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def call_once(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of a function.

        Raises
        ------
        AuditorError
            With the driver's error as its cause.
        """
        return await asyncio.to_thread(self._called, function, dict(arguments))

    async def close(self) -> None:
        """Nothing is held open."""

    def _called(self, function: str, arguments: dict[str, Any]) -> Any:
        named = sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in arguments
        )
        query = sql.SQL("select {}({})").format(sql.Identifier("monitoring", function), named)
        given = {
            name: Jsonb(value) if isinstance(value, dict | list) else value
            for name, value in arguments.items()
        }
        with (
            connect(self._dsn, options=_STATEMENT_TIMEOUT) as connection,
            failures.explained(self._dsn),
        ):
            row = connection.execute(query, given).fetchone()
        return None if row is None else row[0]
