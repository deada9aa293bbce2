"""Events of a cache, put in by the owner's own connection."""

from __future__ import annotations

import json
import time

import psycopg


def ingest(dsn: str, *at: float, cache: str = "a") -> None:
    """Ingest a batch of hits of a cache, one at each moment in seconds since 1970; by default one now."""
    events = [
        {
            "cache_key": "k", "operation_type": "hit", "implementation_type": cache, "response_time_ms": 0.25,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)),
        }
        for moment in at or (time.time(),)
    ]  # fmt: skip
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select monitoring.ingest_cache_metrics(%s::jsonb)", (json.dumps(events),))
