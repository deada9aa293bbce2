"""Real servers and databases for every test that asks for one."""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from auditor.database.embedded import EmbeddedServer
from auditor.database.migrations import apply_migrations
from tests.servers.discovery import discover
from tests.servers.install import missing
from tests.servers.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count()
_SERVERS = discover()


def pytest_report_header() -> str:
    told = f"PostgreSQL {', '.join(map(str, _SERVERS))}"
    lacking = missing()
    return told + (f"; missing {', '.join(lacking)}: run make servers" if lacking else "")


def pytest_configure(config: pytest.Config) -> None:
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        del os.environ[name]  # no test may call a model that somebody pays for
    lacking = missing()
    if lacking and os.environ.get("CI"):
        raise pytest.UsageError(f"CI is set, and this machine lacks {', '.join(lacking)}: run make servers.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test of every major once on each that this machine has."""
    if "any_server" in metafunc.fixturenames:
        parameters = [
            pytest.param(major, id=f"postgresql{major}", marks=pytest.mark.xdist_group(f"postgresql{major}"))
            for major in _SERVERS
        ]
        metafunc.parametrize("any_server", parameters, indirect=True)


@pytest.fixture(scope="session")
def any_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The connection string of a plain server of each major."""
    with running(_SERVERS[request.param]) as dsn:
        yield dsn


@pytest.fixture
def any_database(any_server: str) -> Iterator[str]:
    """The connection string of an empty database on a plain server of each major."""
    yield from _made(any_server)


@pytest.fixture(scope="session")
def plain_server() -> Iterator[str]:
    """The connection string of an embedded server, one for each test process."""
    with (
        tempfile.TemporaryDirectory(prefix="auditor-") as folder,
        EmbeddedServer(Path(folder), durable=False) as server,
    ):
        yield server.dsn


@pytest.fixture(scope="session")
def migrated_template(plain_server: str) -> str:
    """The name of a migrated database to copy."""
    with psycopg.connect(plain_server, autocommit=True) as connection:
        connection.execute("create database migrated")
    apply_migrations(make_conninfo(plain_server, dbname="migrated"))
    return "migrated"


@pytest.fixture
def empty_database(plain_server: str) -> Iterator[str]:
    """The connection string of an empty database of the test's own."""
    yield from _made(plain_server)


@pytest.fixture
def database(plain_server: str, migrated_template: str) -> Iterator[str]:
    """The connection string of a migrated database of the test's own."""
    yield from _made(plain_server, migrated_template)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode to a migrated database of the test's own."""
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def _made(server: str, template: str = "template1") -> Iterator[str]:
    name = sql.Identifier(f"test_{next(_numbers)}")
    with psycopg.connect(server, autocommit=True) as opened:
        opened.execute(sql.SQL("create database {} template {}").format(name, sql.Identifier(template)))
        yield make_conninfo(server, dbname=name.as_string(None).strip('"'))
        opened.execute(sql.SQL("drop database {} with (force)").format(name))
