"""Hours out of minutes, summaries, retention."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from auditor.database.migrations import read_migrations

Connection = psycopg.Connection[Any]
HOUR = (datetime.now(UTC) - timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)


def _ingest(connection: Connection, stamp: datetime, latencies: list[float], **fields: Any) -> None:
    events = [
        {
            "cache_key": "k",
            "operation_type": "hit",
            "implementation_type": "answers",
            "response_time_ms": latency,
            "timestamp": stamp.isoformat(),
        }
        | fields
        for latency in latencies
    ]
    connection.execute("select monitoring.ingest_cache_metrics(%s::jsonb)", (json.dumps(events),))


def _one(connection: Connection, query: str, *arguments: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(query.encode(), arguments).fetchone()
    assert row is not None
    return row


def _rollup(connection: Connection) -> int:
    (hours,) = _one(connection, "select monitoring.rollup_cache_metrics_1hour()")
    assert isinstance(hours, int)
    return hours


def test_an_hour_is_rolled_up_once_and_again_when_a_minute_of_it_was_written(connection: Connection) -> None:
    _ingest(connection, HOUR, [1.0, 2.0])
    _ingest(connection, HOUR + timedelta(minutes=59), [9.0], operation_type="miss")
    assert _rollup(connection) == 1
    _rollup(connection)
    assert _rollup(connection) == 0
    row = _one(
        connection,
        "select total_operations, hits, misses, hit_rate, avg_response_time_ms,"
        " avg_hit_response_time_ms, avg_miss_response_time_ms, max_response_time_ms from monitoring.cache_metrics_1hour",
    )
    assert row == (3, 2, 1, pytest.approx(200 / 3), 4.0, 1.5, 9.0, 9.0)
    _ingest(connection, HOUR + timedelta(minutes=30), [400.0])
    assert _rollup(connection) == 1
    assert _one(
        connection,
        "select total_operations, avg_response_time_ms, max_response_time_ms"
        " from monitoring.cache_metrics_1hour",
    ) == (4, 103.0, 400.0)


def test_the_hour_that_is_not_over_waits(connection: Connection) -> None:
    _ingest(connection, datetime.now(UTC), [1.0])
    assert _rollup(connection) == 0


def test_an_hour_with_a_minute_without_a_histogram_has_no_percentiles_and_the_average_of_all(
    connection: Connection,
) -> None:
    _ingest(connection, HOUR, [10.0, 10.0])
    _rollup(connection)
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits,"
        " avg_response_time_ms, p95_response_time_ms) values (%s, 'answers', 8, 8, 20, 50)",
        (HOUR + timedelta(minutes=5),),
    )
    assert _rollup(connection) == 1
    row = _one(
        connection,
        "select total_operations, avg_response_time_ms, p50_response_time_ms, p95_response_time_ms,"
        " p99_response_time_ms from monitoring.cache_metrics_1hour",
    )
    assert row == (10, pytest.approx(18.0), None, None, None)


def test_averages_of_hours_are_those_of_the_events(connection: Connection) -> None:
    rng = np.random.default_rng(3)
    parts = [rng.lognormal(2, 2, size).tolist() for size in (1, 17, 400)]
    for at, part in enumerate(parts):
        _ingest(connection, HOUR + timedelta(minutes=at), part)
    _rollup(connection)
    (average,) = _one(connection, "select avg_response_time_ms from monitoring.cache_metrics_1hour")
    assert average == pytest.approx(np.mean(np.concatenate(parts)), rel=1e-12)


def test_a_summary_counts_minutes_and_the_hours_before_them(connection: Connection) -> None:
    now = datetime.now(UTC)
    connection.execute(
        "insert into monitoring.cache_metrics_1hour (hour_window, implementation_type, total_operations, hits, latency_count,"
        " latency_sum_ms, latency_buckets, latency_counts, min_response_time_ms, max_response_time_ms)"
        " values (date_trunc('hour', now() - interval '40 days'), 'answers', 4, 4, 4, 40, '{116}', '{4}', 10, 10)"
    )
    _ingest(connection, now - timedelta(minutes=5), [20.0, 30.0])
    _ingest(connection, now - timedelta(minutes=5), [1.0], operation_type="error", error_type="Timeout")
    _ingest(connection, now - timedelta(minutes=5), [1.0], operation_type="error")
    connection.execute(
        "insert into monitoring.cache_auditor_ledger (implementation_type, minute_window, verdict, mode, scores, config_hash)"
        " values ('answers', date_trunc('minute', now()), 'anomalous', 'live', '{}', 'c')"
    )
    asked = (
        "select total_operations, hits, hit_rate, error_rate, avg_response_time_ms, p50_response_time_ms, errors_by_type,"
        " anomalous_windows from monitoring.get_cache_performance_summary('answers', %s)"
    )
    day, year = _one(connection, asked, 24), _one(connection, asked, 24 * 365)
    assert day == (4, 2, 100.0, 50.0, 13.0, pytest.approx(10.5, rel=0.02), {"Timeout": 1, "unknown": 1}, 1)
    assert year == (8, 6, 100.0, 25.0, 11.5, pytest.approx(10.0, rel=0.02), {"Timeout": 1, "unknown": 1}, 1)


def test_the_hit_rate_is_of_all_gets_and_null_without_any(connection: Connection) -> None:
    now = datetime.now(UTC)
    assert _one(connection, "select monitoring.calculate_hit_rate('answers', '1 hour')") == (None,)
    _ingest(connection, now - timedelta(minutes=5), [1.0] * 3)
    _ingest(connection, now - timedelta(minutes=50), [1.0], operation_type="miss")
    _ingest(connection, now - timedelta(hours=5), [1.0] * 50, operation_type="miss")
    assert _one(connection, "select monitoring.calculate_hit_rate('answers', '1 hour')") == (75.0,)


def test_what_has_been_kept_long_enough_goes_and_the_rest_stays(connection: Connection) -> None:
    connection.execute("""
        insert into monitoring.cache_metrics (cache_key, operation_type, implementation_type, "timestamp")
            select 'k', 'hit', 'answers', now() - make_interval(days => n) from generate_series(1, 10) n;
        insert into monitoring.cache_metrics_1min (minute_window, implementation_type)
            select now() - make_interval(days => n), 'answers' from generate_series(25, 34) n;
        insert into monitoring.cache_metrics_1min (minute_window, implementation_type) values (now() - interval '40 days', 'gone');
        insert into monitoring.cache_metrics_1hour (hour_window, implementation_type)
            select now() - make_interval(days => n), 'answers' from generate_series(360, 370) n;
        insert into monitoring.cache_auditor_ledger (implementation_type, minute_window, verdict, mode, scores, config_hash)
            select 'answers', now() - make_interval(days => n), 'normal', 'live', '{}', 'c' from generate_series(25, 34) n;
        insert into monitoring.cache_auditor_checkpoint (implementation_type) values ('answers'), ('gone');
    """)
    (purged,) = _one(connection, "select monitoring.purge_expired_cache_metrics()")
    # a row of exactly the limit's age is a few milliseconds too old
    assert purged == {
        "cache_metrics": 4,
        "cache_metrics_1min": 6,
        "cache_auditor_ledger": 5,
        "cache_metrics_1hour": 6,
    }
    left = connection.execute(
        "select implementation_type from monitoring.cache_auditor_checkpoint"
    ).fetchall()
    assert left == [("answers",)]


def test_a_schedule_keeps_what_an_auditor_was_told_to_keep(connection: Connection) -> None:
    connection.execute("select monitoring.auditor_maintain(30, 60, 700)")
    connection.execute(
        'insert into monitoring.cache_metrics (cache_key, operation_type, implementation_type, "timestamp")'
        " values ('k', 'hit', 'answers', now() - interval '20 days')"
    )
    (purged,) = _one(connection, "select monitoring.purge_expired_cache_metrics()")
    assert purged["cache_metrics"] == 0


def test_the_hourly_work_is_scheduled_where_there_is_a_scheduler(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("""
            create schema cron;
            create table cron.job (name text primary key, schedule text, command text);
            create function cron.schedule(name text, schedule text, command text) returns bigint language sql as
                'insert into cron.job values (name, schedule, command) on conflict (name) do update set command = excluded.command;
                 select 1::bigint';
        """)
        for _ in range(2):
            for migration in read_migrations():
                connection.execute(migration.text.encode())
        commands = connection.execute("select command from cron.job").fetchall()
        assert len(commands) == 2
        for (command,) in commands:
            connection.execute(command.encode())


def test_only_one_does_the_hourly_work_at_a_time(database: str, connection: Connection) -> None:
    with psycopg.connect(database) as busy:
        assert _one(busy, "select monitoring.auditor_maintain(7, 30, 365)")[0] is not None
        assert _one(connection, "select monitoring.auditor_maintain(7, 30, 365)") == (None,)
    assert _one(connection, "select monitoring.auditor_maintain(7, 30, 365)")[0] is not None
