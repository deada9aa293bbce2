"""Incidents in a real database, as the service writes them: rows of observations with real evidence, minutes ago."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any, Literal

from auditor.detection.catalogue import Severity
from auditor.explanation.template import observation_row
from tests.explanation.observations import cause, observation

if TYPE_CHECKING:
    import psycopg

WAITING: dict[str, Any] = {
    "severities": ("warning", "critical"),
    "after_seconds": 0.0,
    "backlog_seconds": 7200.0,
    "storm": 5,
    "claim_seconds": 60.0,
}


def now_minute() -> int:
    return int(time.time() // 60)


def row_of(
    name: str = "one",
    *,
    status: Literal["open", "resolved"] = "open",
    severity: Severity = Severity.CRITICAL,
    cache: str = "answers",
    began: int = 20,
    ended: int = 1,
    **changes: Any,
) -> dict[str, Any]:
    """The row of a leading finding that began and was last seen so many minutes ago; evidence changed in the named keys."""
    here = now_minute()
    times = {
        "opened_minute": here - began,
        "last_minute": here - ended - 1,
        "worst_minute": here - began + 1,
        "windows": began - ended,
        "flagged_windows": began - ended,
        "resolved_minute": here - ended if status == "resolved" else None,
    }
    found = observation(status=status, severity=severity, cache=cache, **(times | changes))
    found = dataclasses.replace(
        found,
        fingerprint=f"finding {name}",
        incident_id=f"incident {name}",
        timestamp_minute=here - began + 1,
        window_start_minute=here - began,
        window_end_minute=here - ended,
    )
    return observation_row(found)


def write(connection: psycopg.Connection[Any], *rows: dict[str, Any]) -> None:
    """Write findings as a commit does."""
    connection.execute("select monitoring.write_observations(%s::jsonb)", (json.dumps(rows),))


def write_many(connection: psycopg.Connection[Any], count: int, **given: Any) -> None:
    """Write so many incidents, each of a cache of its own."""
    write(connection, *(row_of(f"{n:05}", cache=f"cache {n}", **given) for n in range(count)))


def stored(connection: psycopg.Connection[Any], name: str = "one") -> dict[str, Any]:
    """A finding's row as it is in the table."""
    (row,) = connection.execute(
        "select to_jsonb(o) from monitoring.cache_auditor_observations o where fingerprint = %s",
        (f"finding {name}",),
    ).fetchall()
    found: dict[str, Any] = row[0]
    return found


def state_of(row: dict[str, Any]) -> dict[str, Any]:
    """What an explanation of a row says that it is of."""
    evidence = row["evidence"]
    return {
        "status": row["status"],
        "severity": row["severity"],
        "metrics": sorted(evidence["metrics"]),
        "cause": evidence["causes"][0]["cause"],
    }


def worded(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An explanation by a model of a row as it stands."""
    return {
        "source": "model",
        "model": "tester",
        "description": "As of 10:45 UTC: the hit rate fell.",
        "recommendation": "Look at the release.",
        "checks": {"sentences": 1, "grounded_share": 1.0, "rejected": []},
        "of": state_of(row),
    } | changes


def calls(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """The ledger of calls, oldest first."""
    found = connection.execute(
        "select to_jsonb(c) from monitoring.cache_auditor_model_calls c order by claimed_at, fingerprint"
    )
    return [row[0] for row in found]


__all__ = [
    "WAITING", "calls", "cause", "now_minute", "row_of", "state_of", "stored", "worded", "write", "write_many",
]  # fmt: skip
