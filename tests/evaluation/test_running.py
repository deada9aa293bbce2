"""Asking candidates: each incident once, in order, no more at a time than allowed, with the prompt's own settings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from auditor.errors import BadInput
from auditor.evaluation.candidates import named, same_server
from auditor.evaluation.incidents import read_incidents
from auditor.evaluation.running import Candidate, run_candidate
from auditor.explanation.briefing import estimated_tokens
from auditor.prompt_files import read_prompts
from auditor.resources import evals_folder, prompts_folder
from tests.evaluation.answers import answered, checked

if TYPE_CHECKING:
    from auditor.explanation.brief import Brief
    from auditor.explanation.prompt import Prompt
    from auditor.model.asking import Asked

PROMPTS = read_prompts(prompts_folder())
INCIDENTS = read_incidents(evals_folder(), ["backend_errors", "digest_busy", "flush", "resolved_flush"])


async def test_every_incident_is_asked_once_and_graded_in_order() -> None:
    running, most, asked = 0, 0, []

    async def ask(prompt: Prompt, brief: Brief) -> Asked:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01 if brief.purpose is prompt.purpose else 0.0)
        running -= 1
        asked.append((prompt.purpose, brief.data.get("cache")))
        assert prompt.purpose is brief.purpose
        assert estimated_tokens(brief.text) <= prompt.settings.brief_tokens
        return answered(checked())

    seen: list[str] = []
    candidate = Candidate("m", "prompts", PROMPTS, ask)
    grades = await run_candidate(
        candidate, INCIDENTS, concurrency=2, graded=lambda grade: seen.append(grade.incident)
    )
    assert [grade.incident for grade in grades] == [one.name for one in INCIDENTS]
    assert sorted(seen) == sorted(one.name for one in INCIDENTS)
    assert len(asked) == len(INCIDENTS)
    assert most == 2


async def test_without_excerpts_no_message_reaches_the_model() -> None:
    told = []

    async def ask(_prompt: Prompt, brief: Brief) -> Asked:
        told.append(brief.text)
        return answered(failure="timeout")

    for excerpts in (True, False):
        await run_candidate(
            Candidate("m", "p", PROMPTS, ask), INCIDENTS[:1], concurrency=1, excerpts=excerpts
        )
    assert ["overloaded" in text for text in told] == [True, False]


@pytest.mark.parametrize(
    ("text", "model", "url", "shown"),
    [
        ("gpt-4.1-mini", "gpt-4.1-mini", None, "gpt-4.1-mini"),
        (
            "llama3@http://localhost:11434/v1/",
            "llama3",
            "http://localhost:11434/v1",
            "llama3@localhost:11434",
        ),
        ("@cf/meta/llama", "@cf/meta/llama", None, "@cf/meta/llama"),
        ("@cf/llama@https://a.example/v1", "@cf/llama", "https://a.example/v1", "@cf/llama@a.example"),
        ("m@https://user:secret@a.example/v1", "m", "https://user:secret@a.example/v1", "m@a.example"),
    ],
)
def test_a_model_is_named_with_or_without_its_server(
    text: str, model: str, url: str | None, shown: str
) -> None:
    read = named(text)
    assert (read.model, read.base_url, str(read)) == (model, url, shown)


@pytest.mark.parametrize("text", ["", " ", "@https://a.example/v1", "m@https:///v1"])
def test_a_name_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--model"):
        named(text)


def test_the_same_server_is_one_of_the_same_scheme_host_and_port() -> None:
    assert same_server("https://a.example/v1", "https://a.example/v2")
    assert not same_server("https://a.example/v1", "https://a.example:8443/v1")
    assert not same_server("https://a.example/v1", "http://a.example/v1")
    assert not same_server("https://a.example/v1", None)
