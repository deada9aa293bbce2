"""What the upgrade of a deployed original must leave as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from auditor.database.migrations import apply_migrations, read_migrations
from tests.migrations.auditing import commit, lease, take

ORIGINALS = sorted((Path(__file__).parent / "original").glob("*.sql"))
VIEWS = """
create schema reports;
create role reader;
create view reports.rates as
    select implementation_type, round(avg(hit_rate), 2) as rate, sum(hits) as hits from monitoring.cache_metrics_1min group by 1;
create view reports.best with (security_invoker = true) as select * from reports.rates where rate > 50;
create materialized view reports.latest as
    select implementation_type, round(deviation_percentage, 1) as deviation from monitoring.cache_auditor_observations;
create unique index latest_once on reports.latest (implementation_type);
create view monitoring.latencies as select id, round(response_time_ms / 1000.0, 3) as seconds from monitoring.cache_metrics;
comment on view reports.rates is 'as they are read aloud on Mondays';
grant select on reports.rates to reader;
grant select on reports.best to public;
"""
LEFT = """
select c.oid::regclass::text, c.relkind::text, c.reloptions::text, obj_description(c.oid, 'pg_class'), pg_get_userbyid(c.relowner),
    (select array_agg(a.grantee || ' ' || a.privilege_type order by 1) from aclexplode(c.relacl) a
        where a.grantee <> c.relowner and c.relnamespace = 'reports'::regnamespace)
from pg_class c where c.relkind in ('v', 'm', 'i') and (c.relnamespace = 'reports'::regnamespace or c.relname = 'latencies')
order by 1
"""


def _opened(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, autocommit=True)


@pytest.mark.parametrize("original", ORIGINALS, ids=lambda path: path.stem)
def test_views_over_the_original_tables_answer_as_before(any_database: str, original: Path) -> None:
    reads = (
        "select * from reports.best order by 1",
        "select * from reports.latest",
        "select * from monitoring.latencies order by 1",
    )
    with _opened(any_database) as connection:
        connection.execute(original.read_bytes())
        connection.execute(VIEWS)
        left = connection.execute(LEFT).fetchall()
        answers = [connection.execute(read.encode()).fetchall() for read in reads]
    apply_migrations(any_database)
    with _opened(any_database) as connection:
        try:
            assert connection.execute(LEFT).fetchall() == left
            assert [connection.execute(read.encode()).fetchall() for read in reads] == answers
            connection.execute("refresh materialized view concurrently reports.latest")
        finally:
            connection.execute("drop owned by reader; drop role reader")


@pytest.mark.parametrize("original", ORIGINALS, ids=lambda path: path.stem)
def test_an_upgraded_database_does_the_auditors_work(any_database: str, original: Path) -> None:
    with _opened(any_database) as connection:
        connection.execute(original.read_bytes())
    apply_migrations(any_database)
    observation = {
        "severity": "critical",
        "category": "anomaly",
        "title": "t",
        "description": "d",
        "implementation_type": "legacy",
        "timestamp": "2026-01-01T00:00:00Z",
        "fingerprint": "f",
        "status": "open",
        "deviation_percentage": -1234.5,
    }
    baseline = {"implementation_type": "legacy", "period_start_minute": 1, "period_end_minute": 2}
    with _opened(any_database) as connection:
        assert lease(connection) == ["legacy"]
        pull = take(connection)
        (cache,) = pull["caches"]
        assert len(cache["columns"]["minute"]) >= 118
        assert set(cache["columns"]["p95_response_time_ms"]) == {123.45}
        assert commit(connection, pull, observations=[observation], baseline=baseline) == {
            "legacy": "committed"
        }
        (told,) = connection.execute(
            "select monitoring.acknowledge_observation(id::text, 'ignore', 'ada') from monitoring.cache_auditor_observations"
            " where fingerprint = 'f'"
        ).fetchall()
        assert told == ("f",)
        connection.execute("select monitoring.auditor_maintain(7, 30, 365)")
        answer = connection.execute(
            "select monitoring.ingest_cache_metrics(%s::jsonb)",
            (json.dumps([{"cache_key": "k", "operation_type": "hit", "implementation_type": "legacy"}]),),
        ).fetchone()
        assert answer is not None
        assert answer[0]["accepted"] == 1


def test_hours_that_the_original_rolled_up_stay_and_those_it_had_not_are_added(any_database: str) -> None:
    with _opened(any_database) as connection:
        connection.execute(ORIGINALS[0].read_bytes())
        connection.execute(
            "insert into monitoring.cache_metrics_1hour (hour_window, implementation_type, total_operations, hits, p95_response_time_ms)"
            " values (date_trunc('hour', now() - interval '1 hour'), 'legacy', 4321, 1234, 99.5)"
        )
    apply_migrations(any_database)
    with _opened(any_database) as connection:
        connection.execute("select monitoring.rollup_cache_metrics_1hour()")
        rows = connection.execute(
            "select extract(epoch from date_trunc('hour', now()) - hour_window)::int / 3600, total_operations, p95_response_time_ms"
            " from monitoring.cache_metrics_1hour where implementation_type = 'legacy' order by 1"
        ).fetchall()
        assert (rows[0][0], rows[0][1], float(rows[0][2])) == (1, 4321, 99.5)
        assert rows[1][2] is None
        assert rows[1][1] > 0


def test_functions_of_the_originals_that_answer_otherwise_give_way(any_database: str) -> None:
    with _opened(any_database) as connection:
        connection.execute(ORIGINALS[0].read_bytes())
        connection.execute("""
            create function monitoring.calculate_hit_rate(p_type varchar, p_window interval) returns numeric
                language sql as 'select 1.0';
            create function monitoring.get_cache_performance_summary(implementation_type text, hours integer) returns jsonb
                language sql as $$ select '{}'::jsonb $$;
        """)
        for _ in range(2):
            for migration in read_migrations():
                connection.execute(migration.text.encode())
        rate = connection.execute(
            "select monitoring.calculate_hit_rate('legacy', interval '1 day')"
        ).fetchone()
        assert rate == (70.0,)
        rate = connection.execute(
            "select monitoring.calculate_hit_rate(implementation_type => 'legacy', time_window => '1 day')"
        ).fetchone()
        assert rate == (70.0,)


def test_a_publication_of_the_whole_schema_is_narrowed_and_other_schemas_tables_stay_in_it(
    any_database: str,
) -> None:
    with _opened(any_database) as connection:
        connection.execute(ORIGINALS[0].read_bytes())
        connection.execute("create table public.messages (id int primary key)")
        connection.execute(
            "create publication supabase_realtime for tables in schema monitoring, table public.messages"
        )
    for _ in range(2):
        apply_migrations(any_database)
    with _opened(any_database) as connection:
        carried = connection.execute(
            "select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by 1"
        )
        assert [row[0] for row in carried] == ["cache_auditor_observations", "cache_metrics_1min", "messages"]


def test_every_procedure_pins_its_search_path_and_none_runs_with_its_owners_rights(database: str) -> None:
    with _opened(database) as connection:
        loose = connection.execute(
            "select p.proname from pg_proc p join pg_language l on l.oid = p.prolang"
            " where p.pronamespace = 'monitoring'::regnamespace and (p.prosecdef or l.lanname = 'plpgsql'"
            " and not coalesce(p.proconfig @> array['search_path=\"\"'], false))"
        ).fetchall()
        assert loose == []


def test_nothing_depends_on_the_callers_search_path(database: str) -> None:
    with _opened(database) as connection:
        connection.execute("create schema trap")
        connection.execute("create table trap.cache_metrics_1min (x int)")
        connection.execute(
            "create function trap.minute_of(timestamptz) returns bigint language sql as 'select 0'"
        )
        connection.execute("set search_path = trap, monitoring")
        answer = connection.execute(
            "select monitoring.ingest_cache_metrics(%s::jsonb)",
            (json.dumps([{"cache_key": "k", "operation_type": "hit", "implementation_type": "answers"}]),),
        ).fetchone()
        assert answer is not None
        assert answer[0]["windows"] == 1
        assert lease(connection) == ["answers"]
        rate = connection.execute("select monitoring.calculate_hit_rate('answers')").fetchone()
        assert rate == (100.0,)
