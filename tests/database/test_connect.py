"""Which database is used, and what is said when it cannot be."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from auditor.database import keeper
from auditor.database.connect import check_database, connect
from auditor.database.embedded import EmbeddedServer
from auditor.database.resolve import resolve_database
from auditor.errors import BadInput, DependencyUnreachable
from auditor.settings import Settings
from tests.database.holding import is_stopped
from tests.warm_start import auditor

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2"


def refusal(dsn: str) -> str:
    with pytest.raises(DependencyUnreachable) as refused:
        check_database(dsn)
    said = str(refused.value)
    assert SECRET not in said
    assert "\n" not in said
    return said


def test_a_port_where_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = refusal(f"postgresql://ann:{SECRET}@127.0.0.1:{port}/metrics")
    assert f"nothing listens at 127.0.0.1:{port}: start the server" in said


def test_a_host_that_nobody_knows() -> None:
    said = refusal(f"postgresql://ann:{SECRET}@no-such-host.invalid/metrics")
    assert "the name of no-such-host.invalid is not known: mend the host in AUDITOR_DATABASE_URL" in said


def test_a_server_that_never_answers() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        said = refusal(
            f"postgresql://ann:{SECRET}@127.0.0.1:{port}/metrics?connect_timeout=2&sslmode=disable"
        )
    assert f"127.0.0.1:{port} does not answer" in said


def test_a_database_that_is_not_there(plain_server: str) -> None:
    said = refusal(make_conninfo(plain_server, dbname="missing"))
    assert "has no database missing: create it, or mend AUDITOR_DATABASE_URL" in said


def test_a_user_that_is_not_there(plain_server: str) -> None:
    assert "has no user stranger" in refusal(make_conninfo(plain_server, user="stranger"))


def test_a_database_without_the_schema(empty_database: str) -> None:
    assert refusal(empty_database).endswith("lacks the auditor's schema: run auditor migrate.")


def test_a_wrong_password_is_refused_without_being_shown(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "postgres", durable=False) as server:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("create role guarded login password 'right'")
            hba = server.data / "pg_hba.conf"
            hba.write_text("local all guarded scram-sha-256\n" + hba.read_text())
            connection.execute("select pg_reload_conf()")
            wrong = make_conninfo(server.dsn, user="guarded", password=SECRET)
            while True:  # the reload is asynchronous
                try:
                    psycopg.connect(wrong).close()
                except psycopg.OperationalError:
                    break
        assert "refuses the password of guarded" in refusal(wrong)
        told = auditor("doctor", env={"PATH": os.defpath, "HOME": "/dev/null", "AUDITOR_DATABASE_URL": wrong})
        assert told.returncode == 1
        assert "pass  reachable" in told.stdout
        assert re.search(r"fail  key +The database at \S+ refuses the password of guarded\n", told.stdout)
        assert "mend: mend it in AUDITOR_DATABASE_URL" in told.stdout
        assert "asks for the password of guarded" in refusal(make_conninfo(server.dsn, user="guarded"))


def test_a_connection_string_that_cannot_be_read_is_bad_input() -> None:
    async def resolve() -> None:
        async with resolve_database(Settings(database_url=f"host=h passwrod={SECRET}")):
            pass

    with pytest.raises(BadInput, match="AUDITOR_DATABASE_URL is not a connection string") as refused:
        asyncio.run(resolve())
    assert SECRET not in str(refused.value)


async def test_without_a_connection_string_the_embedded_server_runs_for_the_time_of_the_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SUPABASE_DB_URL", "AUDITOR_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings(embedded_dir=tmp_path / "postgres")
    async with resolve_database(settings, durable=False) as dsn:
        check_database(dsn)
        assert not is_stopped(settings.embedded_dir)
    assert is_stopped(settings.embedded_dir)


async def test_a_named_database_is_used_as_it_is(plain_server: str, empty_database: str) -> None:
    settings = Settings(database_url=empty_database)
    with pytest.raises(DependencyUnreachable, match="run auditor migrate"):
        async with resolve_database(settings):
            pass
    async with resolve_database(settings, check=False) as dsn:
        assert dsn == empty_database
    async with resolve_database(settings, migrate=True) as dsn:
        check_database(dsn)


async def test_giving_up_during_the_start_lets_go_of_the_server(tmp_path: Path) -> None:
    settings = Settings(embedded_dir=tmp_path / "postgres", database_url=None)

    async def use() -> None:
        async with resolve_database(settings, durable=False):
            await asyncio.sleep(3600)

    using = asyncio.ensure_future(use())
    while not (settings.embedded_dir / keeper.TURN).exists():
        await asyncio.sleep(0.005)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert is_stopped(settings.embedded_dir)


def test_a_connection_is_in_autocommit_and_named(plain_server: str) -> None:
    with connect(plain_server) as connection:
        assert connection.autocommit
        assert connection.execute("show application_name").fetchone() == ("auditor",)
