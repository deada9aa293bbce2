"""Bodies of every kind: a completion or a typed failure, never anything else."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.model.client import Answer, ModelClient
from auditor.model.completion import Completion, read_completion
from auditor.model.failure import ModelFailure, Reason
from auditor.model.refusals import failure_of_status, retry_after
from auditor.model.told import Server
from tests.model.asking import options, request
from tests.model.plays import completion, sends
from tests.model.server import model_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER = Server("some-model", "host:1", "sk-test-0123456789abcdefghij")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = (
    "error",
    "choices",
    "usage",
    "model",
    "id",
    "message",
    "content",
    "refusal",
    "finish_reason",
    "text",
    "type",
)


def _with_names(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)


SHAPED = st.recursive(JSON, _with_names, max_leaves=25)
"""JSON with the names of a completion in all the wrong places."""


def outcome(body: bytes) -> Completion | ModelFailure:
    try:
        return read_completion(body, SERVER)
    except ModelFailure as failure:
        return failure


@given(st.dictionaries(st.sampled_from(NAMES), SHAPED, max_size=6) | SHAPED)
def test_any_json_is_a_completion_or_a_failure(body: Any) -> None:
    found = outcome(json.dumps(body).encode())
    if isinstance(found, Completion):
        assert found.text.strip()
        found.text.encode()
        assert "\0" not in found.text


@given(st.binary(max_size=200))
def test_any_bytes_are_a_completion_or_a_failure(body: bytes) -> None:
    assert isinstance(outcome(body), ModelFailure)


@given(st.integers(0, 1000))
def test_a_completion_cut_anywhere_is_truncated_or_empty(cut: int) -> None:
    whole = json.dumps(completion('{"word": "so"}')).encode()
    found = outcome(whole[: cut % len(whole)])
    assert isinstance(found, ModelFailure)
    assert found.reason in {Reason.TRUNCATED, Reason.EMPTY, Reason.MALFORMED}


@given(st.integers(300, 599), SHAPED, st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text()))
def test_any_error_of_any_status_is_a_failure_of_one_line(
    status: int, body: Any, headers: dict[str, str]
) -> None:
    failure = failure_of_status(status, body, headers, SERVER)
    assert len(failure.message.splitlines()) == 1
    assert len(failure.message) < 500
    assert failure.retry_after is None or 0.0 <= failure.retry_after <= 7 * 86_400.0


@pytest.fixture(scope="module")
def talk() -> Iterator[Callable[[int, bytes], Answer | Exception]]:
    """Sends a status and a body over a real connection; what comes out of the client."""

    async def ask(status: int, body: bytes) -> Answer | Exception:
        server.plays.append(sends(body, status=status))
        async with ModelClient(options(server.url, attempts=1)) as client:
            try:
                return await client.complete(request())
            except Exception as error:  # noqa: BLE001 - what is raised is what is looked at
                return error

    with model_server() as server, asyncio.Runner() as runner:
        yield lambda status, body: runner.run(ask(status, body))


@settings(max_examples=30, deadline=None)
@given(
    status=st.sampled_from([200, 200, 200, 201, 400, 404, 422, 429, 500, 503]),
    body=st.dictionaries(st.sampled_from(NAMES), SHAPED, max_size=6) | SHAPED,
)
def test_over_the_wire_any_json_is_an_answer_or_a_failure(
    talk: Callable[[int, bytes], Answer | Exception], status: int, body: Any
) -> None:
    assert isinstance(talk(status, json.dumps(body).encode()), Answer | ModelFailure)


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"content": {"a": float("nan")}}}]},
        {"error": {"code": 10**400, "message": ["x"]}},
        {"error": True},
        {"choices": [None, 1], "usage": "x"},
        [[[[]]]],
        {"choices": [{"message": {"content": [{"type": "text", "text": None}]}}]},
    ],
)
async def test_over_the_wire_too_odd_bodies_end_in_failures(body: Any) -> None:
    for status in (200, 400, 500):
        with model_server(rest=sends(body, status=status)) as server:
            async with ModelClient(options(server.url, attempts=1)) as client:
                with pytest.raises(ModelFailure):
                    await client.complete(request())


def test_content_in_parts_is_joined_without_the_thinking() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": '{"word": '},
        {"type": "output_text", "text": '"so"'},
        "}",
    ]
    assert outcome(json.dumps(completion(parts)).encode()).text == '{"word": "so"}'  # type: ignore[union-attr]


def test_what_postgresql_and_utf8_cannot_hold_is_replaced() -> None:
    body = rb'{"choices": [{"message": {"content": "a\u0000b\ud800c"}}]}'
    assert outcome(body).text == "a\ufffdb?c"  # type: ignore[union-attr]


def test_fences_and_thinking_are_left_to_the_parser_of_replies() -> None:
    text = '<think>Hm</think>\n```json\n{"word": "so"}\n```'
    assert outcome(json.dumps(completion(text)).encode()).text == text  # type: ignore[union-attr]


def test_a_name_that_is_missing_is_the_configured_one() -> None:
    body = {"choices": [{"message": {"content": "x"}}]}
    found = outcome(json.dumps(body).encode())
    assert isinstance(found, Completion)
    assert (found.model, found.finish_reason, found.usage, found.id) == ("some-model", "", None, "")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e99"}, 604_800.0),
        ({"retry-after": "inf"}, 604_800.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        (
            {"retry-after": "Thu, 26 Nov 2026 12:00:30 GMT", "date": "Thu, 26 Nov 2026 12:00:00 GMT"},
            30.0,
        ),
        (
            {"retry-after": "Thu, 26 Nov 2026 11:00:00 GMT", "date": "Thu, 26 Nov 2026 12:00:00 GMT"},
            0.0,
        ),
        ({"retry-after": "Thu, 26 Nov 2026 12:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
