"""A model's words beside a finding: they change no title, stand only as long as what they are of, and nothing deterministic is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from auditor.detection.catalogue import Severity
from tests.database.incidents import cause, now_minute, row_of, state_of, stored, worded, write

Connection = psycopg.Connection[Any]
PLATFORM = Path(__file__).resolve().parents[1] / "supabase" / "realtime_schema.sql"

MOVED: list[tuple[str, dict[str, Any]]] = [
    ("it resolves", {"status": "resolved"}),
    ("its severity changes", {"severity": Severity.WARNING}),
    ("another metric joins", {"metrics": ["hit_rate", "cache_size", "p95_response_time_ms", "error_rate"]}),
    ("its first cause changes", {"causes": [cause("ttl_cut"), cause("flush", 0.1)]}),
]


def attach(connection: Connection, explanation: dict[str, Any], name: str = "one") -> bool:
    row = connection.execute(
        "select monitoring.auditor_attach_explanation(%s, %s::jsonb)",
        (f"finding {name}", json.dumps(explanation)),
    ).fetchone()
    assert row is not None
    done: bool = row[0]
    return done


def material(connection: Connection, name: str = "one") -> Any:
    row = connection.execute(
        "select monitoring.auditor_explanation_material(%s)", (f"finding {name}",)
    ).fetchone()
    assert row is not None
    return row[0]


def heard(connection: Connection) -> list[dict[str, Any]]:
    """What has come in on the channel so far."""
    return [json.loads(notice.payload) for notice in connection.notifies(timeout=0.2)]


def test_a_models_words_take_the_texts_place_and_the_title_and_the_deterministic_text_are_kept(
    connection: Connection,
) -> None:
    row = row_of()
    write(connection, row)
    assert attach(connection, worded(row, title="NOTHING IS WRONG"))
    found = stored(connection)
    assert found["title"] == row["title"]
    assert (found["description"], found["recommendation"]) == (
        "As of 10:45 UTC: the hit rate fell.",
        "Look at the release.",
    )
    assert found["explanation"]["template"] == {
        "description": row["description"],
        "recommendation": row["recommendation"],
    }
    assert "title" not in found["explanation"]
    assert found["severity"] == "critical"


def test_an_explanation_without_a_recommendation_leaves_the_deterministic_one(connection: Connection) -> None:
    row = row_of()
    write(connection, row)
    assert attach(connection, worded(row, recommendation=""))
    assert stored(connection)["recommendation"] == row["recommendation"]


def test_new_numbers_leave_the_words_and_go_into_the_title_and_the_text_kept_inside(
    connection: Connection,
) -> None:
    row = row_of()
    write(connection, row)
    attach(connection, worded(row))
    later = row_of(value=12.0, ended=0)
    assert (later["title"], later["description"]) != (row["title"], row["description"])
    write(connection, later)
    found = stored(connection)
    assert found["description"] == "As of 10:45 UTC: the hit rate fell."
    assert found["title"] == later["title"]
    assert found["explanation"]["template"]["description"] == later["description"]


@pytest.mark.parametrize(("moved", "changes"), MOVED, ids=[name for name, _ in MOVED])
def test_the_deterministic_text_comes_back_where(
    connection: Connection, moved: str, changes: dict[str, Any]
) -> None:
    row = row_of()
    write(connection, row)
    attach(connection, worded(row))
    later = row_of(**changes)
    write(connection, later)
    found = stored(connection)
    assert {name: found[name] for name in ("title", "description", "recommendation", "explanation")} == {
        name: later[name] for name in ("title", "description", "recommendation", "explanation")
    }


@pytest.mark.parametrize(("moved", "changes"), MOVED, ids=[name for name, _ in MOVED])
def test_words_that_come_too_late_are_refused_where(
    connection: Connection, moved: str, changes: dict[str, Any]
) -> None:
    row = row_of()
    write(connection, row)
    write(connection, row_of(**changes))
    before = stored(connection)
    assert not attach(connection, worded(row))
    assert stored(connection) == before


def test_words_of_nothing_and_words_that_do_not_say_what_they_are_of_are_refused(
    connection: Connection,
) -> None:
    row = row_of()
    write(connection, row)
    assert not attach(connection, worded(row), "other")
    assert not attach(connection, {name: value for name, value in worded(row).items() if name != "of"})
    assert stored(connection)["description"] == row["description"]


def test_the_order_of_metrics_is_no_change(connection: Connection) -> None:
    row = row_of(metrics=["hit_rate", "cache_size"])
    write(connection, row)
    attach(connection, worded(row))
    write(connection, row_of(metrics=["cache_size", "hit_rate"]))
    assert stored(connection)["description"] == "As of 10:45 UTC: the hit rate fell."


def test_attaching_is_told_once_however_often_it_is_repeated(connection: Connection) -> None:
    row = row_of()
    write(connection, row)
    connection.execute("listen cache_auditor")
    assert [attach(connection, worded(row)) for _ in range(3)] == [True, True, True]
    (told,) = heard(connection)
    assert told == {
        "id": row["id"],
        "fingerprint": "finding one",
        "incident_id": "incident one",
        "implementation_type": "answers",
        "source": "model",
    }
    assert attach(connection, worded(row, description="Other words."))
    assert len(heard(connection)) == 1


def test_where_there_is_realtime_the_change_is_broadcast_on_a_topic_of_its_own(
    connection: Connection,
) -> None:
    connection.execute(PLATFORM.read_bytes())
    row = row_of()
    write(connection, row)
    attach(connection, worded(row))
    sent = connection.execute(
        "select topic, event, payload ->> 'fingerprint', private from realtime.messages"
    )
    assert sent.fetchall() == [("cache-auditor", "observation-explained", "finding one", False)]


def test_a_note_of_failure_stays_beside_the_text_until_the_finding_changes(connection: Connection) -> None:
    row = row_of()
    write(connection, row)
    note = {"source": "template", "checks": {"failure": "timeout"}, "of": state_of(row)}
    assert attach(connection, note)
    later = row_of(value=12.0)
    write(connection, later)
    found = stored(connection)
    assert found["description"] == later["description"]
    assert found["explanation"]["checks"] == {"failure": "timeout"}
    assert (found["explanation"]["source"], found["explanation"]["version"]) == ("template", 1)
    resolved = row_of(status="resolved")
    write(connection, resolved)
    assert stored(connection)["explanation"] == resolved["explanation"]


def test_a_note_of_failure_takes_no_words_away(connection: Connection) -> None:
    row = row_of()
    write(connection, row)
    attach(connection, worded(row))
    assert not attach(
        connection, {"source": "template", "checks": {"failure": "timeout"}, "of": state_of(row)}
    )
    assert stored(connection)["description"] == "As of 10:45 UTC: the hit rate fell."


def test_words_of_an_auditor_from_before_this_rule_give_way_to_the_next_evidence(
    connection: Connection,
) -> None:
    row = row_of()
    write(connection, row | {"explanation": {"source": "model"}, "description": "old words"})
    write(connection, row)
    assert stored(connection)["description"] == row["description"]


def test_the_material_of_a_brief_is_the_incident_and_what_was_around_it(connection: Connection) -> None:
    here = now_minute()
    lead = row_of(began=20, ended=1)
    follower = row_of("two", lead=False) | {"incident_id": "incident one"}
    past = row_of("past", status="resolved", began=400, ended=380)
    unlike = row_of("unlike", status="resolved", began=300, ended=290, causes=[cause("silence")]) | {
        "metric_name": "silence"
    }
    other = row_of("other", cache="users", severity=Severity.WARNING, began=10)
    gone = row_of("gone", cache="users", status="resolved", began=90, ended=60)
    write(connection, lead, follower, past, unlike, other, gone)
    connection.execute(
        "update monitoring.cache_auditor_observations set verdict = 'new_normal' where fingerprint = 'finding past'"
    )
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits)"
        " select monitoring.minute_at(%s - n), 'answers', 100, n from generate_series(0, 200) n",
        (here,),
    )
    connection.execute(
        "insert into monitoring.cache_metrics (cache_key, operation_type, implementation_type, error_type, error_message, timestamp)"
        " select 'k', 'error', 'answers', case when n < 3 then 'TimeoutError' end, 'no answer', monitoring.minute_at(%s - 5)"
        " from generate_series(1, 5) n union all"
        " select 'q:' || n %% 3, 'miss', 'answers', null, null, monitoring.minute_at(%s - 19) from generate_series(1, 7) n union all"
        " select 'elsewhere', 'miss', 'users', null, null, monitoring.minute_at(%s - 19)",
        (here, here, here),
    )
    found = material(connection)
    assert [row["fingerprint"] for row in found["rows"]] == ["finding one", "finding two"]
    assert found["of"] == state_of(lead)
    assert (found["fingerprint"], found["incident_id"]) == ("finding one", "incident one")
    assert found["hour"]["minute"] == list(range(found["as_of_minute"] - 60, found["as_of_minute"]))
    assert found["errors"] == [
        {"type": "unknown", "count": 3, "message": "no answer"},
        {"type": "TimeoutError", "count": 2, "message": "no answer"},
    ]
    assert found["keys"] == ["q:1", "q:0", "q:2"]
    assert [(row["incident_id"], row["verdict"]) for row in found["past"]] == [
        ("incident past", "new_normal")
    ]
    assert [row["incident_id"] for row in found["others"]] == ["incident other"]
    assert material(connection, "two")["rows"] == found["rows"]
    assert material(connection, "none") is None


def test_the_hour_of_a_long_incident_is_the_one_around_its_beginning(connection: Connection) -> None:
    here = now_minute()
    write(connection, row_of(began=300))
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type)"
        " select monitoring.minute_at(%s - n), 'answers' from generate_series(0, 500) n",
        (here,),
    )
    minutes = material(connection)["hour"]["minute"]
    assert (minutes[0] - here, minutes[-1] - here) == (-330, -271)


def test_a_digest_counts_the_windows_of_its_time_and_holds_its_incidents(connection: Connection) -> None:
    here = now_minute()
    write(
        connection,
        row_of("small", severity=Severity.WARNING, cache="users"),
        row_of("great"),
        row_of("early", began=500, ended=400, status="resolved"),
        row_of("beside", lead=False),
    )
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type)"
        " select monitoring.minute_at(%s - n), 'answers' from generate_series(0, 9) n",
        (here,),
    )
    connection.execute(
        "insert into monitoring.cache_auditor_ledger (implementation_type, minute_window, verdict, mode, scores, config_hash)"
        " select 'answers', monitoring.minute_at(%s - n), case when n = 10 then 'no_data' else 'normal' end, 'live', '{}', 'c'"
        " from generate_series(3, 10) n",
        (here,),
    )
    row = connection.execute(
        "select monitoring.auditor_digest_material(monitoring.minute_at(%s), monitoring.minute_at(%s))",
        (here - 60, here + 1),
    ).fetchone()
    assert row is not None
    assert row[0]["coverage"] == {"windows": 11, "audited": 7, "no_data": 1}
    assert [one["incident_id"] for one in row[0]["rows"]] == ["incident great", "incident small"]
