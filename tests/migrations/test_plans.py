"""Every index is there for a query, and the planner agrees on full tables."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from auditor.database.migrations import apply_migrations

FILL = """
set session_replication_role = replica;
insert into monitoring.cache_metrics (cache_key, operation_type, implementation_type, "timestamp")
    select 'k', case n % 50 when 0 then 'error' else 'hit' end, 'cache ' || n % 20, now() - make_interval(secs => n * 5)
    from generate_series(1, 60000) n;
insert into monitoring.cache_metrics_1min (minute_window, implementation_type, revision)
    select date_trunc('minute', now()) - make_interval(mins => n), 'cache ' || c, (1000000 - n)::text::xid8
    from generate_series(1, 4000) n, generate_series(1, 20) c;
insert into monitoring.cache_metrics_1hour (hour_window, implementation_type)
    select date_trunc('hour', now()) - make_interval(hours => n), 'cache ' || c from generate_series(1, 2000) n, generate_series(1, 20) c;
insert into monitoring.cache_auditor_ledger (implementation_type, minute_window, verdict, mode, scores, config_hash)
    select 'cache ' || c, date_trunc('minute', now()) - make_interval(mins => n), case n % 97 when 0 then 'anomalous' else 'normal' end,
        'live', '{}', 'c' from generate_series(1, 4000) n, generate_series(1, 20) c;
insert into monitoring.cache_baseline_metrics (implementation_type, baseline_period_start, baseline_period_end, is_active, created_at)
    select 'cache ' || c, now(), now(), n = 1, now() - make_interval(days => n) from generate_series(1, 60) n, generate_series(1, 200) c;
insert into monitoring.cache_auditor_observations (severity, category, title, description, implementation_type, "timestamp",
    fingerprint, incident_id, status, acknowledged)
    select case n % 100 when 0 then 'critical' else 'info' end, 'anomaly', 't', 'd', 'cache ' || n % 200, now() - make_interval(mins => n),
        'f' || n, 'i' || n / 3, case n % 500 when 7 then 'open' else 'resolved' end, n % 300 <> 5 from generate_series(1, 30000) n;
insert into monitoring.cache_auditor_checkpoint (implementation_type, lease_holder, lease_expires_at)
    select 'cache ' || n, 'worker ' || n % 50, now() + make_interval(secs => n) from generate_series(1, 5000) n;
insert into monitoring.cache_auditor_worker select 'worker ' || n, now() - make_interval(secs => n) from generate_series(1, 3000) n;
analyze;
"""

QUERIES = {
    "cache_metrics_pkey": "select from monitoring.cache_metrics where id = '6f1e4c0e-0c3b-5d0a-9a57-2f0a4f1f6f10'",
    "cache_metrics_timestamp": "delete from monitoring.cache_metrics where \"timestamp\" < now() - interval '7 days'",
    "cache_metrics_cache_errors": "select error_type, count(*) from monitoring.cache_metrics where implementation_type = 'cache 0'"
    " and operation_type = 'error' and \"timestamp\" >= now() - interval '1 hour' group by 1",
    "cache_metrics_1min_window": "delete from monitoring.cache_metrics_1min where minute_window < now() - interval '30 days'",
    "cache_metrics_1min_cache_window": "select * from monitoring.cache_metrics_1min where implementation_type = 'cache 3'"
    " and minute_window > now() - interval '20 minutes' order by minute_window",
    "cache_metrics_1min_cache_revision": "select * from monitoring.cache_metrics_1min where implementation_type = 'cache 3'"
    " and revision >= '999990'::xid8",
    "cache_metrics_1min_revision": "select distinct implementation_type from monitoring.cache_metrics_1min where revision >= '999995'::xid8",
    "cache_metrics_1hour_window": "delete from monitoring.cache_metrics_1hour where hour_window < now() - interval '365 days'",
    "cache_metrics_1hour_cache_window": "select * from monitoring.cache_metrics_1hour where implementation_type = 'cache 3'"
    " and hour_window > now() - interval '3 days' order by hour_window",
    "cache_baseline_metrics_active": "select * from monitoring.cache_baseline_metrics where implementation_type = 'cache 3' and is_active",
    "cache_baseline_metrics_history": "select * from monitoring.cache_baseline_metrics where implementation_type = 'cache 3'"
    " order by created_at desc limit 5",
    "cache_auditor_observations_fingerprint": "select from monitoring.cache_auditor_observations where fingerprint = 'f77'",
    "cache_auditor_observations_newest": 'select * from monitoring.cache_auditor_observations order by "timestamp" desc limit 20',
    "cache_auditor_observations_cache": "select * from monitoring.cache_auditor_observations where implementation_type = 'cache 7'"
    ' order by "timestamp" desc limit 20',
    "cache_auditor_observations_severity": "select * from monitoring.cache_auditor_observations where severity = 'critical'"
    ' order by "timestamp" desc limit 20',
    "cache_auditor_observations_incident": "select * from monitoring.cache_auditor_observations where incident_id = 'i77'",
    "cache_auditor_observations_open": "select * from monitoring.cache_auditor_observations where status = 'open'"
    ' order by "timestamp" desc limit 50',
    "cache_auditor_observations_unacknowledged": "select * from monitoring.cache_auditor_observations where not acknowledged"
    ' order by "timestamp" desc limit 50',
    "cache_auditor_ledger_pkey": "select * from monitoring.cache_auditor_ledger where implementation_type = 'cache 3'"
    " and minute_window > now() - interval '20 minutes'",
    "cache_auditor_ledger_window": "delete from monitoring.cache_auditor_ledger where minute_window < now() - interval '30 days'",
    "cache_auditor_ledger_anomalous": "select * from monitoring.cache_auditor_ledger where implementation_type = 'cache 3'"
    " and verdict = 'anomalous' and minute_window > now() - interval '2 days'",
    "cache_auditor_checkpoint_pkey": "select * from monitoring.cache_auditor_checkpoint where implementation_type = 'cache 3' for update",
    "cache_auditor_checkpoint_holder": "select * from monitoring.cache_auditor_checkpoint where lease_holder = 'worker 3'",
    "cache_auditor_checkpoint_expiry": "select * from monitoring.cache_auditor_checkpoint where lease_expires_at <= now()",
    "cache_auditor_worker_pkey": "delete from monitoring.cache_auditor_worker where worker = 'worker 3'",
    "cache_auditor_worker_seen": "select count(*) from monitoring.cache_auditor_worker where seen_at >= now() - interval '60 seconds'",
}
BY_NAME_ONLY = {
    "cache_metrics_1min_pkey",
    "cache_metrics_1hour_pkey",
    "cache_baseline_metrics_pkey",
    "cache_auditor_observations_pkey",
    "cache_auditor_maintenance_pkey",
    "cache_auditor_migrations_pkey",
}
"""Primary keys, which are there to be keys."""


pytestmark = pytest.mark.xdist_group("full tables")


@pytest.fixture(scope="module")
def full(plain_server: str) -> Any:
    with psycopg.connect(plain_server, autocommit=True) as connection:
        connection.execute("create database full_tables")
        dsn = make_conninfo(plain_server, dbname="full_tables")
        apply_migrations(dsn)
        with psycopg.connect(dsn, autocommit=True) as filled:
            filled.execute(FILL)
            yield filled
        connection.execute("drop database full_tables with (force)")


def test_every_index_has_its_query(full: psycopg.Connection[Any]) -> None:
    names = {
        row[0] for row in full.execute("select indexname from pg_indexes where schemaname = 'monitoring'")
    }
    assert names == QUERIES.keys() | BY_NAME_ONLY
    assert len(QUERIES) >= 20


@pytest.mark.parametrize("index", QUERIES)
def test_the_planner_uses_the_index_for_its_query(full: psycopg.Connection[Any], index: str) -> None:
    plan = "\n".join(row[0] for row in full.execute(f"explain {QUERIES[index]}".encode()))
    assert index in plan, plan
