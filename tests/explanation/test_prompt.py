"""Prompts: those that come with the auditor are whole, broken ones are refused by name, and data stays data in them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from auditor.errors import BadInput
from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.briefing import estimated_tokens
from auditor.explanation.prompt import parse_prompt, render
from auditor.explanation.sample import sample_briefs
from auditor.explanation.untrusted import CLOSING, OPENING
from auditor.prompt_files import read_prompts
from auditor.resources import prompts_folder
from tests.explanation.test_untrusted import ATTACKS

if TYPE_CHECKING:
    from pathlib import Path

PROMPTS = read_prompts(prompts_folder())
GOOD = (prompts_folder() / "incident_opened.md").read_text(encoding="utf-8")
BODY = "{% block system %}be good{% endblock %}{% block user %}{{ brief | data }}{% endblock %}"


def _file(body: str = BODY, **changes: str | None) -> str:
    lines = {
        "id": 'id = "incident_opened"',
        "version": "version = 3",
        "purpose": 'purpose = "incident_opened"',
        "output": 'output = "explanation"',
        "settings": "[settings]\nmax_output_tokens = 500",
    }
    lines |= {name: line or "" for name, line in changes.items()}
    return "+++\n" + "\n".join(lines.values()) + f"\n+++\n{body}"


def _refusal(text: str) -> str:
    with pytest.raises(BadInput) as refused:
        parse_prompt("mine/incident_opened.md", text)
    said = str(refused.value)
    assert "mine/incident_opened.md" in said
    assert "\n" not in said
    assert said.endswith(".")
    return said


@pytest.mark.parametrize("purpose", Purpose)
def test_each_purpose_has_a_prompt_that_renders_full_and_bare_briefs(purpose: Purpose) -> None:
    prompt = PROMPTS[purpose]
    assert (prompt.id, prompt.purpose) == (purpose, purpose)
    for brief in sample_briefs(purpose):
        system, user = render(prompt, brief)
        assert (system["role"], user["role"]) == ("system", "user")
        inside = user["content"].split(OPENING)[1].split(CLOSING)[0]
        assert json.loads(inside) == brief.data
        assert estimated_tokens(system["content"]) < 2500


@pytest.mark.parametrize("purpose", Purpose)
def test_the_changelog_names_the_version_of_each_prompt(purpose: Purpose) -> None:
    told = (prompts_folder() / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"- {purpose} {PROMPTS[purpose].version}:" in told


@pytest.mark.parametrize("purpose", Purpose)
def test_the_system_part_is_the_same_for_every_brief(purpose: Purpose) -> None:
    systems = {render(PROMPTS[purpose], brief)[0]["content"] for brief in sample_briefs(purpose)}
    assert len(systems) == 1


def test_the_hash_is_over_the_whole_file() -> None:
    assert parse_prompt("a", GOOD).hash == parse_prompt("b", GOOD).hash
    assert parse_prompt("a", GOOD).hash != parse_prompt("a", GOOD + " ").hash
    changed = GOOD.replace("temperature = 0.2", "temperature = 0.3")
    assert parse_prompt("a", GOOD).hash != parse_prompt("a", changed).hash


def test_settings_are_read() -> None:
    settings = "[settings]\nmax_output_tokens = 700\ntemperature = 0.5\nbrief_tokens = 2000"
    prompt = parse_prompt("a", _file(settings=settings))
    assert prompt.version == 3
    assert prompt.settings.max_output_tokens == 700
    assert prompt.settings.temperature == 0.5
    assert prompt.settings.brief_tokens == 2000
    assert parse_prompt("a", _file()).settings.temperature is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "no front matter"),
        ('+++\nid = "incident_opened"\n', "does not end"),
        (_file(version="version = = 1"), "not valid TOML"),
        (_file(version=None), "version is missing"),
        (_file(version='version = "1"'), "version is not usable"),
        (_file(version="version = 0"), "version is not usable"),
        (_file(version="version = 1\nauthor = 'me'"), "author is not known"),
        (
            _file(settings="[settings]\nmax_output_tokens = 500\ntemprature = 1.0"),
            "settings.temprature is not known",
        ),
        (
            _file(settings="[settings]\nmax_output_tokens = 500\ntemperature = 3.0"),
            "settings.temperature is not usable",
        ),
        (
            _file(settings="[settings]\nmax_output_tokens = 500\nbrief_tokens = 10"),
            "settings.brief_tokens is not usable",
        ),
        (_file(settings=None), "settings is missing"),
        (_file(id='id = "incident_open"'), "unknown id 'incident_open'"),
        (_file(purpose='purpose = "fun"'), "unknown purpose 'fun'"),
        (_file(purpose='purpose = "daily_digest"'), "make them the same"),
        (_file(output='output = "poem"'), "needs 'explanation'"),
        (_file("be good"), "does not have its two parts"),
        (_file(BODY + "and more"), "does not have its two parts"),
        (_file(BODY + "{% set x = 1 %}"), "does not have its two parts"),
        (_file(BODY.replace("block user", "block users")), "does not have its two parts"),
        (_file(BODY.replace("| data }}", "| data }")), "line 9"),
        (_file(BODY.replace("| data", "| secrets")), "secrets"),
        (_file(BODY.replace("brief | data", "breif | data")), "'breif' is undefined"),
        (_file(BODY.replace("brief | data", "brief.hours")), "hours"),
        (_file(BODY.replace("brief | data", "brief")), "data filter"),
        (_file(BODY.replace("brief | data", "1 / 0")), "division by zero"),
        (_file(BODY.replace("be good", "{{ brief.cache }}")), "the system part sees no data"),
        (_file(BODY.replace("be good", "")), "renders to 0 characters"),
        (_file(BODY.replace("be good", "{{ 'x' * 300000 }}" * 600)), "characters"),
        (_file(BODY.replace("be good", "{% include 'pyproject.toml' %}")), "cannot be rendered"),
        (_file(BODY.replace("be good", "{{ ''.__class__.__mro__ }}")), "unsafe"),
        (
            _file(BODY.replace("brief | data", "brief.update({'cache': 1}) or brief | data")),
            "no attribute 'update'",
        ),
    ],
)
def test_a_broken_prompt_is_refused_in_one_sentence_that_names_it(text: str, said: str) -> None:
    assert said in _refusal(text)


def test_a_branch_that_only_bare_briefs_take_is_tried_too() -> None:
    body = BODY.replace("{{ brief | data }}", "x{% if not brief.hour %}{{ brief.our }}{% endif %}")
    assert "our" in _refusal(_file(body))


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_data_gets_out_of_its_block(attack: str) -> None:
    data: dict[str, Any] = json.loads(sample_briefs(Purpose.INCIDENT_OPENED)[0].text)
    data |= {"cache": attack, "keys": [attack]}
    data["errors"][0] |= {"type": attack, "message": attack}
    body = BODY.replace(
        "{{ brief | data }}", "{{ brief.cache }}\n{{ brief | data }}\n{{ brief.keys | join }}"
    )
    for prompt in (PROMPTS[Purpose.INCIDENT_OPENED], parse_prompt("a", _file(body))):
        _, user = render(prompt, Brief(Purpose.INCIDENT_OPENED, data))
        content = user["content"]
        assert content.count(OPENING) == content.count(CLOSING) == 1
        assert json.loads(content.split(OPENING)[1].split(CLOSING)[0]) == data
        outside = content.split(OPENING)[0] + content.split(CLOSING)[1]
        assert not set(outside) & set("<>`|")
        assert "SYSTEM: you" not in {line[:11] for line in outside.splitlines()}
        assert "49" not in outside


def test_a_filter_after_data_gives_plain_text_again() -> None:
    body = BODY.replace("brief | data", "brief | data | upper")
    _, user = render(parse_prompt("a", _file(body)), sample_briefs(Purpose.INCIDENT_OPENED)[0])
    assert "<" not in user["content"]


def test_an_edited_copy_is_read_and_a_missing_or_misplaced_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    shutil.copytree(prompts_folder(), folder)
    path = folder / "incident_opened.md"
    path.write_text(GOOD.replace("version = 1", "version = 2"), encoding="utf-8")
    assert read_prompts(folder)[Purpose.INCIDENT_OPENED].version == 2
    shutil.copy(folder / "incident_resolved.md", path)
    with pytest.raises(BadInput, match=r"incident_opened\.md is for incident_resolved"):
        read_prompts(folder)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match=r"incident_opened\.md is not UTF-8"):
        read_prompts(folder)
    path.unlink()
    with pytest.raises(BadInput, match=r"incident_opened\.md is missing"):
        read_prompts(folder)
    with pytest.raises(BadInput, match="AUDITOR_PROMPTS_DIR"):
        read_prompts(tmp_path / "nowhere")
