"""The schema on every supported PostgreSQL: applied twice, applied to the original, open to nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from auditor.database.migrations import apply_migrations, read_migrations

ORIGINALS = sorted((Path(__file__).parent / "original").glob("*.sql"))
TABLES = (
    "cache_metrics",
    "cache_metrics_1min",
    "cache_metrics_1hour",
    "cache_baseline_metrics",
    "cache_auditor_observations",
)


def _opened(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, autocommit=True)


def _shape(connection: psycopg.Connection[Any]) -> list[Any]:
    """Everything there is in the schema, by name and definition."""
    return connection.execute("""
        select 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'monitoring'::regnamespace and a.attnum > 0 and not a.attisdropped
        union all select 'index', tablename, indexname, indexdef, '' from pg_indexes where schemaname = 'monitoring'
        union all select 'function', p.proname, p.oid::regprocedure::text, md5(p.prosrc), coalesce(p.proacl::text, '')
            from pg_proc p where p.pronamespace = 'monitoring'::regnamespace
        union all select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '' from pg_constraint
            where connamespace = 'monitoring'::regnamespace
        union all select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '' from pg_trigger
            where not tgisinternal and tgrelid::regclass::text like 'monitoring.%'
        order by 1, 2, 3, 4
    """).fetchall()


def test_migrations_may_be_applied_twice_and_change_nothing_the_second_time(any_database: str) -> None:
    with _opened(any_database) as connection:
        for _ in range(2):
            for migration in read_migrations():
                connection.execute(migration.text.encode())
            shape = _shape(connection)
        for migration in read_migrations():
            connection.execute(migration.text.encode())
        assert _shape(connection) == shape
    assert len([row for row in shape if row[0] == "index"]) >= 20


@pytest.mark.parametrize("original", ORIGINALS, ids=lambda path: path.stem)
def test_a_database_with_the_original_tables_is_upgraded_and_loses_nothing(
    any_database: str, original: Path
) -> None:
    with _opened(any_database) as connection:
        connection.execute(original.read_bytes())
        before = {table: _rows(connection, table) for table in TABLES}
        columns = {table: list(rows[0]) for table, rows in before.items()}
    apply_migrations(any_database)
    with _opened(any_database) as connection:
        for table, original_rows in before.items():
            rows = original_rows
            kept = [{name: row[name] for name in columns[table]} for row in _rows(connection, table)]
            if table == "cache_baseline_metrics":
                assert sum(row.pop("is_active") for row in kept) == 1
                rows = [{name: value for name, value in row.items() if name != "is_active"} for row in rows]
            assert kept == [
                {name: pytest.approx(v) if isinstance(v, float) else v for name, v in row.items()}
                for row in rows
            ]
        _holds_what_the_original_could_not(connection)


def _rows(connection: psycopg.Connection[Any], table: str) -> list[dict[str, Any]]:
    query = sql.SQL("select to_jsonb(t) from monitoring.{} t order by id::text").format(sql.Identifier(table))
    return [row[0] for row in connection.execute(query)]


def _holds_what_the_original_could_not(connection: psycopg.Connection[Any]) -> None:
    connection.execute("""
        insert into monitoring.cache_auditor_observations (severity, category, title, description, implementation_type,
            deviation_percentage) values ('info', 'anomaly', repeat('t', 500), 'd', 'answers / eu-west', 123456.789)""")
    answer = connection.execute("""
        select monitoring.ingest_cache_metrics('[{"cache_key": "k", "operation_type": "hit", "implementation_type": "answers",
            "response_time_ms": 0.0625}]')""").fetchone()
    assert answer is not None
    assert answer[0]["accepted"] == 1
    stored = connection.execute(
        "select avg_response_time_ms, max_response_time_ms from monitoring.cache_metrics_1min where implementation_type = 'answers'"
    ).fetchone()
    assert stored == (0.0625, 0.0625)
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "insert into monitoring.cache_metrics_1min (minute_window, implementation_type) values (now(), E'tab\\there')"
        )


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_nobody_but_the_service_can_read_write_or_call_anything(any_database: str, role: str) -> None:
    apply_migrations(any_database)
    with _opened(any_database) as connection:
        relations = [
            row[0]
            for row in connection.execute(
                "select oid::regclass::text from pg_class where relnamespace = 'monitoring'::regnamespace and relkind in ('r', 'v', 'S', 'm')"
            )
        ]
        functions = [
            row[0]
            for row in connection.execute(
                "select oid::regprocedure::text from pg_proc where pronamespace = 'monitoring'::regnamespace"
            )
        ]
        assert len(relations) >= 10
        assert len(functions) >= 20
        for relation in relations:
            for privilege in ("select", "insert", "update", "delete", "truncate", "references", "trigger"):
                row = connection.execute(
                    "select has_table_privilege(%s, %s, %s)", (role, relation, privilege)
                ).fetchone()
                assert row == (False,), (relation, privilege)
            assert connection.execute(
                "select has_table_privilege('service_role', %s, 'select')", (relation,)
            ).fetchone() == (True,)
        for function in functions:
            assert connection.execute(
                "select has_function_privilege(%s, %s, 'execute')", (role, function)
            ).fetchone() == (False,)
            assert connection.execute(
                "select has_function_privilege('service_role', %s, 'execute')", (function,)
            ).fetchone() == (True,)
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        for attempt in (
            "select * from monitoring.cache_metrics",
            "insert into monitoring.cache_metrics (cache_key, operation_type, implementation_type) values ('k', 'hit', 'new')",
            "select monitoring.ingest_cache_metrics('[]')",
            "select monitoring.auditor_pull('w', '{}')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attempt.encode())


def test_the_service_role_can_do_the_services_work(any_database: str) -> None:
    apply_migrations(any_database)
    with _opened(any_database) as connection:
        connection.execute("set role service_role")
        connection.execute("""select monitoring.ingest_cache_metrics('[{"cache_key": "k", "operation_type": "hit",
            "implementation_type": "answers"}]')""")
        held = connection.execute("select monitoring.auditor_lease('w', 60, 10)").fetchone()
        assert held == ({"held": ["answers"]},)
        connection.execute("select monitoring.auditor_maintain(7, 30, 365)")


def test_realtime_carries_the_windows_and_the_observations_and_nothing_else(any_database: str) -> None:
    with _opened(any_database) as connection:
        connection.execute(ORIGINALS[0].read_bytes())
        connection.execute("create publication supabase_realtime for table monitoring.cache_metrics")
    apply_migrations(any_database)
    with _opened(any_database) as connection:
        carried = connection.execute(
            "select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by 1"
        )
        assert [row[0] for row in carried] == ["cache_auditor_observations", "cache_metrics_1min"]
        secured = connection.execute(
            "select count(*) from pg_class where relnamespace = 'monitoring'::regnamespace and relrowsecurity"
        ).fetchone()
        assert secured == (0,)
