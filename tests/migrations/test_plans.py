"""Every index is there for a query, and the planner agrees on full tables."""

from __future__ import annotations

import json
import time
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from auditor.database import queries
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
update monitoring.cache_auditor_observations set window_start = "timestamp", window_end = "timestamp" + interval '1 minute';
insert into monitoring.cache_auditor_model_calls (incident_id, fingerprint, purpose, asked_by, status, worker, claimed_at, expires_at,
    evidence_hash, prompt_hash, model)
    select 'c' || n, 'g' || n, 'incident_opened', 'service', case when n % 500 = 0 then 'lost' when n % 300 = 0 then 'reserved' else 'done' end, 'w',
        now() - make_interval(mins => 5 * n), now() + make_interval(mins => 5 * n), 'e' || n, 'p', 'm' from generate_series(1, 20000) n;
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
    "cache_auditor_observations_incident": "select * from monitoring.cache_auditor_observations where incident_id = 'i7'",
    "cache_auditor_observations_answered": "select * from monitoring.cache_auditor_observations where implementation_type = 'cache 3'"
    " and verdict is not null and verdict_at >= now() - interval '28 days'",
    "cache_auditor_observations_ended": "select * from monitoring.cache_auditor_observations where window_end >= now() - interval '2 hours'",
    "cache_auditor_model_calls_pkey": "select * from monitoring.cache_auditor_model_calls where id = '6f1e4c0e-0c3b-5d0a-9a57-2f0a4f1f6f10'",
    "cache_auditor_model_calls_once": "select from monitoring.cache_auditor_model_calls where incident_id = 'c7' and purpose = 'incident_opened'"
    " and asked_by = 'service' and status <> 'lost'",
    "cache_auditor_model_calls_claimed": "select sum(cost) from monitoring.cache_auditor_model_calls where claimed_at >= now() - interval '1 day'",
    "cache_auditor_model_calls_answered": "select explanation from monitoring.cache_auditor_model_calls where evidence_hash = 'e7'"
    " and prompt_hash = 'p' and model = 'm' and status = 'done'",
    "cache_auditor_model_calls_unsettled": "select * from monitoring.cache_auditor_model_calls where status = 'reserved' and expires_at <= now()",
    "cache_auditor_model_calls_lost": "select count(*) from monitoring.cache_auditor_model_calls where incident_id = 'c500' and status = 'lost'",
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


WORK = """
update monitoring.cache_auditor_checkpoint set cursor_minute = date_trunc('minute', now()) - interval '10 min', watermark = '999990'::xid8,
    fencing_token = 7, lease_holder = 'auditor', lease_expires_at = now() + interval '1 hour' where implementation_type in ('cache 3', 'cache 4');
select monitoring.ingest_cache_metrics('[{"cache_key": "k", "operation_type": "hit", "implementation_type": "cache 3"}]');
select monitoring.auditor_lease('auditor', 60, 100);
select monitoring.auditor_pull('auditor', '{"settle_seconds": 20, "max_windows_per_cache": 100, "max_windows": 1000}');
select monitoring.auditor_commit('auditor', '1000000', (select jsonb_build_array(jsonb_build_object('implementation_type', 'cache 3',
    'fencing_token', 7, 'cursor_before', monitoring.minute_of(cursor_minute), 'cursor_after', monitoring.minute_of(cursor_minute) + 1,
    'state', '{}'::jsonb, 'config_hash', 'c', 'late', jsonb_build_array(jsonb_build_object('minute', 29000000, 'verdict', 'normal',
    'scores', '{}'::jsonb, 'revision', '5')), 'observations', jsonb_build_array(%s::jsonb), 'baseline', %s::jsonb))
    from monitoring.cache_auditor_checkpoint where implementation_type = 'cache 3'));
select monitoring.auditor_attach_explanation('f77', '{}');
select monitoring.auditor_explanation_material('f77');
select monitoring.auditor_claim_explanations('w', '{"severities": ["critical", "warning"], "after_seconds": 0, "backlog_seconds": 7200, "most": 2, "storm": 5,
    "claim_seconds": 60}');
select monitoring.auditor_reserve_call('w', '{"id": "6f1e4c0e-0c3b-5d0a-9a57-2f0a4f1f6f10"}', '{}');
select monitoring.auditor_cached_explanation('e7', 'p', 'm');
select monitoring.auditor_release('worker 3');
select monitoring.auditor_answers(array['cache 3'], now() - interval '28 days');
select monitoring.auditor_maintain(7, 30, 365);
select monitoring.calculate_hit_rate('cache 3');
select * from monitoring.get_cache_performance_summary('cache 3', 24);
select * from monitoring.windows_between(now() - interval '1 hour', now(), array['cache 3'])
"""
OBSERVATION = {
    "severity": "info",
    "category": "anomaly",
    "title": "t",
    "description": "d",
    "implementation_type": "cache 3",
    "timestamp": "2026-01-01T00:00:00Z",
    "fingerprint": "f77",
    "status": "open",
}
BASELINE = {"implementation_type": "cache 3", "period_start_minute": 1, "period_end_minute": 2}


def test_the_programs_own_statements_use_every_index(full: psycopg.Connection[Any]) -> None:
    full.execute("select pg_stat_reset()")
    for statement in WORK.split(";\n"):
        values = (json.dumps(OBSERVATION), json.dumps(BASELINE)) if "%s" in statement else None
        row = full.execute(statement.encode(), values)
        if "auditor_commit" in statement:
            assert row.fetchone() == (
                {"outcomes": {"cache 3": {"outcome": "committed", "state_version": 1}}},
            )
    dsn = full.info.dsn
    wanted: list[dict[str, Any]] = [
        {},
        {"implementation_type": "cache 7"},
        {"severity": "critical"},
        {"status": "open"},
        {"acknowledged": False},
    ]
    for named in wanted:
        queries.list_observations(dsn, **named)
    queries.list_baselines(dsn, implementation_type="cache 7")
    queries.list_baselines(dsn, implementation_type="cache 7", active_only=True)
    unused = set(QUERIES)
    for _ in range(100):  # a session counts its scans after it has ended
        full.execute("select pg_stat_force_next_flush()")
        unused -= {
            row[0]
            for row in full.execute(
                "select indexrelname from pg_stat_user_indexes where schemaname = 'monitoring' and idx_scan > 0"
            )
        }
        if not unused:
            return
        time.sleep(0.1)
    assert unused == set()
