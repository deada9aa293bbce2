"""The audit functions: nothing lost to a late commit, nothing written under a stale lease, nothing written twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
FIRST = int((NOW - timedelta(minutes=30)).timestamp() // 60)


def _window(connection: Connection, minute: int, cache: str = "answers", hits: int = 5) -> None:
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits)"
        " values (monitoring.minute_at(%s), %s, %s, %s) on conflict (minute_window, implementation_type)"
        " do update set hits = excluded.hits, total_operations = excluded.total_operations",
        (minute, cache, hits, hits),
    )


def _lease(connection: Connection, worker: str = "w", seconds: int = 60) -> list[str]:
    row = connection.execute("select monitoring.auditor_lease(%s, %s, 100)", (worker, seconds)).fetchone()
    assert row is not None
    held: list[str] = row[0]["held"]
    return held


def _pull(connection: Connection, worker: str = "w", **request: Any) -> dict[str, Any]:
    asked = {
        "settle_seconds": 20,
        "max_windows_per_cache": 1000,
        "max_windows": 10_000,
        "known": {},
    } | request
    row = connection.execute(
        "select monitoring.auditor_pull(%s, %s::jsonb)", (worker, json.dumps(asked))
    ).fetchone()
    assert row is not None
    answer: dict[str, Any] = row[0]
    return answer


def _commit(
    connection: Connection, pull: dict[str, Any], worker: str = "w", **changes: Any
) -> dict[str, Any]:
    results = []
    for cache in pull["caches"]:
        there = dict(
            zip(cache["columns"].get("minute") or [], cache["columns"].get("revision") or [], strict=True)
        )
        minutes = range(cache["first_minute"], cache["last_minute"] + 1)
        late = cache["late"].get("minute") or []
        results.append(
            {
                "implementation_type": cache["implementation_type"],
                "fencing_token": cache["fencing_token"],
                "cursor_before": cache["cursor"],
                "cursor_after": cache["last_minute"],
                "state": {"version": 1, "hot": {}},
                "history": None,
                "ledger": {
                    "first_minute": cache["first_minute"],
                    "verdict": ["normal" if minute in there else "no_data" for minute in minutes],
                    "scores": [{} for _ in minutes],
                    "revision": [there.get(minute) for minute in minutes],
                },
                "late": [
                    {"minute": minute, "verdict": "anomalous", "scores": {}, "revision": revision}
                    for minute, revision in zip(late, cache["late"].get("revision") or [], strict=True)
                ],
                "observations": [],
                "baseline": None,
                "config_hash": "c",
            }
            | changes
        )
    row = connection.execute(
        "select monitoring.auditor_commit(%s, %s, %s::jsonb)",
        (worker, pull["watermark"], json.dumps(results)),
    ).fetchone()
    assert row is not None
    return {name: outcome["outcome"] for name, outcome in row[0]["outcomes"].items()}


def _late(pull: dict[str, Any]) -> list[int]:
    return [minute for cache in pull["caches"] for minute in cache["late"].get("minute") or []]


def _audited(connection: Connection) -> Connection:
    for minute in range(FIRST, FIRST + 20):
        _window(connection, minute)
    _lease(connection)
    assert _commit(connection, _pull(connection)) == {"answers": "committed"}
    return connection


def test_each_settled_minute_is_audited_once_and_a_minute_without_a_row_is_one_too(
    connection: Connection,
) -> None:
    for minute in (FIRST, FIRST + 1, FIRST + 4):
        _window(connection, minute)
    _lease(connection)
    pull = _pull(connection, horizon_minute=FIRST + 6)
    (cache,) = pull["caches"]
    assert (cache["first_minute"], cache["last_minute"]) == (FIRST, FIRST + 6)
    _commit(connection, pull)
    rows = connection.execute(
        "select monitoring.minute_of(minute_window) - %s, verdict from monitoring.cache_auditor_ledger order by 1",
        (FIRST,),
    ).fetchall()
    assert rows == [(n, "normal" if n in {0, 1, 4} else "no_data") for n in range(7)]
    assert _pull(connection, horizon_minute=FIRST + 6)["caches"] == []


def test_a_minute_is_not_settled_before_its_time(connection: Connection) -> None:
    newest = int(datetime.now(UTC).timestamp() // 60)
    for minute in range(newest - 3, newest + 1):
        _window(connection, minute)
    _lease(connection)
    (cache,) = _pull(connection, settle_seconds=120)["caches"]
    assert newest - 4 <= cache["last_minute"] <= newest - 2


def test_a_transaction_held_open_while_later_ones_commit_loses_no_window(
    database: str, connection: Connection
) -> None:
    with psycopg.connect(database) as held_open:
        _window(held_open, FIRST + 5, hits=77)
        _audited_but = [minute for minute in range(FIRST, FIRST + 20) if minute != FIRST + 5]
        for minute in _audited_but:
            _window(connection, minute)
        _lease(connection)
        for _ in range(3):
            assert _commit(connection, _pull(connection)).get("answers", "committed") == "committed"
            _window(connection, FIRST + 6)
        held_open.commit()
    assert FIRST + 5 in _late(_pull(connection))


def test_a_revised_window_comes_once_for_each_revision(connection: Connection) -> None:
    _audited(connection)
    assert _late(_pull(connection)) == []
    _window(connection, FIRST + 3, hits=9)
    first = _pull(connection)
    assert _late(first) == [FIRST + 3]
    _commit(connection, first)
    assert _late(_pull(connection)) == []
    _window(connection, FIRST + 3, hits=10)
    assert _late(_pull(connection)) == [FIRST + 3]
    row = connection.execute(
        "select verdict, late_verdict from monitoring.cache_auditor_ledger where minute_window = monitoring.minute_at(%s)",
        (FIRST + 3,),
    ).fetchone()
    assert row == ("normal", "anomalous")


def test_a_watermark_from_the_future_makes_all_windows_compared_with_the_ledger(
    connection: Connection,
) -> None:
    _audited(connection)
    _window(connection, FIRST + 2, hits=8)
    connection.execute("update monitoring.cache_auditor_checkpoint set watermark = '999999999999'::xid8")
    assert _late(_pull(connection)) == [FIRST + 2]


def test_a_commit_sent_again_is_a_no_op(connection: Connection) -> None:
    for minute in range(FIRST, FIRST + 5):
        _window(connection, minute)
    _lease(connection)
    pull = _pull(connection)
    assert _commit(connection, pull) == {"answers": "committed"}
    assert _commit(connection, pull) == {"answers": "repeated"}
    assert _commit(connection, pull, config_hash="other") == {"answers": "stale"}


@pytest.mark.parametrize("spoil", ["expired", "taken", "token", "other worker"])
def test_a_commit_under_a_stale_lease_is_refused_and_writes_nothing(
    connection: Connection, spoil: str
) -> None:
    _window(connection, FIRST)
    _lease(connection)
    pull = _pull(connection)
    worker = "w"
    if spoil in {"expired", "taken"}:
        connection.execute(
            "update monitoring.cache_auditor_checkpoint set lease_expires_at = clock_timestamp() - interval '1 s'"
        )
    if spoil == "taken":
        assert _lease(connection, "thief") == ["answers"]
    if spoil == "token":
        pull["caches"][0]["fencing_token"] -= 1
    if spoil == "other worker":
        worker = "thief"
    assert _commit(connection, pull, worker) == {"answers": "stale"}
    assert connection.execute("select count(*) from monitoring.cache_auditor_ledger").fetchone() == (0,)


def test_a_new_holder_has_a_new_token(connection: Connection) -> None:
    _window(connection, FIRST)
    _lease(connection)
    first = _pull(connection)["caches"][0]["fencing_token"]
    connection.execute(
        "update monitoring.cache_auditor_checkpoint set lease_expires_at = clock_timestamp() - interval '1 s'"
    )
    _lease(connection)
    assert _pull(connection)["caches"][0]["fencing_token"] > first


def test_two_workers_share_the_caches_evenly_and_one_that_leaves_gives_its_share_back(
    connection: Connection,
) -> None:
    names = {f"cache {n:02}" for n in range(10)}
    for name in names:
        _window(connection, FIRST, name)
    assert set(_lease(connection, "a")) == names
    _lease(connection, "b")
    assert len(_lease(connection, "a")) == 5
    assert set(_lease(connection, "b")) | set(_lease(connection, "a")) == names
    connection.execute("select monitoring.auditor_release('a')")
    _lease(connection, "b")
    assert set(_lease(connection, "b")) == names


def test_a_backlog_comes_in_bounded_parts_with_nothing_left_out(connection: Connection) -> None:
    for name in ("a", "b", "c"):
        for minute in range(FIRST, FIRST + 20):
            _window(connection, minute, name)
    _lease(connection)
    horizon, parts = FIRST + 19, 0
    while pull := _pull(connection, horizon_minute=horizon, max_windows_per_cache=7, max_windows=10):
        total = sum(cache["last_minute"] - cache["first_minute"] + 1 for cache in pull["caches"])
        assert total <= 10
        if not total:
            break
        _commit(connection, pull)
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
    pull = _pull(connection, horizon_minute=FIRST)
    assert len(pull["caches"]) == 1000
    assert set(_commit(connection, pull).values()) == {"committed"}


def test_an_activated_baseline_is_in_the_next_pull(connection: Connection) -> None:
    _audited(connection)
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
    _window(connection, FIRST + 2, hits=6)
    (cache,) = _pull(connection, known={"answers": 1})["caches"]
    assert cache["state"]["hot"]["profile"] == {"learned": 1}
