"""What the commands ask about observations and baselines."""

from __future__ import annotations

import datetime as dt
import functools
import json
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from auditor.database import queries
from auditor.detection.judgement import LearnedBaseline
from auditor.errors import BadInput, DependencyUnreachable
from tests.database.windows import asked


def observation(at: int, **given: Any) -> dict[str, Any]:
    return {
        "severity": "warning",
        "category": "performance",
        "title": f"title {at}",
        "description": "d",
        "recommendation": "r",
        "implementation_type": "new",
        "metric_name": "hit_rate",
        "timestamp": f"2026-01-01T00:{at:02}:00Z",
        "fingerprint": f"f{at}",
        "status": "open",
        "evidence": {"metric": "hit_rate"},
        "explanation": {"source": "template"},
        "metadata": {},
    } | given


def write(dsn: str, *rows: dict[str, Any]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select monitoring.write_observations(%s)", (Jsonb(list(rows)),))


def baseline(learned: int = 100, **given: Any) -> LearnedBaseline:
    fields: dict[str, Any] = {
        "implementation_type": "new",
        "period_start_minute": 0,
        "period_end_minute": 90,
        "learned_minute": learned,
        "hit_rate": 71.5,
        "avg_response_time_ms": 2.5,
        "p95_response_time_ms": None,
        "error_rate": 0.1,
        "hit_rate_stddev": 1.0,
        "response_time_stddev": None,
        "sample_size": 90,
        "reason": "asked for",
        "profile": {"version": 1, "learned": learned},
    }
    return LearnedBaseline(**(fields | given))


def test_observations_come_newest_first_and_by_what_is_asked(database: str) -> None:
    write(
        database,
        observation(1),
        observation(2, severity="critical", metric_name="silence"),
        observation(3, implementation_type="old", status="resolved"),
    )

    def titles(**given: Any) -> list[str]:
        return [row["title"][-1] for row in queries.list_observations(database, **given)]

    assert titles() == ["3", "2", "1"]
    assert titles(limit=1) == ["3"]
    assert titles(implementation_type="new") == ["2", "1"]
    assert titles(severity="critical") == titles(metric_name="silence") == ["2"]
    assert titles(status="open") == ["2", "1"]
    assert titles(since=dt.datetime(2026, 1, 1, 0, 2, tzinfo=dt.UTC)) == ["3", "2"]
    assert titles(acknowledged=True) == []


def test_an_observation_is_shown_by_its_id_the_beginning_of_it_or_its_fingerprint(database: str) -> None:
    write(database, observation(1))
    whole = queries.show_observation(database, "f1")
    assert whole["evidence"] == {"metric": "hit_rate"}
    named = str(whole["id"])
    assert queries.show_observation(database, named) == whole
    assert queries.show_observation(database, named[:8].upper()) == whole


def test_an_observation_that_is_not_there_or_not_alone_is_named(database: str) -> None:
    write(database, observation(1), observation(2))
    with pytest.raises(BadInput, match="no observation f999"):
        queries.show_observation(database, "f999")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "update monitoring.cache_auditor_observations set id = overlay(id::text placing 'abcd' from 1)::uuid"
        )
    with pytest.raises(BadInput, match="More than one observation begins with abcd"):
        queries.show_observation(database, "abcd")


@pytest.mark.parametrize("length", [0, 1, 3])
def test_too_little_of_an_id_names_nothing_though_it_would_match(database: str, length: int) -> None:
    write(database, observation(1))
    (row,) = queries.list_observations(database)
    named = str(row["id"])[:length]
    for ask in (queries.show_observation, functools.partial(queries.acknowledge_observation, by="ann")):
        with pytest.raises(BadInput, match=f"'{named}' is too short to name an observation"):
            ask(database, named)
    assert not queries.show_observation(database, str(row["id"])[:4])["acknowledged"]
    named = str(queries.store_baseline(database, baseline())["id"])[:length]
    with pytest.raises(BadInput, match=f"'{named}' is too short to name a baseline"):
        queries.activate_baseline(database, named)
    with pytest.raises(BadInput, match=f"no cache '{named}'"):
        queries.show_baseline(database, named)


def test_an_acknowledgement_keeps_who_said_what(database: str) -> None:
    write(database, observation(1))
    row = queries.acknowledge_observation(database, "f1", by="ann", verdict="new_normal")
    assert (row["acknowledged"], row["acknowledged_by"]) == (True, "ann")
    assert (row["verdict"], row["verdict_by"]) == ("new_normal", "ann")
    assert row["acknowledged_at"] is not None
    write(database, observation(1, status="resolved"))
    later = queries.show_observation(database, "f1")
    assert (later["status"], later["acknowledged"], later["verdict"]) == ("resolved", True, "new_normal")
    assert [row["fingerprint"] for row in queries.list_observations(database, acknowledged=True)] == ["f1"]


def test_an_acknowledgement_of_nothing_is_refused(database: str) -> None:
    with pytest.raises(BadInput, match="no observation f111"):
        queries.acknowledge_observation(database, "f111", by="ann")


def test_a_stored_baseline_is_inactive_until_it_is_activated(database: str) -> None:
    first = queries.store_baseline(database, baseline(100))
    second = queries.store_baseline(database, baseline(200))
    queries.store_baseline(database, baseline(100, implementation_type="old"))
    assert (first["baseline_hit_rate"], first["sample_size"], first["reason"]) == (71.5, 90, "asked for")
    assert [row["id"] for row in queries.baseline_history(database, "new")] == [second["id"], first["id"]]
    assert queries.list_baselines(database, active_only=True) == []
    queries.activate_baseline(database, str(first["id"]))
    queries.activate_baseline(database, str(second["id"]))
    active = queries.list_baselines(database, active_only=True)
    assert [row["id"] for row in active] == [second["id"]]
    assert queries.show_baseline(database, "new")["id"] == second["id"]


def test_an_activated_baseline_takes_over_and_reaches_the_detectors_state(database: str) -> None:
    first = queries.store_baseline(database, baseline(100))
    queries.store_baseline(database, baseline(200))
    state = json.dumps({"version": 1, "hot": {"profile": None, "else": 1}})
    asked(
        database,
        "insert into monitoring.cache_auditor_checkpoint (implementation_type, state, state_version)"
        f" values ('new', '{state}', 4) returning 1",
    )
    row = queries.activate_baseline(database, str(first["id"])[:13])
    assert row["is_active"]
    assert row["activated_at"] is not None
    assert queries.show_baseline(database, "new")["id"] == first["id"]
    assert asked(database, "select state, state_version from monitoring.cache_auditor_checkpoint") == [
        ({"version": 1, "hot": {"profile": {"version": 1, "learned": 100}, "else": 1}}, 5)
    ]


def test_a_baseline_that_is_not_there_is_named(database: str) -> None:
    for ask in (queries.show_baseline, queries.activate_baseline, queries.baseline_history):
        with pytest.raises(BadInput, match="no baseline"):
            ask(database, "nothing")
    with pytest.raises(
        BadInput, match="no cache 'typo' with a baseline in force, and no baseline of that id"
    ):
        queries.show_baseline(database, "typo")


def test_a_database_without_the_schema_says_to_migrate(empty_database: str) -> None:
    with pytest.raises(DependencyUnreachable, match="run auditor migrate"):
        queries.list_observations(empty_database)
