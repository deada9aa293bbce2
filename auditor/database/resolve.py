"""Which database to use: the one named in the settings, else the embedded server for as long as it is needed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from auditor.database import failures
from auditor.database.connect import check_database
from auditor.database.migrations import apply_migrations
from auditor.errors import BadInput, DependencyUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from auditor.settings import Settings


@contextlib.asynccontextmanager
async def resolve_database(
    settings: Settings, *, durable: bool = True, migrate: bool | None = None, check: bool = True
) -> AsyncIterator[str]:
    """The connection string of the database to use, valid within the context.

    Parameters
    ----------
    durable
        False lets an embedded server that is started here trade safety against a power cut for speed.
    migrate
        Whether to apply the migrations first; by default on the embedded server only.
    check
        Whether to prove first that the database answers and holds the auditor's schema.

    Raises
    ------
    DependencyUnreachable
        If the database does not answer or lacks the schema; the sentence names the mend.
    BadInput
        If the connection string or the embedded server's folder cannot be used.
    """
    async with contextlib.AsyncExitStack() as stack:
        if settings.database_url is not None:
            dsn = settings.database_url.get_secret_value()
            failures.check_dsn(dsn)
        elif settings.supabase_url is not None:
            raise BadInput(
                "This command needs a connection string beside SUPABASE_URL: set SUPABASE_DB_URL (Dashboard > Connect > Session pooler)."
            )
        else:
            dsn = await stack.enter_async_context(_embedded(settings, durable=durable))
            migrate = True if migrate is None else migrate
        if migrate:
            await asyncio.to_thread(apply_migrations, dsn)
        elif check:
            await asyncio.to_thread(check_database, dsn)
        yield dsn


@contextlib.asynccontextmanager
async def _embedded(settings: Settings, *, durable: bool) -> AsyncIterator[str]:
    try:
        from auditor.database.embedded import EmbeddedServer
    except ImportError:  # fcntl and pwd are missing on Windows
        raise DependencyUnreachable(
            "There is no embedded PostgreSQL for this platform: set AUDITOR_DATABASE_URL to a PostgreSQL server."
        ) from None
    server = EmbeddedServer(settings.embedded_dir, durable=durable)
    starting = asyncio.ensure_future(asyncio.to_thread(server.start))
    try:
        # A thread cannot be cancelled: whoever gives up waits for it, so that the server is let go of.
        yield await asyncio.shield(starting)
    finally:
        await asyncio.wait([starting])
        await asyncio.to_thread(server.stop)
