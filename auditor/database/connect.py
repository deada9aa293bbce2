"""Connections to a PostgreSQL server, and the proof that it holds the schema."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from auditor.database import failures
from auditor.errors import DependencyUnreachable

_DEFAULTS: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Connection options under which a vanished server is noticed within half a minute."""


def completed(dsn: str, application_name: str) -> str:
    """The connection string with this program's name and options, but for those that it sets itself."""
    name = application_name.encode("ascii", "replace")[:63].decode()
    return make_conninfo(**(_DEFAULTS | {"application_name": name} | conninfo_to_dict(dsn)))


def connect(dsn: str, **options: Any) -> psycopg.Connection[Any]:
    """A plain connection in autocommit mode, for commands.

    Raises
    ------
    DependencyUnreachable
        If the server cannot be reached; the sentence says why and what mends it.
    """
    with failures.explained(dsn):
        return psycopg.connect(completed(dsn, "auditor"), autocommit=True, **options)


def check_database(dsn: str) -> None:
    """Prove that the database answers and holds the auditor's schema.

    Raises
    ------
    DependencyUnreachable
        With the reason and its mend.
    """
    with connect(dsn) as connection, failures.explained(dsn):
        found = connection.execute(
            "select to_regclass('monitoring.cache_auditor_checkpoint') is not null"
            " and exists (select from pg_proc where proname = 'auditor_commit'"
            " and pronamespace = to_regnamespace('monitoring'))"
        ).fetchone()
    if found is None or not found[0]:
        raise DependencyUnreachable(
            f"The database at {failures.place(dsn)} lacks the auditor's schema: run auditor migrate."
        )
