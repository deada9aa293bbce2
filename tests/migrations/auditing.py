"""One worker's side of the audit functions, as the tests of them speak it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
FIRST = int((NOW - timedelta(minutes=30)).timestamp() // 60)


def write_window(connection: Connection, minute: int, cache: str = "answers", hits: int = 5) -> None:
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits)"
        " values (monitoring.minute_at(%s), %s, %s, %s) on conflict (minute_window, implementation_type)"
        " do update set hits = excluded.hits, total_operations = excluded.total_operations",
        (minute, cache, hits, hits),
    )


def lease(connection: Connection, worker: str = "w", seconds: int = 60) -> list[str]:
    row = connection.execute("select monitoring.auditor_lease(%s, %s, 100)", (worker, seconds)).fetchone()
    assert row is not None
    held: list[str] = row[0]["held"]
    return held


def take(connection: Connection, worker: str = "w", **request: Any) -> dict[str, Any]:
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


def commit(connection: Connection, pull: dict[str, Any], worker: str = "w", **changes: Any) -> dict[str, Any]:
    """Commit verdicts for all of a pull; the outcome of each cache."""
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


def late_minutes(pull: dict[str, Any]) -> list[int]:
    return [minute for cache in pull["caches"] for minute in cache["late"].get("minute") or []]


def audited(connection: Connection) -> Connection:
    for minute in range(FIRST, FIRST + 20):
        write_window(connection, minute)
    lease(connection)
    assert commit(connection, take(connection)) == {"answers": "committed"}
    return connection
