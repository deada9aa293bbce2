"""The doctor's look at the model: each way of not answering has its mend, and no model is as good as one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditor.service.doctor.checks import Status
from auditor.service.doctor.model import check_model
from tests.model.asking import KEY, options
from tests.model.plays import hangs, says, sends
from tests.model.server import model_server

if TYPE_CHECKING:
    from tests.model.server import Play


async def test_without_a_model_the_line_passes_and_says_how_to_have_one() -> None:
    check = await check_model(None, ask=True, seconds=5)
    assert check.status is Status.PASS
    assert "OPENAI_API_KEY" in check.said


async def test_a_model_that_answers_passes_and_is_asked_once() -> None:
    with model_server(rest=says(json.dumps({"ok": True}))) as server:
        check = await check_model(options(server.url), ask=True, seconds=20)
        assert len(server.asked) == 1
    assert check.status is Status.PASS
    assert "told-model-2026-01-01" in check.said


async def test_without_a_canary_nothing_is_asked() -> None:
    with model_server() as server:
        check = await check_model(options(server.url), ask=False, seconds=5)
        assert server.asked == []
    assert check.status is Status.SKIP


@pytest.mark.parametrize(
    ("play", "mend"),
    [
        (sends({"error": {"message": "bad key", "code": "invalid_api_key"}}, status=401), "OPENAI_API_KEY"),
        (sends({"error": {"message": "no such model"}}, status=404), "AUDITOR_MODEL"),
        (hangs, "faster model"),
    ],
    ids=["key", "model", "hang"],
)
async def test_a_model_that_does_not_answer_fails_with_the_mend_and_without_the_key(
    play: Play, mend: str
) -> None:
    with model_server(rest=play) as server:
        check = await check_model(options(server.url), ask=True, seconds=2)
    assert check.status is Status.FAIL
    assert mend in check.mend
    assert KEY not in check.said + check.mend
