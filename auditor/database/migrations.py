"""Applies the SQL migrations in order, each in one transaction, and remembers what it applied."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import errors

from auditor.database import failures
from auditor.database.connect import connect
from auditor.errors import BadInput
from auditor.redaction import redact
from auditor.resources import migrations_folder

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = re.compile(r"(?P<version>\d+)_(?P<name>\w+)\.sql")
_LOCK: Final = 0x0CAC_4E5A
"""The advisory lock that one applying runner holds; an arbitrary number of this project's."""
_TABLE: Final = "monitoring.cache_auditor_migrations"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its version (the digits before the name), name, text, and the SHA-256 of the text."""

    version: str
    name: str
    text: str
    checksum: str

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.version}_{self.name}.sql"


@dataclass(frozen=True, slots=True)
class Migrated:
    """File names: those applied now (in a dry run: that would be), and those that already were."""

    applied: tuple[str, ...]
    already: tuple[str, ...]


def read_migrations(folder: Path | None = None) -> tuple[Migration, ...]:
    """The migrations of a folder, oldest first; by default those of this installation.

    Raises
    ------
    BadInput
        If a file's name has no version, or two share one.
    """
    found: dict[str, Migration] = {}
    for path in sorted((folder or migrations_folder()).glob("*.sql")):
        named = _FILE.fullmatch(path.name)
        if named is None:
            raise BadInput(f"The migration {path.name} must be named <digits>_<name>.sql.")
        text = path.read_text(encoding="utf-8")
        version = named["version"]
        if version in found:
            raise BadInput(f"The migrations {found[version].file} and {path.name} have the same version.")
        found[version] = Migration(version, named["name"], text, hashlib.sha256(text.encode()).hexdigest())
    return tuple(found[version] for version in sorted(found, key=int))


def apply_migrations(dsn: str, *, dry_run: bool = False, folder: Path | None = None) -> Migrated:
    """Apply what has not been applied; any number of runners may do so at once.

    Raises
    ------
    BadInput
        If a file that was applied has been changed since, or one fails; the message names it.
    DependencyUnreachable
        If the database cannot be reached.
    """
    migrations = read_migrations(folder)
    applied: list[str] = []
    already: list[str] = []
    with connect(dsn, prepare_threshold=None) as connection, failures.explained(dsn):
        if not dry_run:
            _prepare(connection, dsn)
        for migration in migrations:
            done = _is_applied(connection, migration) if dry_run else not _apply(connection, migration, dsn)
            (already if done else applied).append(migration.file)
    return Migrated(tuple(applied), tuple(already))


def _prepare(connection: psycopg.Connection[Any], dsn: str) -> None:
    """Make the schema and the version table where they are missing."""
    with connection.transaction():
        _take_lock(connection)
        if _exists(connection):
            return
        try:
            if not _one(connection, "select to_regnamespace('monitoring') is not null"):
                connection.execute("create schema monitoring")
            connection.execute(
                f"create table {_TABLE} (version text primary key, name text not null, checksum text not null,"
                " applied_at timestamptz not null default clock_timestamp())"
            )
        except errors.InsufficientPrivilege as error:
            raise _missing_privilege(error, "The schema monitoring", dsn) from error


def _apply(connection: psycopg.Connection[Any], migration: Migration, dsn: str) -> bool:
    """Apply one file under the lock; False where it had been applied."""
    with connection.transaction():
        _take_lock(connection)
        if _is_applied(connection, migration):
            return False
        try:
            connection.execute(migration.text.encode())
        except errors.InsufficientPrivilege as error:
            raise _missing_privilege(error, f"The migration {migration.file}", dsn) from error
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise BadInput(
                f"The migration {migration.file} failed: {_said(error, migration.text)}."
            ) from error
        connection.execute(
            "insert into monitoring.cache_auditor_migrations (version, name, checksum) values (%s, %s, %s)",
            (migration.version, migration.name, migration.checksum),
        )
    return True


def _is_applied(connection: psycopg.Connection[Any], migration: Migration) -> bool:
    if not _exists(connection):
        return False
    stored = connection.execute(
        "select checksum from monitoring.cache_auditor_migrations where version = %s", (migration.version,)
    ).fetchone()
    if stored is None:
        return False
    if stored[0] != migration.checksum:
        raise BadInput(
            f"The migration {migration.file} has changed since it was applied: put the applied file back, or, to apply "
            f"it again (which does no harm), remove version {migration.version} from {_TABLE}."
        )
    return True


def _take_lock(connection: psycopg.Connection[Any]) -> None:
    connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))


def _exists(connection: psycopg.Connection[Any]) -> bool:
    return bool(_one(connection, f"select to_regclass('{_TABLE}') is not null"))


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row is not None else None


def _said(error: psycopg.Error, text: str) -> str:
    """The server's message, with the line of the file where it gave a position."""
    said = redact((error.diag.message_primary or str(error)).strip()).rstrip(".")
    position = error.diag.statement_position
    if position is None:
        return said
    return f"{said} (line {text.count(chr(10), 0, int(position)) + 1})"


def _missing_privilege(error: psycopg.Error, what: str, dsn: str) -> BadInput:
    said = redact((error.diag.message_primary or str(error)).strip()).rstrip(".")
    return BadInput(
        f"{what} needs a privilege that the user at {failures.place(dsn)} lacks ({said}): "
        "run auditor migrate as the database's owner or as a superuser."
    )
