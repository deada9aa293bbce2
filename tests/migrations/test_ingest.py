"""Ingest: counted once, whatever is sent twice, at once, or broken; percentiles to within their promise."""

from __future__ import annotations

import json
import random
import threading
import uuid
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import psycopg
import pytest

Connection = psycopg.Connection[Any]


def _event(rng: random.Random, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(int=rng.getrandbits(128))),
        "cache_key": f"k{rng.randrange(1000)}",
        "operation_type": rng.choice(["hit", "hit", "miss", "set", "evict", "error"]),
        "implementation_type": "answers",
        "response_time_ms": rng.lognormvariate(3, 1),
        "cache_size": rng.randrange(500, 600),
    } | fields


def _ingest(connection: Connection, events: Any) -> dict[str, Any]:
    row = connection.execute(
        "select monitoring.ingest_cache_metrics(%s::jsonb)", (json.dumps(events),)
    ).fetchone()
    assert row is not None
    answer: dict[str, Any] = row[0]
    return answer


def test_eight_writers_into_one_minute_with_batches_sent_again_count_everything_once(database: str) -> None:
    stamp = (datetime.now(UTC) - timedelta(minutes=2)).replace(second=10)
    rng = random.Random(7)
    events = [
        _event(
            rng,
            timestamp=(stamp + timedelta(seconds=rng.randrange(40))).isoformat(),
            implementation_type=rng.choice("ab"),
        )
        for _ in range(8000)
    ]
    batches = [events[at : at + 100] for at in range(0, len(events), 100)]
    failures: list[BaseException] = []

    def write(seed: int) -> None:
        chance = random.Random(seed)
        mine = [batch for n, batch in enumerate(batches) if n % 8 == seed or chance.random() < 0.2]
        mine += chance.sample(mine, len(mine) // 3)
        chance.shuffle(mine)
        try:
            with psycopg.connect(database, autocommit=True) as connection:
                for batch in mine:
                    answer = _ingest(connection, batch)
                    assert answer["accepted"] + answer["duplicates"] == 100
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(error)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with psycopg.connect(database) as connection:
        for name in "ab":
            own = [event for event in events if event["implementation_type"] == name]
            _matches(connection, name, own)


def _matches(connection: Connection, name: str, events: list[dict[str, Any]]) -> None:
    cursor = connection.execute(
        "select to_jsonb(w) from monitoring.cache_metrics_1min w where implementation_type = %s", (name,)
    )
    (row,) = [found[0] for found in cursor]
    count = {
        kind: sum(event["operation_type"] == kind for event in events)
        for kind in ("hit", "miss", "set", "evict", "error")
    }
    latencies = [event["response_time_ms"] for event in events]
    assert row["total_operations"] == len(events)
    assert [row[k] for k in ("hits", "misses", "sets", "evictions", "errors")] == list(count.values())
    assert sum(row["latency_counts"]) == row["latency_count"] == len(events)
    assert row["latency_buckets"] == sorted(set(row["latency_buckets"]))
    sums = connection.execute(
        "select latency_sum_ms, hit_latency_sum_ms, cache_size_sum from monitoring.cache_metrics_1min where implementation_type = %s",
        (name,),
    ).fetchone()
    assert sums == (
        sum(map(_stored, latencies)),
        sum(_stored(event["response_time_ms"]) for event in events if event["operation_type"] == "hit"),
        sum(event["cache_size"] for event in events),
    )
    assert row["avg_response_time_ms"] == pytest.approx(np.mean(latencies))
    assert row["max_response_time_ms"] == max(latencies)
    assert row["hit_rate"] == pytest.approx(100 * count["hit"] / (count["hit"] + count["miss"]))
    hits = [event["response_time_ms"] for event in events if event["operation_type"] == "hit"]
    assert row["avg_hit_response_time_ms"] == pytest.approx(np.mean(hits))


def _stored(latency: float) -> Decimal:
    """A latency as the sums hold it: fifteen digits of it, to a femtosecond."""
    return Decimal(f"{latency:.15g}").quantize(Decimal("1e-12"), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("operation_type", "get", "operation_type"),
        ("operation_type", None, "operation_type"),
        ("implementation_type", "", "implementation_type"),
        ("implementation_type", "x" * 65, "implementation_type"),
        ("implementation_type", "a\nb", "implementation_type"),
        ("cache_key", None, "cache_key"),
        ("cache_key", "k" * 2000, "cache_key"),
        ("id", "not-a-uuid", "id is not a uuid"),
        ("response_time_ms", -1, "negative"),
        ("response_time_ms", "NaN", "finite"),
        ("response_time_ms", "Infinity", "finite"),
        ("response_time_ms", "fast", "not a number"),
        ("cache_size", -5, "negative"),
        ("cache_size", 1.5, "whole number"),
        ("timestamp", "2026-02-30T00:00:00Z", "not a time"),
        ("timestamp", "2099-01-01T00:00:00Z", "future"),
        ("timestamp", "2001-01-01T00:00:00Z", "older than"),
    ],
)
def test_a_bad_event_comes_back_with_its_reason_and_the_good_ones_are_stored(
    connection: Connection, field: str, value: Any, reason: str
) -> None:
    rng = random.Random(1)
    bad = _event(rng, **{field: value})
    answer = _ingest(connection, [_event(rng), bad, _event(rng)])
    assert answer["accepted"] == 2
    (rejected,) = answer["rejected"]
    assert (rejected["index"], rejected["id"]) == (1, bad["id"])
    assert reason in rejected["reason"]
    assert connection.execute(
        "select sum(total_operations) from monitoring.cache_metrics_1min"
    ).fetchone() == (2,)


def test_elements_that_are_no_events_are_rejected_one_by_one(connection: Connection) -> None:
    answer = _ingest(connection, [5, None, [], "x", _event(random.Random(1))])
    assert (answer["accepted"], [r["index"] for r in answer["rejected"]]) == (1, [0, 1, 2, 3])


@pytest.mark.parametrize("body", [{}, 5, "x", None])
def test_a_body_that_is_no_array_is_refused(connection: Connection, body: Any) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="must be an array"):
        _ingest(connection, body)


def test_an_event_goes_into_the_minute_it_happened_in(connection: Connection) -> None:
    rng = random.Random(3)
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    stamps = [now - timedelta(minutes=n) for n in (1, 60, 60 * 24 * 3)]
    _ingest(connection, [_event(rng, timestamp=stamp.isoformat()) for stamp in stamps])
    rows = connection.execute(
        "select minute_window from monitoring.cache_metrics_1min order by 1 desc"
    ).fetchall()
    assert [row[0] for row in rows] == [stamp.replace(second=0) for stamp in stamps]


def test_the_hint_is_sent_with_the_commit(connection: Connection, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("listen cache_metrics")
        _ingest(connection, [_event(random.Random(1))])
        (notice,) = listener.notifies(timeout=10, stop_after=1)
        (minute,) = connection.execute(
            "select monitoring.minute_of(minute_window) from monitoring.cache_metrics_1min"
        ).fetchone() or (None,)
        assert json.loads(notice.payload) == {"caches": 1, "minutes": [minute]}


def test_a_hint_stays_short_however_many_minutes_it_is_about(connection: Connection, database: str) -> None:
    now = datetime.now(UTC)
    rng = random.Random(4)
    events = [_event(rng, timestamp=(now - timedelta(minutes=n)).isoformat()) for n in range(5000)]
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("listen cache_metrics")
        assert _ingest(connection, events)["windows"] == 5000
        (notice,) = listener.notifies(timeout=10, stop_after=1)
    assert len(json.loads(notice.payload)["minutes"]) == 100


def test_the_hint_goes_to_realtime_where_there_is_one(connection: Connection) -> None:
    connection.execute("""
        create schema realtime;
        create table realtime.sent (payload jsonb, event text, topic text, private boolean);
        create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
            language sql as 'insert into realtime.sent values (payload, event, topic, private)';
    """)
    _ingest(connection, [_event(random.Random(1))])
    assert connection.execute("select event, topic, payload ->> 'caches' from realtime.sent").fetchall() == [
        ("cache-update", "cache-metrics", "1")
    ]


def test_a_time_without_a_zone_is_utc_whatever_the_sessions_zone(connection: Connection) -> None:
    connection.execute("set timezone = 'Asia/Kathmandu'")
    stamp = datetime.now(UTC).replace(second=7, microsecond=0) - timedelta(minutes=9)
    answer = _ingest(connection, [_event(random.Random(1), timestamp=stamp.strftime("%Y-%m-%d %H:%M:%S"))])
    assert answer["accepted"] == 1
    row = connection.execute(
        "select minute_window at time zone 'UTC' from monitoring.cache_metrics_1min"
    ).fetchone()
    assert row == (stamp.replace(second=0, tzinfo=None),)


def test_no_event_is_taken_that_is_older_than_raw_events_are_kept(connection: Connection) -> None:
    rng = random.Random(6)
    old = _event(rng, timestamp=(datetime.now(UTC) - timedelta(days=3)).isoformat())
    assert _ingest(connection, [old])["accepted"] == 1
    connection.execute("select monitoring.purge_expired_cache_metrics(events_days => 2)")
    assert [fault["index"] for fault in _ingest(connection, [_event(rng), old])["rejected"]] == [1]
    connection.execute("select monitoring.purge_expired_cache_metrics()")
    assert _ingest(connection, [old])["accepted"] == 0


def test_events_that_come_to_a_window_without_a_histogram_add_to_it(connection: Connection) -> None:
    stamp = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=3)
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits, misses, hit_rate,"
        " avg_response_time_ms, p95_response_time_ms, max_response_time_ms) values (%s, 'answers', 9, 6, 3, 66.67, 10, 40, 50)",
        (stamp,),
    )
    rng = random.Random(2)
    for operation, latency in (("hit", 20.0), ("miss", 31.0)):
        _ingest(
            connection,
            [_event(rng, operation_type=operation, response_time_ms=latency, timestamp=stamp.isoformat())],
        )
    row = connection.execute(
        "select total_operations, hits, misses, hit_rate, avg_response_time_ms, p95_response_time_ms, max_response_time_ms"
        " from monitoring.cache_metrics_1min"
    ).fetchone()
    assert row is not None
    assert row[:3] == (11, 7, 4)
    assert row[3] == pytest.approx(700 / 11)
    assert row[4] == pytest.approx((9 * 10 + 20 + 31) / 11)
    assert row[5:] == (None, 50)


SHAPES = {
    "one": np.array([3.7]),
    "two": np.array([1.0, 900.0]),
    "three": np.array([0.002, 5.0, 5.0]),
    "lognormal": np.random.default_rng(1).lognormal(3, 1.2, 3000),
    "fast": np.random.default_rng(2).lognormal(-6, 0.5, 500),
    "slow": np.random.default_rng(3).lognormal(14, 0.3, 500),
    "two humps": np.concatenate(
        [np.random.default_rng(4).lognormal(0.7, 0.3, 900), np.random.default_rng(5).lognormal(6, 0.4, 100)]
    ),
    "constant": np.full(100, 42.0),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_percentiles_of_a_minute_and_of_an_hour_are_within_two_percent(
    connection: Connection, shape: str
) -> None:
    latencies = np.maximum(SHAPES[shape], 0.001)
    hour = (datetime.now(UTC) - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    rng = random.Random(5)
    for at, part in enumerate(np.array_split(latencies, min(5, len(latencies)))):
        stamp = (hour + timedelta(minutes=7 * at)).isoformat()
        _ingest(
            connection,
            [_event(rng, operation_type="hit", response_time_ms=float(x), timestamp=stamp) for x in part],
        )
        _within(connection, "1min", "minute_window", hour + timedelta(minutes=7 * at), part)
    connection.execute("select monitoring.rollup_cache_metrics_1hour()")
    _within(connection, "1hour", "hour_window", hour, latencies)


def _within(connection: Connection, table: str, column: str, window: datetime, latencies: Any) -> None:
    row = connection.execute(
        f"select p50_response_time_ms, p95_response_time_ms, p99_response_time_ms from monitoring.cache_metrics_{table} where {column} = %s".encode(),
        (window,),
    ).fetchone()
    assert row is not None
    exact = np.quantile(latencies, [0.5, 0.95, 0.99])
    assert np.abs(np.array(row) / exact - 1).max() < 0.02
