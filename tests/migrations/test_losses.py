"""What a collector had to drop stands at the windows of the events that told it, however often they are sent."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
STAMP = (datetime.now(UTC) - timedelta(minutes=5)).replace(second=10, microsecond=0)


def event(minute: int = 0, *, cache: str = "a", collector: Any = None) -> dict[str, Any]:
    made = {
        "id": str(uuid.uuid4()), "cache_key": "k", "operation_type": "hit", "implementation_type": cache,
        "timestamp": (STAMP + timedelta(minutes=minute)).isoformat(),
    }  # fmt: skip
    return made | ({} if collector is None else {"metadata": {"collector": collector}})


def ingest(connection: Connection, events: list[Any]) -> None:
    connection.execute("select monitoring.ingest_cache_metrics(%s::jsonb)", (json.dumps(events),))


def noted(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select implementation_type, metadata from monitoring.cache_metrics_1min order by 1, minute_window"
    ).fetchall()


def test_losses_stand_at_their_windows_and_a_batch_sent_again_adds_none(
    connection: psycopg.Connection[Any],
) -> None:
    told = [
        event(collector={"dropped": 7, "elsewhere": {"gone": 2}}),
        event(collector={"dropped": 5}),
        event(1),
    ]
    for _ in range(3):
        ingest(connection, told)
    assert noted(connection) == [("a", {"collector": {"dropped": 12, "elsewhere": 2}}), ("a", None)]
    ingest(connection, [event(collector={"dropped": 1}), event(1, cache="b", collector={"dropped": 3})])
    assert noted(connection) == [
        ("a", {"collector": {"dropped": 13, "elsewhere": 2}}),
        ("a", None),
        ("b", {"collector": {"dropped": 3, "elsewhere": 0}}),
    ]


def test_a_note_of_any_shape_refuses_no_event(connection: psycopg.Connection[Any]) -> None:
    odd: list[Any] = [
        {"dropped": "many"}, {"dropped": -1}, {"dropped": 10**40}, {"dropped": None}, {"elsewhere": [1]},
        {"elsewhere": {"a": "x"}}, 5, "text", [],
    ]  # fmt: skip
    ingest(connection, [event(collector=note) for note in odd])
    ingest(connection, [event() | {"id": "no id", "metadata": {"collector": {}}}, event() | {"id": None}])
    rows = connection.execute("select sum(hits) from monitoring.cache_metrics_1min").fetchone()
    assert rows == (len(odd) + 1,)
    assert noted(connection) == [("a", {"collector": {"dropped": 0, "elsewhere": 0}})]
