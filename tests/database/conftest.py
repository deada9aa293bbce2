"""A server for tests that need no schema of ours."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from auditor.database.embedded import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def plain_server() -> Iterator[str]:
    """The connection string of an embedded server, one for each test process."""
    with (
        tempfile.TemporaryDirectory(prefix="auditor-") as folder,
        EmbeddedServer(Path(folder), durable=False) as server,
    ):
        yield server.dsn


@pytest.fixture
def empty_database(plain_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The connection string of an empty database of the test's own."""
    name = f"test_{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(plain_server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield make_conninfo(plain_server, dbname=name)
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def database(empty_database: str) -> str:
    from auditor.database.migrations import apply_migrations

    apply_migrations(empty_database)
    return empty_database
