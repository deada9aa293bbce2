"""The database's errors as the auditor's: one sentence that names the server and the mend, never a password."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from auditor.errors import AuditorError, BadInput, DependencyUnreachable
from auditor.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNREACHED: Final = "The database cannot be reached: "
_CONNECTION_TEXTS: Final = (
    ("refused", _UNREACHED + "nothing listens at {place}: start the server, or mend the address in AUDITOR_DATABASE_URL."),
    ("no such file", _UNREACHED + "nothing listens at {place}: start the server, or mend the path in AUDITOR_DATABASE_URL."),
    ("password authentication failed", "The database at {place} refuses the password of {user}: mend it in AUDITOR_DATABASE_URL."),
    ("no password supplied", "The database at {place} asks for the password of {user}: add it to AUDITOR_DATABASE_URL."),
    ("no pg_hba.conf entry", "The database at {place} does not let {user} in from here: allow it in the server's pg_hba.conf."),
    ("resolve", _UNREACHED + "the name of {place} is not known: mend the host in AUDITOR_DATABASE_URL."),
    ("translate host name", _UNREACHED + "the name of {place} is not known: mend the host in AUDITOR_DATABASE_URL."),
    ("timeout", _UNREACHED + "{place} does not answer: check the address in AUDITOR_DATABASE_URL, and the firewall."),
    ("too many", _UNREACHED + "{place} has no connection left: raise its max_connections, or stop other clients."),
    ("starting up", _UNREACHED + "{place} is starting up: try again in a moment."),
    ("shutting down", _UNREACHED + "{place} is shutting down: start it again."),
)  # fmt: skip

_STATEMENT_ERRORS: Final[tuple[tuple[tuple[type[psycopg.Error], ...], str], ...]] = (
    (
        (errors.InvalidSchemaName, errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedColumn),
        "lacks the auditor's schema or has an old one ({said}): run auditor migrate.",
    ),
    (
        (errors.InsufficientPrivilege,),
        "does not allow {user} to do this ({said}): connect as the schema's owner, or grant it service_role.",
    ),
    ((errors.QueryCanceled,), "took too long over a statement ({said}): look at its load and locks."),
    (
        (errors.IdleInTransactionSessionTimeout,),
        "ended a turn that took longer than its lease: raise AUDITOR_LEASE_SECONDS.",
    ),
    ((errors.ReadOnlySqlTransaction,), "is read-only: name the primary in AUDITOR_DATABASE_URL."),
)


def place(dsn: str) -> str:
    """Host and port of a connection string, as a sentence names them; never the password."""
    parts = _parts(dsn)
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    port = f":{parts['port']}" if parts.get("port") and not host.startswith("/") else ""
    return f"{host}{port}"


def database(dsn: str) -> str:
    """The database's name in a connection string; without one the server takes the user's."""
    parts = _parts(dsn)
    return parts.get("dbname") or parts.get("user") or "the user's"


def _parts(dsn: str) -> dict[str, str]:
    try:
        return {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        return {}


def check_dsn(dsn: str) -> None:
    """Refuse a connection string that cannot be read.

    Raises
    ------
    BadInput
        With what is wrong with it.
    """
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise BadInput(f"AUDITOR_DATABASE_URL is not a connection string: {_first_line(error)}.") from None


def explain(error: psycopg.Error, dsn: str) -> AuditorError:
    """The auditor's error for one of the driver's."""
    parts = _parts(dsn)
    where, user, said = place(dsn), parts.get("user", "the user"), _first_line(error)
    for kinds, sentence in _STATEMENT_ERRORS:
        if isinstance(error, kinds):
            return DependencyUnreachable(f"The database at {where} {sentence.format(user=user, said=said)}")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return _connection_failure(said, where, user, parts.get("dbname", user))
    return AuditorError(f"The database at {where} refused a statement: {said}.")


def _connection_failure(said: str, where: str, user: str, database: str) -> DependencyUnreachable:
    lowered = said.lower()
    if "database" in lowered and "does not exist" in lowered:
        return DependencyUnreachable(
            f"The server at {where} has no database {database}: create it, or mend AUDITOR_DATABASE_URL."
        )
    if "role" in lowered and "does not exist" in lowered:
        return DependencyUnreachable(
            f"The server at {where} has no user {user}: create it, or mend AUDITOR_DATABASE_URL."
        )
    for text, sentence in _CONNECTION_TEXTS:
        if text in lowered:
            return DependencyUnreachable(sentence.format(place=where, user=user))
    return DependencyUnreachable(f"The connection to the database at {where} failed: {said}.")


def _first_line(error: psycopg.Error) -> str:
    """What the server said, in one line without secrets and without its full stop."""
    said = error.diag.message_primary or str(error) or type(error).__name__
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return redact(lines[0] if lines else type(error).__name__).rstrip(".")


@contextlib.contextmanager
def explained(dsn: str) -> Iterator[None]:
    """Turn the driver's errors raised within into the auditor's."""
    try:
        yield
    except psycopg.Error as error:
        raise explain(error, dsn) from error
