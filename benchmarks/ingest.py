"""Events a second into `ingest_cache_metrics`, in batches of 1000 from one writer, on the embedded database."""

from __future__ import annotations

import json
import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from benchmarks.servers import database

BATCH = 1000


def main(quick: bool = False) -> dict[str, float]:
    """Measure with and without waiting for the disk at each commit; batches are made beforehand."""
    numbers = {}
    for name, durable in (("commits wait for the disk", True), ("commits do not", False)):
        with database(durable=durable) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
            batches = _batches(20 if quick else 200)
            _send(connection, batches[:5])
            started = time.perf_counter()
            _send(connection, batches[5:])
            rate = BATCH * (len(batches) - 5) / (time.perf_counter() - started)
            numbers[name] = rate
            print(f"{name:28} {rate:10,.0f} events/s in batches of {BATCH}")
    return numbers


def _send(connection: psycopg.Connection[Any], batches: list[str]) -> None:
    for batch in batches:
        row = connection.execute("select monitoring.ingest_cache_metrics(%s::jsonb)", (batch,)).fetchone()
        assert row is not None
        assert row[0]["accepted"] == BATCH


def _batches(count: int) -> list[str]:
    rng = random.Random(1)
    start = datetime.now(UTC) - timedelta(minutes=count)
    return [
        json.dumps([_event(rng, start + timedelta(seconds=30 * at)) for _ in range(BATCH)])
        for at in range(count)
    ]


def _event(rng: random.Random, stamp: datetime) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "cache_key": f"key-{rng.randrange(100_000)}",
        "operation_type": rng.choice(("hit", "hit", "hit", "miss", "set", "evict")),
        "implementation_type": "answers",
        "response_time_ms": rng.lognormvariate(3, 1.5),
        "cache_size": 1500,
        "timestamp": (stamp + timedelta(seconds=rng.random() * 30)).isoformat(),
    }


if __name__ == "__main__":
    main()
