"""The audit functions: nothing written under a stale lease, nothing twice, every minute once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.migrations.auditing import FIRST, Connection, audited, commit, lease, take, write_window


def test_each_settled_minute_is_audited_once_and_a_minute_without_a_row_is_one_too(
    connection: Connection,
) -> None:
    for minute in (FIRST, FIRST + 1, FIRST + 4):
        write_window(connection, minute)
    lease(connection)
    pull = take(connection, horizon_minute=FIRST + 6)
    (cache,) = pull["caches"]
    assert (cache["first_minute"], cache["last_minute"]) == (FIRST, FIRST + 6)
    commit(connection, pull)
    rows = connection.execute(
        "select monitoring.minute_of(minute_window) - %s, verdict from monitoring.cache_auditor_ledger order by 1",
        (FIRST,),
    ).fetchall()
    assert rows == [(n, "normal" if n in {0, 1, 4} else "no_data") for n in range(7)]
    assert take(connection, horizon_minute=FIRST + 6)["caches"] == []


def test_a_minute_is_not_settled_before_its_time(connection: Connection) -> None:
    newest = int(datetime.now(UTC).timestamp() // 60)
    for minute in range(newest - 3, newest + 1):
        write_window(connection, minute)
    lease(connection)
    (cache,) = take(connection, settle_seconds=120)["caches"]
    assert newest - 4 <= cache["last_minute"] <= newest - 2


def test_a_commit_sent_again_is_a_no_op(connection: Connection) -> None:
    for minute in range(FIRST, FIRST + 5):
        write_window(connection, minute)
    lease(connection)
    pull = take(connection)
    assert commit(connection, pull) == {"answers": "committed"}
    assert commit(connection, pull) == {"answers": "repeated"}
    assert commit(connection, pull, config_hash="other") == {"answers": "stale"}


@pytest.mark.parametrize("spoil", ["expired", "taken", "token", "other worker"])
def test_a_commit_under_a_stale_lease_is_refused_and_writes_nothing(
    connection: Connection, spoil: str
) -> None:
    write_window(connection, FIRST)
    lease(connection)
    pull = take(connection)
    worker = "w"
    if spoil in {"expired", "taken"}:
        connection.execute(
            "update monitoring.cache_auditor_checkpoint set lease_expires_at = clock_timestamp() - interval '1 s'"
        )
    if spoil == "taken":
        assert lease(connection, "thief") == ["answers"]
    if spoil == "token":
        pull["caches"][0]["fencing_token"] -= 1
    if spoil == "other worker":
        worker = "thief"
    assert commit(connection, pull, worker) == {"answers": "stale"}
    assert connection.execute("select count(*) from monitoring.cache_auditor_ledger").fetchone() == (0,)


def test_a_new_holder_has_a_new_token(connection: Connection) -> None:
    write_window(connection, FIRST)
    lease(connection)
    first = take(connection)["caches"][0]["fencing_token"]
    connection.execute(
        "update monitoring.cache_auditor_checkpoint set lease_expires_at = clock_timestamp() - interval '1 s'"
    )
    lease(connection)
    assert take(connection)["caches"][0]["fencing_token"] > first


def test_two_workers_share_the_caches_evenly_and_one_that_leaves_gives_its_share_back(
    connection: Connection,
) -> None:
    names = {f"cache {n:02}" for n in range(10)}
    for name in names:
        write_window(connection, FIRST, name)
    assert set(lease(connection, "a")) == names
    lease(connection, "b")
    assert len(lease(connection, "a")) == 5
    assert set(lease(connection, "b")) | set(lease(connection, "a")) == names
    connection.execute("select monitoring.auditor_release('a')")
    lease(connection, "b")
    assert set(lease(connection, "b")) == names


def test_a_backlog_comes_in_bounded_parts_with_nothing_left_out(connection: Connection) -> None:
    for name in ("a", "b", "c"):
        for minute in range(FIRST, FIRST + 20):
            write_window(connection, minute, name)
    lease(connection)
    horizon, parts = FIRST + 19, 0
    while pull := take(connection, horizon_minute=horizon, max_windows_per_cache=7, max_windows=10):
        total = sum(cache["last_minute"] - cache["first_minute"] + 1 for cache in pull["caches"])
        assert total <= 10
        if not total:
            break
        commit(connection, pull)
        parts += 1
    assert parts >= 6
    rows = connection.execute(
        "select count(*), count(distinct (implementation_type, minute_window)) from monitoring.cache_auditor_ledger"
    )
    assert rows.fetchone() == (60, 60)


def test_a_thousand_caches_come_in_one_pull(connection: Connection) -> None:
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations)"
        " select monitoring.minute_at(%s), 'cache ' || n, n from generate_series(1, 1000) n",
        (FIRST,),
    )
    row = connection.execute("select monitoring.auditor_lease('w', 60, 5000)").fetchone()
    assert row is not None
    assert len(row[0]["held"]) == 1000
    pull = take(connection, horizon_minute=FIRST)
    assert len(pull["caches"]) == 1000
    assert set(commit(connection, pull).values()) == {"committed"}


def test_an_activated_baseline_is_in_the_next_pull(connection: Connection) -> None:
    audited(connection)
    baseline = {
        "implementation_type": "answers",
        "period_start_minute": FIRST,
        "period_end_minute": FIRST + 9,
        "profile": {"learned": 1},
    }
    row = connection.execute(
        "select monitoring.write_baseline(%s::jsonb, false)", (json.dumps(baseline),)
    ).fetchone()
    assert row is not None
    assert connection.execute("select monitoring.activate_baseline(%s)", row).fetchone() == ("answers",)
    write_window(connection, FIRST + 2, hits=6)
    (cache,) = take(connection, known={"answers": 1})["caches"]
    assert cache["state"]["hot"]["profile"] == {"learned": 1}


def test_what_is_being_judged_by_the_old_baseline_is_refused_once_another_is_activated(
    connection: Connection,
) -> None:
    audited(connection)
    baseline = {
        "implementation_type": "answers",
        "period_start_minute": FIRST,
        "period_end_minute": FIRST,
        "profile": {},
    }
    (stored,) = connection.execute(
        "select monitoring.write_baseline(%s::jsonb, false)", (json.dumps(baseline),)
    ).fetchone() or (None,)
    write_window(connection, FIRST + 2, hits=6)
    judged = take(connection)
    connection.execute("select monitoring.activate_baseline(%s)", (stored,))
    assert commit(connection, judged) == {"answers": "stale"}
    assert lease(connection) == ["answers"]
    assert commit(connection, take(connection)) == {"answers": "committed"}


def _observation(**fields: Any) -> dict[str, Any]:
    return {
        "id": "6f1e4c0e-0c3b-5d0a-9a57-2f0a4f1f6f10",
        "severity": "warning",
        "category": "performance",
        "title": "t",
        "description": "d",
        "implementation_type": "answers",
        "timestamp": "2026-01-01T00:00:00Z",
        "fingerprint": "f",
        "status": "open",
        "explanation": {"source": "template"},
    } | fields


def test_a_finding_written_again_is_the_same_row_and_keeps_what_the_engineer_and_the_model_said(
    connection: Connection,
) -> None:
    write_window(connection, FIRST)
    lease(connection)
    commit(connection, take(connection, horizon_minute=FIRST), observations=[_observation()])
    row = connection.execute("select id::text from monitoring.cache_auditor_observations").fetchone()
    assert row == (_observation()["id"],)
    connection.execute("select monitoring.acknowledge_observation(%s, 'incident', 'ada')", row)
    of = connection.execute("select monitoring.explained_state('open', 'warning', null)").fetchone()
    assert of is not None
    told = {"source": "model", "title": "worded", "description": "by a model", "of": of[0]}
    attach = "select monitoring.auditor_attach_explanation('f', %s::jsonb)"
    for _ in range(2):
        assert connection.execute(attach, (json.dumps(told),)).fetchone() == (True,)
    again = _observation(title="again", description="counted again")
    commit(connection, take(connection, horizon_minute=FIRST + 1), observations=[again])
    found = connection.execute(
        "select id::text, title, description, explanation #>> '{template,description}', acknowledged, acknowledged_by, verdict, verdict_by"
        " from monitoring.cache_auditor_observations"
    ).fetchall()
    assert found == [
        (*row, "again", "by a model", "counted again", True, "ada", "incident", "ada"),
    ]


def test_a_renewal_and_a_commit_of_the_same_worker_do_not_wait_for_each_other_in_a_circle(
    database: str, connection: Connection
) -> None:
    for n in range(40):
        write_window(connection, FIRST, f"cache {n:02}")
    lease(connection)
    with psycopg.connect(database, autocommit=True) as second:
        for turn in range(12):
            pull = take(connection, horizon_minute=FIRST + turn)
            outcomes: dict[str, Any] = {}
            committing = threading.Thread(
                target=lambda pull=pull, into=outcomes: into.update(commit(connection, pull))
            )
            committing.start()
            lease(second, "w")
            lease(second, "rival" if turn % 2 else "w")
            committing.join()
            assert outcomes
            second.execute("select monitoring.auditor_release('rival')")
            lease(second, "w")
