"""What the commands ask about observations and baselines; rows come as dicts by column name."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any, Final, Literal

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from auditor.database import failures
from auditor.database.connect import connect
from auditor.database.named import SHORTEST, only
from auditor.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    import psycopg

    from auditor.detection.judgement import LearnedBaseline

Row = dict[str, Any]
EngineersVerdict = Literal["incident", "new_normal", "ignore"]

_OBSERVATIONS: Final = """
    select * from monitoring.cache_auditor_observations
    where (%(cache)s::text is null or implementation_type = %(cache)s)
        and (%(severity)s::text is null or severity = %(severity)s)
        and (%(status)s::text is null or status = %(status)s)
        and (%(metric)s::text is null or metric_name = %(metric)s)
        and (%(acknowledged)s::boolean is null or acknowledged = %(acknowledged)s)
        and (%(since)s::timestamptz is null or "timestamp" >= %(since)s)
    order by "timestamp" desc, id
    limit %(limit)s
"""
_NAMED: Final = """
    select * from monitoring.cache_auditor_observations
    where (length(%(named)s) >= %(shortest)s and starts_with(id::text, lower(%(named)s))) or fingerprint = %(named)s
    order by "timestamp" desc limit 2
"""
_BASELINES: Final = """
    select * from monitoring.cache_baseline_metrics
    where (%(cache)s::text is null or implementation_type = %(cache)s)
        and (not %(active)s::boolean or is_active)
    order by implementation_type, created_at desc, id
    limit %(limit)s
"""
_BASELINE: Final = """
    select * from monitoring.cache_baseline_metrics
    where length(%(named)s) >= %(shortest)s and starts_with(id::text, lower(%(named)s)) order by created_at desc limit 2
"""


def list_observations(
    dsn: str,
    *,
    implementation_type: str | None = None,
    severity: str | None = None,
    status: str | None = None,
    metric_name: str | None = None,
    acknowledged: bool | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> list[Row]:
    """The observations that match everything given, newest first.

    Raises
    ------
    DependencyUnreachable
        If the database cannot be reached or lacks the schema.
    """
    asked = {
        "cache": implementation_type,
        "severity": severity,
        "status": status,
        "metric": metric_name,
        "acknowledged": acknowledged,
        "since": since,
        "limit": limit,
    }
    return _rows(dsn, _OBSERVATIONS, asked)


def show_observation(dsn: str, named: str) -> Row:
    """The observation whose id begins with the given text, or whose fingerprint it is.

    Raises
    ------
    BadInput
        If there is none, or more than one.
    """
    return only(_rows(dsn, _NAMED, _named(named)), "observation", named)


def acknowledge_observation(dsn: str, named: str, *, by: str, verdict: EngineersVerdict | None = None) -> Row:
    """Acknowledge an observation, named as for `show_observation`, with the engineer's verdict; its row afterwards.

    Raises
    ------
    BadInput
        If there is no such observation, or more than one.
    """
    found = show_observation(dsn, named)
    with _asking(dsn) as connection:
        connection.execute(
            "select monitoring.acknowledge_observation(%s::text, %s::text, %s::text)",
            (found["id"], verdict, by),
        )
    return show_observation(dsn, str(found["id"]))


def list_baselines(
    dsn: str, *, implementation_type: str | None = None, active_only: bool = False, limit: int = 1000
) -> list[Row]:
    """Baselines by cache, newest first; with `active_only` the ones in force."""
    return _rows(dsn, _BASELINES, {"cache": implementation_type, "active": active_only, "limit": limit})


def baseline_history(dsn: str, implementation_type: str, *, limit: int = 100) -> list[Row]:
    """Every baseline a cache has had, newest first.

    Raises
    ------
    BadInput
        If the cache has none.
    """
    rows = list_baselines(dsn, implementation_type=implementation_type, limit=limit)
    if not rows:
        raise BadInput(f"There is no baseline of a cache {implementation_type}: see auditor baseline show.")
    return rows


def show_baseline(dsn: str, named: str) -> Row:
    """The active baseline of the cache of that name, else the baseline whose id begins with the given text.

    Raises
    ------
    BadInput
        If there is none, or more than one.
    """
    active = list_baselines(dsn, implementation_type=named, active_only=True)
    if active:
        return active[0]
    found = _rows(dsn, _BASELINE, _named(named))
    if not found:
        raise BadInput(
            f"There is no cache '{named}' with a baseline in force, and no baseline of that id: see auditor baseline history."
        )
    return only(found, "baseline", named)


def activate_baseline(dsn: str, named: str) -> Row:
    """Put a stored baseline in force, named by its id or the beginning of it; its row afterwards.

    Raises
    ------
    BadInput
        If there is no such baseline, or more than one.
    """
    found = only(_rows(dsn, _BASELINE, _named(named)), "baseline", named)
    with _asking(dsn) as connection:
        connection.execute("select monitoring.activate_baseline(%s::text)", (found["id"],))
    return only(_rows(dsn, _BASELINE, _named(str(found["id"]))), "baseline", named)


def store_baseline(dsn: str, baseline: LearnedBaseline) -> Row:
    """Store a baseline that was learned on request, inactive; its row."""
    with _asking(dsn) as connection:
        stored = connection.execute(
            "select monitoring.write_baseline(%s, false) as id", (Jsonb(dataclasses.asdict(baseline)),)
        ).fetchone()
        assert stored is not None, "a function call gives one row"
    return show_baseline(dsn, stored["id"])


def _named(named: str) -> Row:
    return {"named": named, "shortest": SHORTEST}


@contextlib.contextmanager
def _asking(dsn: str) -> Iterator[psycopg.Connection[Row]]:
    with connect(dsn, row_factory=dict_row) as connection, failures.explained(dsn):
        yield connection


def _rows(dsn: str, query: str, asked: Mapping[str, Any]) -> list[Row]:
    with _asking(dsn) as connection:
        return connection.execute(query.encode(), asked).fetchall()
