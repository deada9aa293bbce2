"""`auditor eval` against a real server: the good model is told from the bad ones, and the key goes where it belongs."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from auditor.resources import prompts_folder
from tests.evaluation.server import ModelServer, model_server
from tests.warm_start import auditor

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

CHOSEN = ("backend_slow", "digest_quiet", "flush", "injection_in_errors", "unknown_size")
NOBODY = "http://127.0.0.1:1/v1"
ONLY = [part for name in CHOSEN for part in ("--incident", name)]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as serving:
        yield serving


def _eval(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return auditor("eval", *arguments, env={"PATH": os.defpath, "HOME": "/dev/null"} | environment)


def _runs(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], dict[str, Any]]:
    assert done.returncode in {0, 1}, done.stderr
    return {(run["model"], run["prompts"]): run for run in json.loads(done.stdout)}


def test_a_model_that_words_its_brief_is_told_from_those_that_go_wrong(server: ModelServer) -> None:
    models = [part for name in ("good", "inventive", "obedient", "chatty") for part in ("--model", name)]
    done = _eval(*models, *ONLY, "--format", "json", OPENAI_BASE_URL=server.url)
    runs = {model: run for (model, _), run in _runs(done).items()}
    assert runs["good"]["passed"] == 1.0, [answer["faults"] for answer in runs["good"]["answers"]]
    assert runs["good"]["schema_ok"] == runs["good"]["cause_right"] == runs["good"]["clean"] == 1.0
    for model in ("inventive", "obedient", "chatty"):
        assert runs[model]["passed"] == 0.0, runs[model]["answers"]
    assert runs["chatty"]["failures"] == {"malformed": len(CHOSEN)}
    assert runs["chatty"]["repaired"] == 1.0
    assert runs["inventive"]["grounded_share"] < runs["good"]["grounded_share"]
    assert (runs["good"]["input_tokens"], runs["good"]["output_tokens"]) == (3000, 200)


def test_prompt_folders_are_compared_and_too_small_a_share_is_exit_code_one(
    server: ModelServer, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(prompts_folder(), mine)
    environment = {"OPENAI_BASE_URL": server.url, "AUDITOR_MODEL": "good"}
    folders = ["--prompts", str(prompts_folder()), "--prompts", str(mine)]
    fine = _eval(*folders, *ONLY, "--format", "json", "--fail-under", "1", **environment)
    assert fine.returncode == 0, fine.stderr
    assert set(_runs(fine)) == {("good", "prompts"), ("good", "mine")}
    failed = _eval(*ONLY, "--model", "chatty", "--fail-under", "0.5", **environment)
    assert failed.returncode == 1
    assert "Fewer than 50% of the incidents passed: chatty with prompts 0%" in failed.stderr
    assert "0/5" in failed.stdout
    assert ", ".join(CHOSEN) in failed.stdout
    assert "no answer (malformed)" in failed.stdout


def test_the_configured_key_goes_to_the_configured_server_alone(server: ModelServer) -> None:
    with model_server() as other:
        done = _eval(
            *(
                "--model",
                "good",
                "--model",
                f"good@{other.url}",
                "--key-from",
                "OTHER_KEY",
                "--incident",
                "flush",
            ),
            OPENAI_BASE_URL=server.url,
            OPENAI_API_KEY="sk-configured-key",
            OTHER_KEY="sk-other-key",
        )
        assert done.returncode == 0, done.stderr
        assert [key for key, _, _ in server.asked] == ["Bearer sk-configured-key"]
        assert [key for key, _, _ in other.asked] == ["Bearer sk-other-key"]
        _eval(
            "--model",
            f"good@{other.url}",
            "--incident",
            "flush",
            OPENAI_BASE_URL=server.url,
            OPENAI_API_KEY="sk-configured-key",
        )
        assert "sk-configured-key" not in other.asked[-1][0]
    assert "sk-" not in done.stdout + done.stderr


def test_without_excerpts_no_key_and_no_message_leaves_the_machine(server: ModelServer) -> None:
    arguments = ("--model", "good", "--incident", "flush", "--incident", "backend_errors")
    _eval(*arguments, OPENAI_BASE_URL=server.url, AUDITOR_PROMPT_EXCERPTS="false")
    _eval(*arguments, OPENAI_BASE_URL=server.url)
    texts = [json.dumps(data) for _, _, data in server.asked]
    assert [("overloaded" in text, "what is a cache" in text) for text in texts[:2]] == [(False, False)] * 2
    assert any("overloaded" in text for text in texts[2:])
    assert any("what is a cache" in text for text in texts[2:])


def test_without_a_model_it_says_what_to_set() -> None:
    done = _eval("--incident", "flush")
    assert done.returncode == 2
    assert "No model is configured: set OPENAI_API_KEY or OPENAI_BASE_URL" in done.stderr


def test_a_server_that_does_not_answer_is_exit_code_three_and_logs_stay_off_the_output() -> None:
    quiet = _eval("--incident", "flush", "--format", "json", "--fail-under", "1", OPENAI_BASE_URL=NOBODY)
    assert quiet.returncode == 3
    (run,) = json.loads(quiet.stdout)
    assert run["failures"] == {"unreachable": 1}
    assert quiet.stderr.splitlines()[-1].startswith("auditor: ")
    assert "127.0.0.1:1" in quiet.stderr.splitlines()[-1]
    assert "OPENAI_BASE_URL" in quiet.stderr.splitlines()[-1]
    assert "asked again" not in quiet.stderr
    loud = _eval("--incident", "flush", "--format", "json", OPENAI_BASE_URL=NOBODY, LOG_LEVEL="DEBUG")
    assert json.loads(loud.stdout)[0]["failures"] == {"unreachable": 1}
    assert "the model is asked again" in loud.stderr
