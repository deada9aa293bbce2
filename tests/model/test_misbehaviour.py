"""Each way in which a server can misbehave ends in its typed failure, within the deadline, and leaks nothing."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from auditor.model.client import ModelClient
from auditor.model.failure import ModelFailure, Reason
from tests.model import plays
from tests.model.asking import KEY, options, request
from tests.model.plays import completion, fails, out_of_quota, rate_limited, says, sends
from tests.model.server import model_server

if TYPE_CHECKING:
    from tests.model.server import Play


async def failure_of(*served: Play, rest: Play | None = None, **changes: Any) -> tuple[ModelFailure, int]:
    """The failure that these plays end in, and the number of requests it took."""
    with model_server(*served, rest=rest) as server:
        async with ModelClient(options(server.url)) as client:
            with pytest.raises(ModelFailure) as caught:
                await client.complete(request(**changes))
            assert client.health.failures == {caught.value.reason.value: 1}
        return caught.value, len(server.asked)


FINAL: dict[str, tuple[Play, Reason]] = {
    "out of quota": (out_of_quota(), Reason.QUOTA),
    "payment required": (fails(402, "Insufficient Balance"), Reason.QUOTA),
    "GLM without money": (fails(429, "余额不足或无可用资源包", code="1113"), Reason.QUOTA),
    "Kimi without money": (fails(429, "suspended", kind="exceeded_current_quota_error"), Reason.QUOTA),
    "LiteLLM's budget": (fails(400, "Budget has been exceeded!", kind="budget_exceeded"), Reason.QUOTA),
    "wrong key": (
        fails(401, f"Incorrect API key provided: {KEY}.", code="invalid_api_key"),
        Reason.UNAUTHORISED,
    ),
    "forbidden": (fails(403, "Country not supported"), Reason.UNAUTHORISED),
    "no such model": (fails(404, "The model `x` does not exist", code="model_not_found"), Reason.NOT_FOUND),
    "no such model as a 400": (fails(400, "Invalid model name passed in model=x"), Reason.NOT_FOUND),
    "no such path": (sends("404 page not found", status=404, kind="text/plain"), Reason.NOT_FOUND),
    "redirect": (sends("", status=302, location="https://elsewhere.example/"), Reason.NOT_FOUND),
    "prompt too long": (
        fails(400, "maximum context length is 8192 tokens", code="context_length_exceeded"),
        Reason.TOO_LONG,
    ),
    "prompt too long by vLLM": (
        fails(400, "'max_completion_tokens' is too large: 900. This model's maximum context length is 512"),
        Reason.TOO_LONG,
    ),
    "Azure's filter on the prompt": (
        fails(400, "The response was filtered due to the prompt", code="content_filter", param="prompt"),
        Reason.CONTENT_FILTER,
    ),
    "HTML in a 200": (sends(plays.HTML, kind="text/html"), Reason.NOT_JSON),
    "HTML in a 200 that claims to be JSON": (sends(plays.HTML), Reason.NOT_JSON),
    "truncated JSON": (sends(json.dumps(completion("{}"))[:120]), Reason.TRUNCATED),
    "reset amid the body": (plays.resets_amid, Reason.TRUNCATED),
    "end amid the body": (plays.ends_amid, Reason.TRUNCATED),
    "body without an end": (plays.floods, Reason.TOO_LARGE),
    "empty body": (sends(""), Reason.EMPTY),
    "empty content": (says(""), Reason.EMPTY),
    "blank content": (says(" \n "), Reason.EMPTY),
    "no content": (says(None), Reason.EMPTY),
    "no choices": (sends({"id": "x", "choices": []}), Reason.EMPTY),
    "tool calls only": (says(None, tool_calls=[{"id": "1", "type": "function"}]), Reason.TOOL_CALLS),
    "refusal": (says(None, refusal="I cannot help with that."), Reason.REFUSAL),
    "cut at the limit": (says('{"word": "lo', finish_reason="length"), Reason.LENGTH),
    "nothing but thinking": (says("", finish_reason="length", reasoning_content="Hm"), Reason.LENGTH),
    "stopped by the filter": (says("", finish_reason="content_filter"), Reason.CONTENT_FILTER),
    "stopped by GLM's filter": (says("", finish_reason="sensitive"), Reason.CONTENT_FILTER),
    "an error amid an answer that was billed": (says("", finish_reason="error"), Reason.SERVER_ERROR),
    "null": (sends("null"), Reason.MALFORMED),
    "a list": (sends([]), Reason.MALFORMED),
    "a number": (sends(7), Reason.MALFORMED),
    "NaN": (sends('{"choices": [], "usage": NaN}'), Reason.MALFORMED),
    "choices that are an object": (sends({"choices": {}}), Reason.MALFORMED),
    "a choice that is a text": (sends({"choices": ["x"]}), Reason.MALFORMED),
    "a message that is a text": (sends({"choices": [{"message": "x"}]}), Reason.MALFORMED),
    "content that is a number": (says(7), Reason.MALFORMED),
    "content that is an object": (says({"word": "x"}), Reason.MALFORMED),
    "parts that are numbers": (says([1, 2]), Reason.MALFORMED),
    "another object": (sends({"detail": "hello"}), Reason.MALFORMED),
    "nested beyond measure": (sends('{"choices":' + "[" * 200_000), Reason.TRUNCATED),
    "a number of ten thousand digits": (
        sends('{"choices": [], "n": ' + "9" * 10_000 + "}"),
        Reason.MALFORMED,
    ),
    "not UTF-8": (sends(b"\xff\xfe\x00{"), Reason.NOT_JSON),
    "lies about gzip": (sends("{}", content_encoding="gzip"), Reason.MALFORMED),
}
"""What is not tried again: another attempt would cost the same money for the same end."""


@pytest.mark.parametrize("name", FINAL)
async def test_what_another_attempt_would_not_mend_is_asked_once(name: str) -> None:
    play, reason = FINAL[name]
    failure, requests = await failure_of(play)
    assert failure.reason is reason
    assert requests == 1


PASSING: dict[str, tuple[Play, Reason]] = {
    "rate limit without Retry-After": (rate_limited(), Reason.RATE_LIMITED),
    "rate limit with Retry-After": (rate_limited("0.02"), Reason.RATE_LIMITED),
    "rate limit with Retry-After in milliseconds": (fails(429, retry_after_ms="20"), Reason.RATE_LIMITED),
    "rate limit with a Retry-After of nonsense": (rate_limited("soon"), Reason.RATE_LIMITED),
    "rate limit with a Retry-After of NaN": (rate_limited("nan"), Reason.RATE_LIMITED),
    "Gemini's limit, worded like an empty account": (
        fails(429, "You exceeded your current quota", retry_after="0.02"),
        Reason.RATE_LIMITED,
    ),
    "500": (fails(500), Reason.SERVER_ERROR),
    "502 with HTML": (sends(plays.HTML, status=502, kind="text/html"), Reason.SERVER_ERROR),
    "503 with nothing": (sends("", status=503), Reason.SERVER_ERROR),
    "504": (fails(504, "upstream timed out"), Reason.SERVER_ERROR),
    "529": (fails(529, "overloaded"), Reason.SERVER_ERROR),
    "error object in a 200": (sends({"error": {"message": "overloaded"}}), Reason.SERVER_ERROR),
    "rate limit in a 200": (sends({"error": {"message": "slow down", "code": 429}}), Reason.RATE_LIMITED),
    "GLM's network error": (says("", finish_reason="network_error", usage=None), Reason.SERVER_ERROR),
    "not HTTP": (plays.babbles, Reason.UNREACHABLE),
    "reset before an answer": (plays.resets_at_once, Reason.UNREACHABLE),
    "hang-up before an answer": (plays.hangs_up, Reason.UNREACHABLE),
}


@pytest.mark.parametrize("name", PASSING)
async def test_what_may_pass_is_asked_again_and_answered(name: str) -> None:
    play, _ = PASSING[name]
    with model_server(play, play, says('{"word": "so"}')) as server:
        async with ModelClient(options(server.url)) as client:
            answer = await client.complete(request())
        assert answer.text == '{"word": "so"}'
        assert len(server.asked) == 3


@pytest.mark.parametrize("name", PASSING)
async def test_what_does_not_pass_ends_in_its_reason_after_three_attempts(name: str) -> None:
    play, reason = PASSING[name]
    failure, requests = await failure_of(rest=play)
    assert failure.reason is reason
    assert requests == 3


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for_and_told() -> None:
    failure, requests = await failure_of(rest=rate_limited("3600"))
    assert failure.reason is Reason.RATE_LIMITED
    assert failure.retry_after == 3600.0
    assert requests == 1


async def test_a_retry_after_that_is_a_date_is_measured_by_the_servers_own_clock() -> None:
    dated = fails(503, retry_after="Thu, 26 Nov 2026 12:02:00 GMT", date="Thu, 26 Nov 2026 12:00:00 GMT")
    failure, _ = await failure_of(rest=dated)
    assert failure.retry_after == 120.0


@pytest.mark.parametrize(
    "play", [plays.hangs, plays.hangs_amid, plays.drips(0.2)], ids=["hang", "hang amid", "drip"]
)
async def test_a_server_that_hangs_or_drips_ends_at_the_deadline(play: Play) -> None:
    failure, requests = await failure_of(rest=play, deadline_seconds=0.5)
    assert failure.reason is Reason.TIMEOUT
    assert failure.may_be_billed
    assert requests == 1


@pytest.mark.parametrize(
    "play", [plays.hangs, plays.drips(0.2), rate_limited("0.1")], ids=["hang", "drip", "limit"]
)
async def test_a_call_ends_before_what_begins_with_it_and_takes_ten_times_its_deadline(play: Play) -> None:
    with model_server(rest=play) as server:
        async with ModelClient(options(server.url, attempts=99)) as client:
            call = asyncio.create_task(client.complete(request(deadline_seconds=0.4)))
            longer = asyncio.create_task(asyncio.sleep(4.0))
            done, _ = await asyncio.wait({call, longer}, return_when=asyncio.FIRST_COMPLETED)
            longer.cancel()
            assert done == {call}
            assert isinstance(call.exception(), ModelFailure)


async def test_retries_do_not_outlive_the_deadline() -> None:
    failure, requests = await failure_of(rate_limited("0.05"), rest=plays.hangs, deadline_seconds=0.5)
    assert failure.reason is Reason.TIMEOUT
    assert requests == 2


async def test_nobody_listening_is_unreachable_and_says_what_to_mend() -> None:
    with model_server() as server:
        gone = server.url
    async with ModelClient(options(gone)) as client:
        with pytest.raises(ModelFailure, match=r"cannot be reached.*refused.*OPENAI_BASE_URL") as caught:
            await client.complete(request())
    assert caught.value.reason is Reason.UNREACHABLE


async def test_a_handshake_that_hangs_ends_before_the_deadline_and_leaves_no_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # connections wait in the kernel, nobody takes them
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/v1"
        async with ModelClient(options(url, attempts=1)) as client:
            with pytest.raises(ModelFailure, match="does not take a connection") as caught:
                await client.complete(request(deadline_seconds=1.0))
            assert caught.value.reason is Reason.UNREACHABLE
            here = psutil.Process().net_connections("tcp")
            assert [one for one in here if one.raddr and one.raddr.port == mute.getsockname()[1]] == []


async def test_tls_to_a_plain_server_is_unreachable() -> None:
    with model_server() as server:
        async with ModelClient(options(server.url.replace("http:", "https:"))) as client:
            with pytest.raises(ModelFailure, match="does not speak TLS") as caught:
                await client.complete(request())
    assert caught.value.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("name", ["cut at the limit", "refusal", "stopped by the filter", "empty content"])
async def test_what_was_billed_is_told_with_the_failure(name: str) -> None:
    failure, _ = await failure_of(FINAL[name][0])
    assert failure.usage is not None
    assert (failure.usage.input_tokens, failure.usage.output_tokens) == (900, 210)


@pytest.mark.parametrize("name", [*FINAL, *PASSING])
async def test_a_failure_is_one_line_that_ends_and_holds_no_key(name: str) -> None:
    play, _ = (FINAL | PASSING)[name]
    failure, _ = await failure_of(rest=play)
    assert "\n" not in failure.message
    assert failure.message.endswith((".", "?"))
    assert "some-model at 127.0.0.1" in failure.message
    assert (
        KEY
        not in f"{failure.message} {failure!r} {failure.names}"[: len(failure.message) + len(repr(failure))]
    )
    assert "<html" not in failure.message
