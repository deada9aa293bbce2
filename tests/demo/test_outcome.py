"""The demo's result: what counts as found, as soon, as the cause, and as another page."""

from __future__ import annotations

import json
from typing import Any

from auditor.demo.faults import PlannedFault, fault_named
from auditor.demo.outcome import Outcome, outcome_of
from tests.demo.rows import HOUR_START, observation


def outcome(*rows: dict[str, Any], kind: str = "key_change", lived: int = 60) -> Outcome:
    planned = PlannedFault(fault_named(kind), HOUR_START + 25, HOUR_START + 45)
    return outcome_of(planned, rows, windows_audited=4380, lived_to=HOUR_START + lived)


def test_the_object_has_every_key_that_programs_read() -> None:
    told = outcome(observation(25)).as_json()
    rows = told.pop("observations")
    assert [row["metric_name"] for row in rows] == ["hit_rate"]
    assert told == {
        "fault": {
            "kind": "key_change",
            "start": "2025-02-20T04:25:00+00:00",
            "end": "2025-02-20T04:45:00+00:00",
        },
        "found": True,
        "cause": "key_change",
        "delay_windows": 1,
        "windows_audited": 4380,
        "other_pages": 0,
    }
    json.dumps(told)


def test_a_warning_or_critical_within_the_fault_or_just_after_is_its_finding() -> None:
    assert outcome(observation(28, severity="warning")).delay_windows == 4
    assert outcome(observation(50)).found
    for missed in (observation(24), observation(51), observation(30, severity="info")):
        result = outcome(missed)
        assert (result.found, result.cause, result.delay_windows) == (False, None, None)


def test_the_cause_is_that_of_the_incident_which_opened_first() -> None:
    rows = [
        observation(30, incident="later", cause="flush"),
        observation(26, incident="first", cause="stampede", lead=False, metric="p95_response_time_ms"),
        observation(27, incident="first", cause="surge_new_keys", lead=True),
    ]
    assert outcome(*rows).cause == "surge_new_keys"
    assert outcome(*rows).delay_windows == 2
    assert outcome(observation(26, cause=None)).cause is None


def test_every_page_outside_the_fault_is_counted_as_another() -> None:
    result = outcome(observation(5), observation(26), observation(57), observation(8, severity="info"))
    assert (result.found, result.other_pages) == (True, 2)


def test_without_a_fault_every_page_is_another_and_nothing_is_found() -> None:
    for result in (outcome(observation(26), kind="none"), outcome(observation(26), lived=20)):
        assert (result.found, result.other_pages) == (False, 1)
        fault = result.as_json()["fault"]
        assert (fault["start"], fault["end"]) == (None, None)
