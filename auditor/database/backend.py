"""The database that the settings name, opened for the service: its store, its hints and how its hints are doing."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.database import failures, listen, rest_failures
from auditor.database.calls import PostgresCalls
from auditor.database.postgres import PostgresStore
from auditor.database.resolve import resolve_database

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from auditor.database.calls import Calls
    from auditor.database.hint import Hint
    from auditor.database.realtime_health import RealtimeHealth, RealtimeOptions
    from auditor.database.store import Store
    from auditor.settings import Settings


@dataclass(frozen=True, slots=True)
class Backend:
    """A store, the makers of its hints (None where nothing but the clock wakes the auditor) and of carriers beside it, and Realtime's health.

    `place` names the database as a log does, without its secrets.
    """

    store: Store
    hints: Callable[[], AsyncGenerator[Hint]] | None
    calls: Callable[[], Calls]
    place: Mapping[str, str]
    realtime: RealtimeHealth | None = None


@contextlib.asynccontextmanager
async def open_backend(settings: Settings) -> AsyncIterator[Backend]:
    """Open what the settings name: the Supabase project, else the PostgreSQL database, else the embedded one.

    Raises
    ------
    DependencyUnreachable
        If it does not answer, refuses the key, or lacks the schema; the sentence names the mend.
    BadInput
        If an address or a folder cannot be used.
    """
    if settings.supabase_url is None or settings.supabase_key is None:
        async with resolve_database(settings) as dsn:
            store = PostgresStore(dsn, worker=settings.worker)
            place = {"mode": "postgresql", "host": failures.place(dsn), "database": failures.database(dsn)}
            if settings.database_url is None:
                place = {"mode": "embedded", "folder": str(settings.embedded_dir)}
            yield Backend(
                store, functools.partial(listen.hints, dsn), functools.partial(PostgresCalls, dsn), place
            )
        return
    from auditor.database.realtime import RealtimeHints
    from auditor.database.rest import SupabaseCalls
    from auditor.database.supabase_store import SupabaseStore

    calls = SupabaseCalls(settings.supabase_url, settings.supabase_key)
    try:
        # a quick question that only the newest schema answers
        await calls.call("auditor_canary_window", {"cache": "auditor-doctor-start"})
        realtime = RealtimeHints(settings.supabase_url, settings.supabase_key, realtime_options(settings))
        yield Backend(
            SupabaseStore(calls, worker=settings.worker),
            realtime.hints if settings.realtime else None,
            functools.partial(SupabaseCalls, settings.supabase_url, settings.supabase_key),
            {"mode": "supabase", "host": rest_failures.place(settings.supabase_url)},
            realtime.health if settings.realtime else None,
        )
    finally:
        await calls.close()


@contextlib.asynccontextmanager
async def open_calls(settings: Settings) -> AsyncIterator[Calls]:
    """The SQL functions of the database that the settings name, for commands; closed at the end.

    Raises
    ------
    DependencyUnreachable
        If it does not answer, refuses the key, or lacks the schema; the sentence names the mend.
    BadInput
        If an address or a folder cannot be used.
    """
    if settings.supabase_url is None or settings.supabase_key is None:
        async with resolve_database(settings) as dsn:
            yield PostgresCalls(dsn)
        return
    from auditor.database.rest import SupabaseCalls

    calls = SupabaseCalls(settings.supabase_url, settings.supabase_key)
    try:
        yield calls
    finally:
        await calls.close()


def realtime_options(settings: Settings) -> RealtimeOptions:
    """The part of the settings that Realtime reads."""
    from auditor.database.realtime_health import RealtimeOptions

    return RealtimeOptions(
        channel=settings.realtime_channel,
        event=settings.realtime_event,
        private=settings.realtime_private,
        changes=settings.realtime_changes,
        canary_seconds=settings.canary_seconds,
    )
