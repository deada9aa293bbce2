"""The store on PostgreSQL: one working connection that comes back after a loss."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
import stamina
import structlog
from psycopg import AsyncConnection, pq
from psycopg.types.json import Jsonb

from auditor.database import failures, wire
from auditor.database.connect import completed
from auditor.errors import DependencyUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from auditor.database.store import Committed, Pull, Verdicts
    from auditor.detection.answers import Answer

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Connection = AsyncConnection[tuple[Any, ...]]
_FLEETING: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
)


class PostgresStore:
    """The `Store` of a PostgreSQL database, for one worker at a time.

    Not for concurrent use: a turn holds the one connection until it ends.

    Parameters
    ----------
    dsn
        The connection string.
    worker
        This auditor's name in the leases.
    statement_seconds
        The longest that one statement may take.
    patience_seconds
        How long a call goes on trying to connect anew before it raises DependencyUnreachable.
    """

    def __init__(
        self, dsn: str, *, worker: str, statement_seconds: float = 60.0, patience_seconds: float = 30.0
    ) -> None:
        self._dsn = dsn
        self._worker = worker
        self._statement_seconds = statement_seconds
        self._patience_seconds = patience_seconds
        self._lease_seconds = 60
        self._connection: Connection | None = None

    async def lease(self, *, lease_seconds: int, max_caches: int) -> tuple[str, ...]:
        """Renew this worker's leases, take its fair share of the free ones, and name the caches it now holds."""
        self._lease_seconds = lease_seconds
        answer = await self._call(
            "select monitoring.auditor_lease(%s::text, %s::int, %s::int)",
            (self._worker, lease_seconds, max_caches),
        )
        return tuple(answer["held"])

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[PostgresTurn]:
        """One transaction, rolled back where the body raises, and by the server once it has idled for a lease's length.

        Raises
        ------
        DependencyUnreachable
            If the connection is lost within; whether the commit stood is then told by the next turn's cursors.
        """
        connection = await self._begun(self._lease_seconds)
        try:
            yield PostgresTurn(connection, self._worker)
            await connection.commit()
        except psycopg.Error as error:
            await self._undo(connection)
            raise failures.explain(error, self._dsn) from error
        except BaseException:  # cancelled or interrupted too: the transaction must not stay open
            await self._undo(connection)
            raise

    async def release(self) -> None:
        """Give up every lease of this worker, so that another takes over at once."""
        await self._call("select monitoring.auditor_release(%s::text)", (self._worker,))

    async def maintain(self, *, events_days: int, minutes_days: int, hours_days: int) -> dict[str, Any]:
        """Roll up finished hours and purge what has expired; {} where another worker is doing so."""
        answer: dict[str, Any] | None = await self._call(
            "select monitoring.auditor_maintain(%s::int, %s::int, %s::int)",
            (events_days, minutes_days, hours_days),
        )
        return answer or {}

    async def close(self) -> None:
        """Close the connection; safe to call twice."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _call(self, query: str, arguments: Sequence[Any]) -> Any:
        """One repeatable function call in its own transaction, tried again where a conflict or a loss undid it."""

        async def once() -> Any:
            connection = await self._begun(self._statement_seconds)
            try:
                cursor = await connection.execute(query.encode(), arguments)
                row = await cursor.fetchone()
                await connection.commit()
            except BaseException:  # cancelled too: the connection goes back clean or not at all
                await self._undo(connection)
                raise
            return row[0] if row is not None else None

        with failures.explained(self._dsn):
            return await self._patiently(once)

    async def _begun(self, idle_seconds: float) -> Connection:
        """The connection within a new transaction whose limits are set."""

        async def begin() -> Connection:
            connection = await self._connected()
            try:
                await connection.execute(
                    "select set_config('statement_timeout', %s, true),"
                    " set_config('idle_in_transaction_session_timeout', %s, true)",
                    (_milliseconds(min(self._statement_seconds, idle_seconds)), _milliseconds(idle_seconds)),
                )
            except BaseException:  # cancelled too: the connection goes back clean or not at all
                await self._undo(connection)
                raise
            return connection

        with failures.explained(self._dsn):
            return await self._patiently(begin)

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        attempts = stamina.retry_context(
            on=self._is_passing,
            attempts=None,
            timeout=self._patience_seconds,
            wait_initial=0.05,
            wait_max=5.0,
            wait_jitter=0.2,
        )
        async for attempt in attempts:
            with attempt:
                return await act()
        raise DependencyUnreachable(f"The database at {failures.place(self._dsn)} does not answer.")

    def _is_passing(self, error: Exception) -> bool:
        """Whether trying again can help: the connection is gone, or a conflict undid the transaction."""
        if isinstance(error, _FLEETING):
            return True
        return isinstance(error, psycopg.OperationalError) and self._connection is None

    async def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        self._connection = None
        self._connection = await AsyncConnection.connect(
            completed(self._dsn, f"auditor {self._worker}"), prepare_threshold=None
        )
        return self._connection

    async def _undo(self, connection: Connection) -> None:
        """Roll back; a connection that cannot is dropped, which rolls back too."""
        with contextlib.suppress(psycopg.Error):
            if connection.info.transaction_status != pq.TransactionStatus.ACTIVE:
                await connection.rollback()
                return
        await connection.close()
        if self._connection is connection:
            self._connection = None


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))


class PostgresTurn:
    """The `Turn` within a transaction of the store."""

    def __init__(self, connection: Connection, worker: str) -> None:
        self._connection = connection
        self._worker = worker

    async def pull(
        self,
        *,
        settle_seconds: float,
        max_windows_per_cache: int,
        max_windows: int,
        known: Mapping[str, int],
        horizon_minute: int | None = None,
    ) -> Pull:
        """The settled and the late windows of every cache leased to this worker."""
        request = Jsonb(
            {
                "settle_seconds": settle_seconds,
                "max_windows_per_cache": max_windows_per_cache,
                "max_windows": max_windows,
                "known": dict(known),
                "horizon_minute": horizon_minute,
            }
        )
        cursor = await self._connection.execute(
            "select monitoring.auditor_pull(%s::text, %s)", (self._worker, request)
        )
        row = await cursor.fetchone()
        assert row is not None, "a function call gives one row"
        return wire.read_pull(row[0])

    async def answers(self, pull: Pull) -> Mapping[str, tuple[Answer, ...]]:
        """What engineers have answered to the observations of the pulled caches, as long as it stands; caches without an answer are left out."""
        asked = wire.ask_answers(pull)
        cursor = await self._connection.execute(
            "select monitoring.auditor_answers(%s::text[], %s::timestamptz)",
            (asked["caches"], asked["since"]),
        )
        row = await cursor.fetchone()
        assert row is not None, "a function call gives one row"
        return wire.read_answers(row[0])

    async def commit(self, pull: Pull, results: Sequence[Verdicts]) -> dict[str, Committed]:
        """Write the results; each cache's stand or fall by its own lease and cursor."""
        cursor = await self._connection.execute(
            "select monitoring.auditor_commit(%s::text, %s::text, %s::jsonb)",
            (self._worker, pull.watermark, wire.write_results(results)),
        )
        row = await cursor.fetchone()
        assert row is not None, "a function call gives one row"
        return wire.read_outcomes(row[0])
