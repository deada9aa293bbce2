"""What a call is made of: its wire, its ladder and what it remembers, its slots, its breaker, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydantic import SecretStr

from auditor.model.breaker import BreakerState
from auditor.model.client import ModelClient
from auditor.model.exchange import Rung
from auditor.model.failure import ModelFailure, Reason
from tests.model import plays
from tests.model.asking import KEY, SCHEMA, options, request
from tests.model.plays import completion, fails, rate_limited, says, sends, taking
from tests.model.server import ModelServer, model_server

if TYPE_CHECKING:
    from tests.model.server import Play

WORD = says('{"word": "so"}')


async def asked_of(play: Play, calls: int = 1, **changes: Any) -> tuple[ModelClient, ModelServer]:
    """A client that was answered so many times, and its server."""
    with model_server(rest=play) as server:
        async with ModelClient(options(server.url, **changes)) as client:
            for _ in range(calls):
                await client.complete(request())
        return client, server


async def test_a_request_is_a_chat_completion_with_a_strict_schema() -> None:
    _, server = await asked_of(WORD)
    asked = server.asked[0]
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.body == {
        "model": "some-model",
        "messages": [{"role": "system", "content": "Say one word."}, {"role": "user", "content": "Which?"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "word", "schema": SCHEMA, "strict": True},
        },
        "max_completion_tokens": 100,
        "temperature": 0.2,
    }


async def test_an_answer_tells_its_text_model_tokens_and_cost() -> None:
    with model_server(WORD) as server:
        async with ModelClient(options(server.url)) as client:
            answer = await client.complete(request())
    assert answer.text == '{"word": "so"}'
    assert answer.model == "told-model-2026-01-01"
    assert (answer.input_tokens, answer.output_tokens) == (900, 210)
    assert answer.cost == pytest.approx((900 * 0.4 + 210 * 1.6) / 1_000_000)
    assert answer.rung is Rung.JSON_SCHEMA
    assert answer.finish_reason == "stop"
    assert answer.seconds > 0


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, {"prompt_tokens": -1}, [1]])
async def test_tokens_that_the_server_does_not_count_are_estimated_and_not_free(usage: Any) -> None:
    with model_server(says('{"word": "so"}', usage=usage)) as server:
        async with ModelClient(options(server.url)) as client:
            answer = await client.complete(request())
    assert answer.input_tokens >= 5
    assert answer.output_tokens >= 3
    assert answer.cost is not None
    assert answer.cost > 0


async def test_without_a_key_a_placeholder_is_sent() -> None:
    _, server = await asked_of(WORD, api_key=None)
    assert server.asked[0].headers["authorization"] == "Bearer none"


async def test_azures_older_interface_names_the_deployment_and_the_version() -> None:
    with model_server(WORD) as server:
        resource = server.url.removesuffix("/v1")
        async with ModelClient(options(resource, api_version="2024-10-21")) as client:
            await client.complete(request())
    asked = server.asked[0]
    assert asked.path == "/openai/deployments/some-model/chat/completions?api-version=2024-10-21"
    assert asked.headers["api-key"] == KEY
    assert "authorization" not in asked.headers
    assert asked.body["max_tokens"] == 100


async def test_a_server_without_schemas_is_asked_for_json_and_told_the_schema() -> None:
    client, server = await asked_of(taking("json_schema", otherwise=WORD), calls=2)
    assert [asked.rung for asked in server.asked] == ["json_schema", "json_object", "json_object"]
    first = server.asked[1].body["messages"][0]
    assert first["role"] == "system"
    assert json.loads(first["content"].rpartition("\n")[2]) == SCHEMA
    assert client.health.rung is Rung.JSON_OBJECT


async def test_a_server_without_any_format_is_asked_in_words_and_that_is_remembered() -> None:
    _, server = await asked_of(taking("json_schema", "json_object", otherwise=WORD), calls=2)
    assert [asked.rung for asked in server.asked] == ["json_schema", "json_object", "text", "text"]
    assert "JSON Schema" in server.asked[-1].prompt


@pytest.mark.parametrize("refused", ["max_completion_tokens", "max_tokens"])
async def test_a_refused_name_of_the_token_limit_gives_way_to_the_other(refused: str) -> None:
    other = {"max_completion_tokens": "max_tokens", "max_tokens": "max_completion_tokens"}[refused]
    _, server = await asked_of(taking(refused, otherwise=WORD), calls=2)
    assert [refused in asked.body for asked in server.asked[-2:]] == [False, False]
    assert [asked.body[other] for asked in server.asked[-2:]] == [100, 100]


async def test_a_refused_temperature_is_left_out_from_then_on() -> None:
    _, server = await asked_of(taking("temperature", otherwise=WORD), calls=2)
    assert ["temperature" in asked.body for asked in server.asked] == [True, False, False]


async def test_a_server_that_takes_nothing_of_it_is_answered_in_the_end() -> None:
    refusing = taking(
        "temperature", "max_completion_tokens", "max_tokens", "json_schema", "json_object", otherwise=WORD
    )
    _, server = await asked_of(refusing, calls=2)
    assert set(server.asked[-1].body) == {"model", "messages"}
    assert len(server.asked) == 7


async def test_a_refusal_that_names_nothing_walks_down_the_formats() -> None:
    silent = taking("json_schema", otherwise=WORD, told={"code": "1210"})

    async def mute(asked: Any, wire: Any) -> None:
        if asked.rung == "json_schema":
            await fails(400, "API 调用参数有误，请检查文档。", code="1210")(asked, wire)
        else:
            await silent(asked, wire)

    _, server = await asked_of(mute, calls=2)
    assert [asked.rung for asked in server.asked] == ["json_schema", "json_object", "json_object"]


async def test_a_walk_that_did_not_help_is_not_walked_again_and_forgotten() -> None:
    with model_server(rest=fails(400, "no")) as server:
        async with ModelClient(options(server.url)) as client:
            for _ in range(2):
                with pytest.raises(ModelFailure) as caught:
                    await client.complete(request())
                assert caught.value.reason is Reason.BAD_REQUEST
    assert [asked.rung for asked in server.asked] == ["json_schema", "json_object", "text", "json_schema"]


async def test_no_more_calls_than_slots_are_at_the_server_at_a_time() -> None:
    with model_server(rest=plays.after(0.02, WORD)) as server:
        async with ModelClient(options(server.url, concurrency=2)) as client:
            await asyncio.gather(*(client.complete(request()) for _ in range(8)))
        assert len(server.asked) == 8
        assert server.most_at_a_time == 2


async def test_waiting_for_a_slot_ends_at_the_deadline_and_is_not_the_servers_fault() -> None:
    with model_server(rest=plays.hangs) as server:
        async with ModelClient(options(server.url, concurrency=1, breaker_failures=1)) as client:
            holding = asyncio.create_task(client.complete(request()))
            while not server.asked:
                await asyncio.sleep(0.01)
            with pytest.raises(ModelFailure) as caught:
                await client.complete(request(deadline_seconds=0.05))
            assert caught.value.reason is Reason.BUSY
            assert client.breaker_state() is BreakerState.CLOSED
            holding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await holding
            assert len(server.asked) == 1


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def failing(client: ModelClient) -> Reason:
    with pytest.raises(ModelFailure) as caught:
        await client.complete(request())
    return caught.value.reason


async def test_the_breaker_spares_a_failing_server_and_lets_one_probe_find_it_well() -> None:
    clock = Clock()
    with model_server(*[fails(500)] * 4, rest=WORD) as server:
        chosen = options(server.url, attempts=1, breaker_failures=3, breaker_seconds=30.0)
        async with ModelClient(chosen, clock=clock, chance=lambda: 0.5) as client:
            assert [await failing(client) for _ in range(5)] == [Reason.SERVER_ERROR] * 3 + [
                Reason.CIRCUIT_OPEN
            ] * 2
            assert len(server.asked) == 3
            clock.now += 31.0
            assert client.breaker_state() is BreakerState.HALF_OPEN
            assert await failing(client) is Reason.SERVER_ERROR  # the probe
            assert await failing(client) is Reason.CIRCUIT_OPEN
            clock.now += 31.0
            assert await failing(client) is Reason.CIRCUIT_OPEN  # the second cool-down is twice as long
            clock.now += 31.0
            assert (await client.complete(request())).text == '{"word": "so"}'
            assert client.breaker_state() is BreakerState.CLOSED
            assert len(server.asked) == 5


async def test_a_retry_after_that_does_not_fit_keeps_later_calls_away_as_long() -> None:
    clock = Clock()
    with model_server(rate_limited("120"), rest=WORD) as server:
        async with ModelClient(options(server.url), clock=clock) as client:
            assert await failing(client) is Reason.RATE_LIMITED
            clock.now += 119.0
            assert await failing(client) is Reason.CIRCUIT_OPEN
            clock.now += 2.0
            await client.complete(request())
        assert len(server.asked) == 2


async def test_failures_of_the_request_do_not_open_the_breaker() -> None:
    with model_server(rest=says(None, refusal="no")) as server:
        async with ModelClient(options(server.url, breaker_failures=2)) as client:
            assert [await failing(client) for _ in range(4)] == [Reason.REFUSAL] * 4


async def test_a_cancelled_probe_leaves_its_place_to_the_next_call() -> None:
    clock = Clock()
    with model_server(fails(500), plays.hangs, rest=WORD) as server:
        chosen = options(server.url, attempts=1, breaker_failures=1)
        async with ModelClient(chosen, clock=clock) as client:
            assert await failing(client) is Reason.SERVER_ERROR
            clock.now += 60.0
            probe = asyncio.create_task(client.complete(request()))
            while len(server.asked) < 2:
                await asyncio.sleep(0.01)
            assert await failing(client) is Reason.CIRCUIT_OPEN
            probe.cancel()
            with pytest.raises(asyncio.CancelledError):
                await probe
            await client.complete(request())


async def test_closing_leaves_no_connection_and_no_task_whatever_happened_before() -> None:
    before = asyncio.all_tasks()
    ways = [
        WORD,
        plays.hangs,
        plays.resets_amid,
        plays.resets_at_once,
        fails(500),
        plays.hangs_amid,
        sends(""),
    ]
    with model_server(*ways, WORD) as server:
        async with ModelClient(options(server.url, attempts=1, breaker_failures=99)) as client:
            for _ in ways:
                with contextlib.suppress(ModelFailure):
                    await client.complete(request(deadline_seconds=0.3))
            await client.complete(request())
        await client.close()  # a second time
        assert asyncio.all_tasks() == before
        mine = [
            one
            for one in psutil.Process().net_connections("tcp")
            if one.raddr and one.raddr.port == server.port
        ]
        assert [one for one in mine if one.status == psutil.CONN_ESTABLISHED] == []


async def test_a_call_that_is_cancelled_closes_its_connection() -> None:
    with model_server(rest=plays.hangs) as server:
        async with ModelClient(options(server.url)) as client:
            call = asyncio.create_task(client.complete(request()))
            while server.connections < 1 or not server.asked:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            mine = psutil.Process().net_connections("tcp")
            assert [one for one in mine if one.raddr and one.raddr.port == server.port] == []


async def test_the_key_stands_in_no_log_no_message_and_no_repr(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("", "openai", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, name)
    shown: list[str] = []
    spill = f"Incorrect API key provided: {KEY}"
    with model_server(fails(401, spill), fails(500, spill), fails(400, spill), rest=WORD) as server:
        async with ModelClient(options(server.url, attempts=1)) as client:
            for _ in range(4):
                try:
                    shown.append(repr(await client.complete(request())))
                except ModelFailure as failure:
                    shown += [
                        repr(failure),
                        failure.message,
                        str(failure.__context__),
                        str(failure.__cause__),
                    ]
            shown += [repr(client.options), repr(client.health), repr(client._server), str(client._server)]
    logged = caplog.text + "".join(capsys.readouterr())
    assert "HTTP Response" in logged  # the libraries did log
    assert KEY not in "\n".join(shown) + logged


async def test_a_key_of_any_shape_is_blanked_out_where_a_server_repeats_it() -> None:
    key = "0f3c2b1a99887766554433221100ffee"
    with model_server(rest=fails(418, f"bad {key}\nline two")) as server:
        async with ModelClient(options(server.url, api_key=SecretStr(key))) as client:
            with pytest.raises(ModelFailure, match=r"bad \*\*\* line two") as caught:
                await client.complete(request())
    assert key not in caught.value.message


async def test_a_masked_piece_of_a_refused_key_is_not_repeated_either() -> None:
    with model_server(fails(401, "Incorrect key provided: 0f3c2b****00ffee.")) as server:
        async with ModelClient(options(server.url)) as client:
            with pytest.raises(ModelFailure, match="refuses the key") as caught:
                await client.complete(request())
    assert "00ffee" not in caught.value.message


async def test_a_body_that_comes_in_pieces_is_put_together() -> None:
    content = json.dumps(completion('{"word": "Grüße 👋"}'), ensure_ascii=False).encode()

    async def pieces(asked: Any, wire: Any) -> None:
        await wire.begin(len(content))
        for at in range(0, len(content), 7):
            await wire.raw(content[at : at + 7])

    with model_server(pieces) as server:
        async with ModelClient(options(server.url)) as client:
            assert (await client.complete(request())).text == '{"word": "Grüße 👋"}'
