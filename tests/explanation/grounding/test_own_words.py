"""The auditor's own words stand: its template, and each sentence that the diagnosis writes of a cache that really fails."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from auditor.detection.catalogue import Severity
from auditor.detection.diagnosis.ranking import rank_causes
from auditor.evaluation.incidents import read_incidents
from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.grounding.context import Context
from auditor.explanation.grounding.verdict import reasons
from auditor.explanation.template import observation_row
from auditor.resources import evals_folder
from tests.detection.cache_faults import FAULTS, run_fault
from tests.detection.cache_physics import SHAPES, warm_world
from tests.detection.signatures import signature_after
from tests.explanation.grounding.answers import facts
from tests.explanation.grounding.briefs import INCIDENTS, brief, metric, moment
from tests.explanation.observations import observation

if TYPE_CHECKING:
    from auditor.evaluation.incidents import RecordedIncident


def _failing(text: str, about: Brief, field: str, cause: str = "") -> list[tuple[str, str]]:
    told = facts(about)
    context = Context(told, field, cause or next(iter(told.ranks)), cache=told.cache)
    return [(sentence, reason) for sentence, reason in reasons(text, context) if reason]


def _minute(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() // 60)


def _row(data: Any) -> dict[str, Any]:
    """The row that the template writes of a brief's leading metric."""
    lead, incident = data["metrics"][0], data["incident"]
    opened = _minute(incident["began"])
    pause = {}
    if "ended" in lead:
        pause = {"silent_minutes": lead["minutes"], "back_minute": _minute(lead["ended"])}
    if "mattered_at" in lead:
        pause["warned_minute"] = _minute(lead["mattered_at"])
    same = (
        "value",
        "expected",
        "lower",
        "upper",
        "first",
        "p_value",
        "effect_absolute",
        "effect_relative",
        "n",
    )
    return observation_row(
        observation(
            lead["metric"],
            lead["direction"],
            status=incident["status"],
            severity=Severity(incident["severity"]),
            cache=data["cache"],
            worst_minute=_minute(lead["worst_at"]),
            opened_minute=opened,
            last_minute=opened + incident["minutes"] - 1,
            windows=incident["minutes"],
            flagged_windows=incident["flagged_minutes"],
            metrics=[one["metric"] for one in data["metrics"]],
            unchanged=[one["metric"] for one in data["unchanged"]],
            causes=data["causes"],
            impact=data["impact"],
            reasons=[],
            **pause,
            **{name: lead[name] for name in same},
        )
    )


@pytest.mark.parametrize("name", INCIDENTS)
def test_the_template_s_own_text_stands(name: str) -> None:
    about = INCIDENTS[name]
    row = _row(about.data)
    assert _failing(row["description"], about, "summary") == []
    assert _failing(row["recommendation"], about, "step") == []


@pytest.mark.parametrize("name", ["keys", "shorter", "cut"])
def test_that_it_was_too_small_at_first_stands_with_its_time(name: str) -> None:
    data = INCIDENTS[name].data
    lead = data["metrics"][0]
    later = moment(datetime.fromisoformat(data["incident"]["began"]) + timedelta(minutes=5))
    told = {**data, "metrics": [{**lead, "mattered_at": later}, *data["metrics"][1:]]}
    about = Brief(INCIDENTS[name].purpose, told)
    description = _row(told)["description"]
    assert "it was too small to page." in description
    assert _failing(description, about, "summary") == []
    assert _failing(description, INCIDENTS[name], "summary") != []
    assert _failing("It became large enough to page at 10:33 UTC.", about, "summary") != []


@pytest.mark.parametrize("shape", [1, 3])
def test_the_diagnosis_s_sentences_stand_as_they_are(shape: int) -> None:
    world, before = warm_world(SHAPES[shape], 711)
    failing: list[tuple[str, str]] = []
    counted = 0
    for (index, fault), windows in product(enumerate(FAULTS), (1, 6)):
        signature = signature_after(run_fault(world, before, fault, 90 + index, 9), windows)
        if signature is None or not signature.flagged:
            continue
        causes = [one.as_json() for one in rank_causes(signature)]
        about = brief(
            "answers",
            [metric("hit_rate", 41.2, 77.0, 56.3, 94.2), metric("throughput", 240.0, 120.0, 80.0, 170.0)],
            [{**one, "name": one["cause"]} for one in causes],
            unchanged=(),
        )
        for one in causes:
            for sentence in (*one["for"], *one["against"]):
                counted += 1
                failing += _failing(sentence, about, "why", one["cause"])
            failing += _failing(one["refute"], about, "step")
    assert failing == []
    assert counted >= 40


def _of_causes(about: Brief) -> list[tuple[str, str, str]]:
    return [
        (field, one["cause"], text)
        for one in about.data["causes"]
        for field, texts in (("why", (*one["for"], *one["against"])), ("step", (one["refute"],)))
        for text in texts
    ]


def test_each_sentence_of_the_recorded_incidents_causes_stands() -> None:
    said = [
        (about, *one)
        for recorded in read_incidents(evals_folder())
        if recorded.purpose is not Purpose.DAILY_DIGEST
        for about in [recorded.brief()]
        for one in _of_causes(about)
    ]
    failing = [
        (about.data["cache"], *one)
        for about, field, cause, text in said
        for one in _failing(text, about, field, cause)
    ]
    assert failing == []
    assert len(said) >= 200


@pytest.mark.parametrize(
    "recorded",
    [one for one in read_incidents(evals_folder()) if one.purpose is Purpose.INCIDENT_OPENED],
    ids=lambda one: one.name,
)
def test_the_template_of_a_recorded_incident_stands_but_for_what_its_brief_leaves_out(
    recorded: RecordedIncident,
) -> None:
    about = recorded.brief()
    row = _row(about.data)
    assert _failing(row["description"], about, "summary") == []
    assert _failing(row["recommendation"], about, "step") == []


def test_how_long_a_silence_was_and_when_it_ended_may_be_said_as_it_was() -> None:
    (outage,) = [one for one in read_incidents(evals_folder()) if one.name == "outage"]
    about = outage.brief()
    for said, false in (
        ("The cache was silent for 7 minutes.", "The cache was silent for 9 minutes."),
        ("The silence of 7 minutes ended at 11:30 UTC.", "The silence of 7 minutes ended at 11:37 UTC."),
        ("Operations came back at 11:30 UTC.", "Operations came back at 11:37 UTC."),
    ):
        assert _failing(said, about, "summary") == []
        assert _failing(false, about, "summary") != []
    assert _failing("The incident ended at 11:30 UTC.", about, "summary") != []


@pytest.mark.parametrize(
    "name", ["answers", "Edge Images", "eu · tiles", "hits", "Answers", "v2:prompts", "sessions-eu"]
)
def test_a_cache_of_any_name_may_be_spoken_of(name: str) -> None:
    about = Brief(INCIDENTS["keys"].purpose, {**INCIDENTS["keys"].data, "cache": name})
    for said in (
        f"The hit rate of “{name}” fell to 41 % from an expected 77 %.",
        f"“{name}” has had a hit rate of 41 % since 10:32 UTC.",
    ):
        assert _failing(said, about, "summary") == []


@pytest.mark.parametrize("name", ["answers", "legacy", "Edge Images"])
def test_a_silent_cache_of_any_name_may_be_spoken_of(name: str) -> None:
    about = Brief(INCIDENTS["silent"].purpose, {**INCIDENTS["silent"].data, "cache": name})
    for said in (
        f"No operations of {name} arrive.",
        f"No operations have arrived from {name} since 10:32 UTC.",
        f"{name} has been silent for 6 minutes.",
    ):
        assert _failing(said, about, "summary") == []
