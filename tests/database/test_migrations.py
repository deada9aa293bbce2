"""The migrations runner, on a real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from auditor.database.migrations import apply_migrations, read_migrations
from auditor.errors import BadInput
from auditor.resources import migrations_folder

if TYPE_CHECKING:
    from pathlib import Path

FIRST = "create schema if not exists monitoring;\ncreate table if not exists monitoring.a (n int);\n"
SECOND = "insert into monitoring.a values (1); -- 100 % plain SQL: no parameters\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "20250101000000_first.sql").write_text(FIRST)
    (tmp_path / "20250102000000_second.sql").write_text(SECOND)
    return tmp_path


def value(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row and row[0]


def test_each_file_is_applied_once_in_order(empty_database: str, folder: Path) -> None:
    first = apply_migrations(empty_database, folder=folder)
    again = apply_migrations(empty_database, folder=folder)
    assert first.applied == ("20250101000000_first.sql", "20250102000000_second.sql")
    assert again.applied == ()
    assert again.already == first.applied
    assert value(empty_database, "select count(*) from monitoring.a") == 1


def test_a_dry_run_names_what_is_missing_and_touches_nothing(empty_database: str, folder: Path) -> None:
    assert len(apply_migrations(empty_database, dry_run=True, folder=folder).applied) == 2
    assert value(empty_database, "select to_regnamespace('monitoring')") is None
    apply_migrations(empty_database, folder=folder)
    (folder / "20250103000000_third.sql").write_text("create table monitoring.b ()")
    planned = apply_migrations(empty_database, dry_run=True, folder=folder)
    assert planned.applied == ("20250103000000_third.sql",)
    assert value(empty_database, "select to_regclass('monitoring.b')") is None


def test_runners_at_the_same_time_apply_each_file_once(empty_database: str, folder: Path) -> None:
    (folder / "20250103000000_slow.sql").write_text(
        "select pg_sleep(0.2); insert into monitoring.a values (2);"
    )
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: apply_migrations(empty_database, folder=folder), range(8)))
    assert sorted(name for outcome in outcomes for name in outcome.applied) == sorted(
        path.name for path in folder.glob("*.sql")
    )
    assert value(empty_database, "select count(*) from monitoring.a") == 2


def test_a_changed_file_that_was_applied_is_named_with_the_mend(empty_database: str, folder: Path) -> None:
    apply_migrations(empty_database, folder=folder)
    (folder / "20250101000000_first.sql").write_text(FIRST + "-- an afterthought\n")
    for dry_run in (True, False):
        with pytest.raises(
            BadInput, match=r"20250101000000_first\.sql has changed since it was applied: put"
        ):
            apply_migrations(empty_database, dry_run=dry_run, folder=folder)


def test_a_failing_file_leaves_nothing_and_is_named_with_the_servers_words(
    empty_database: str, folder: Path
) -> None:
    (folder / "20250103000000_bad.sql").write_text("create table monitoring.half ();\nselect nonsense;\n")
    with pytest.raises(BadInput, match=r'20250103000000_bad\.sql failed: column "nonsense" .* \(line 2\)'):
        apply_migrations(empty_database, folder=folder)
    assert value(empty_database, "select to_regclass('monitoring.half')") is None
    assert apply_migrations(empty_database, dry_run=True, folder=folder).applied == (
        "20250103000000_bad.sql",
    )


def test_an_owner_without_superuser_rights_can_migrate(empty_database: str, folder: Path) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create role plain_owner login")
        try:
            connection.execute("grant create on database " + connection.info.dbname + " to plain_owner")
            as_owner = make_conninfo(empty_database, user="plain_owner")
            assert len(apply_migrations(as_owner, folder=folder).applied) == 2
        finally:
            connection.execute("drop owned by plain_owner cascade")
            connection.execute("drop role plain_owner")


def test_a_missing_privilege_is_said_plainly(empty_database: str, folder: Path) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create role nobody_much login")
        try:
            with pytest.raises(BadInput, match=r"privilege .*run auditor migrate as"):
                apply_migrations(make_conninfo(empty_database, user="nobody_much"), folder=folder)
        finally:
            connection.execute("drop role nobody_much")


def test_two_files_of_one_version_are_refused(folder: Path) -> None:
    (folder / "20250101000000_rival.sql").write_text("select 1")
    with pytest.raises(BadInput, match="same version"):
        read_migrations(folder)


def test_a_file_without_a_version_is_refused(folder: Path) -> None:
    (folder / "notes.sql").write_text("select 1")
    with pytest.raises(BadInput, match=r"notes\.sql must be named"):
        read_migrations(folder)


def test_the_projects_own_migrations_are_found() -> None:
    assert all(migration.text.strip() for migration in read_migrations())
    assert migrations_folder().is_dir()
