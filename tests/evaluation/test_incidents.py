"""The recorded incidents: whole, about every cause, made as the service makes its briefs, and answerable."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from auditor.detection.signature import CAUSES
from auditor.errors import BadInput
from auditor.evaluation.grading import grade
from auditor.evaluation.incidents import read_incidents
from auditor.explanation.brief import Purpose
from auditor.explanation.briefing import estimated_tokens
from auditor.explanation.briefing.figures import evidence_of, leads
from auditor.explanation.prompt import render
from auditor.prompt_files import read_prompts
from auditor.resources import evals_folder, prompts_folder
from benchmarks.incident_recordings import recorded
from benchmarks.incident_scenarios import SCENARIOS
from tests.evaluation.answers import answered, checked

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.evaluation.incidents import RecordedIncident

INCIDENTS = read_incidents(evals_folder())
PROMPTS = read_prompts(prompts_folder())
OF_AN_INCIDENT = [one for one in INCIDENTS if one.purpose is not Purpose.DAILY_DIGEST]


def _ids(one: RecordedIncident) -> str:
    return one.name


def test_there_are_enough_of_them_and_every_cause_and_purpose_is_among_them() -> None:
    assert len(INCIDENTS) >= 25
    assert {cause for one in INCIDENTS for cause in one.expected.causes} == set(CAUSES)
    assert {one.purpose for one in INCIDENTS} == set(Purpose)


@pytest.mark.parametrize("incident", INCIDENTS, ids=_ids)
def test_each_fits_its_prompt_and_renders(incident: RecordedIncident) -> None:
    prompt = PROMPTS[incident.purpose]
    brief = incident.brief(most_tokens=prompt.settings.brief_tokens)
    assert estimated_tokens(brief.text) <= prompt.settings.brief_tokens
    assert json.loads(brief.text) == brief.data
    assert render(prompt, brief)[1]["role"] == "user"


@pytest.mark.parametrize("incident", OF_AN_INCIDENT, ids=_ids)
def test_what_is_expected_is_what_the_detector_has_found(incident: RecordedIncident) -> None:
    data = incident.brief().data
    assert incident.expected.severity == data["incident"]["severity"]
    assert data["causes"][0]["cause"] in incident.expected.causes
    assert set(incident.expected.causes) <= {cause["cause"] for cause in data["causes"]}
    resolved = incident.purpose is Purpose.INCIDENT_RESOLVED
    assert data["incident"]["status"] == ("resolved" if resolved else "open")
    assert data["hour"] is not None


@pytest.mark.parametrize("incident", OF_AN_INCIDENT, ids=_ids)
def test_an_answer_that_says_nothing_does_not_pass(incident: RecordedIncident) -> None:
    cause = incident.expected.causes[0]
    empty = checked("Something happened.", recommendation="Look at it.", cause=cause)
    assert not grade(incident.name, incident.expected, answered(empty)).passed


@pytest.mark.parametrize("name", ["backend_slow", "capacity_cut", "improvement"])
def test_a_recording_can_be_made_again(name: str) -> None:
    stored = json.loads((evals_folder() / name / "recorded.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(recorded(SCENARIOS[name]))) == stored


def test_every_scenario_is_recorded_and_leads_with_one_row() -> None:
    assert {*SCENARIOS} <= {one.name for one in INCIDENTS}
    for one in OF_AN_INCIDENT:
        assert sum(bool(leads(row)) for row in one.recorded["rows"]) == 1
        assert all(evidence_of(row) for row in one.recorded["rows"])


def _copied(tmp_path: Path) -> Path:
    folder = tmp_path / "evals"
    shutil.copytree(evals_folder() / "flush", folder / "flush")
    return folder


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("expect.toml", 'why = "x"\ncauses = ["flsh"]', "there is no cause flsh"),
        ("expect.toml", 'why = "x"\nmust_mentoin = []', "must_mentoin"),
        ("expect.toml", "why = ", "flush is not usable"),
        ("recorded.json", "{", "flush is not usable"),
        ("recorded.json", '{"purpose": "fun"}', "fun"),
        ("recorded.json", '{"purpose": "incident_opened"}', "hour"),
    ],
)
def test_a_broken_recording_is_named(tmp_path: Path, file: str, text: str, said: str) -> None:
    folder = _copied(tmp_path)
    (folder / "flush" / file).write_text(text)
    with pytest.raises(BadInput) as refused:
        read_incidents(folder)
    assert said in str(refused.value)
    assert str(folder / "flush") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_incidents_are_chosen_by_name_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    assert [one.name for one in read_incidents(evals_folder(), ["silence", "flush"])] == ["flush", "silence"]
    with pytest.raises(BadInput, match="no recorded incident flsh"):
        read_incidents(evals_folder(), ["flsh"])
    with pytest.raises(BadInput, match="no folder"):
        read_incidents(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="no recorded incidents"):
        read_incidents(tmp_path)
