"""Spans of model calls: by the conventions, without a word of the prompt, and nothing at all where they are not asked for."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from auditor.model import tracing
from auditor.model.client import ModelClient
from auditor.model.failure import ModelFailure
from tests.model.asking import KEY, options, request
from tests.model.plays import fails, says
from tests.model.server import model_server
from tests.model.traces import trace_receiver

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tests.model.server import Play


async def span_of(monkeypatch: pytest.MonkeyPatch, *plays: Play, **changes: Any) -> tuple[ReadableSpan, int]:
    """The one span of one call, and the server's port."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setattr(tracing, "_provider", lambda: (provider, False))
    with model_server(*plays) as server:
        async with ModelClient(options(server.url, **changes)) as client:
            with contextlib.suppress(ModelFailure):
                await client.complete(request())
    (span,) = kept.get_finished_spans()
    return span, server.port


async def test_a_call_is_a_client_span_by_the_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    span, port = await span_of(monkeypatch, says('{"word": "so"}'))
    assert span.name == "chat some-model"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "some-model",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "told-model-2026-01-01",
        "gen_ai.response.id": "chatcmpl-7",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 210,
        "server.address": "127.0.0.1",
        "server.port": port,
    }


async def test_a_failure_has_its_reason_as_the_type_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    span, _ = await span_of(monkeypatch, says("cut", finish_reason="length"))
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "length"
    assert (span.attributes or {})["gen_ai.usage.input_tokens"] == 900
    assert span.events == ()


async def test_no_prompt_no_answer_and_no_key_is_in_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    for play in (says("the answer's text"), fails(400, f"bad key {KEY}")):
        span, _ = await span_of(monkeypatch, *[play] * 9)
        told = span.to_json()
        for secret in ("Say one word", "Which?", "the answer's text", KEY):
            assert secret not in told


async def test_spans_go_over_the_wire_to_the_named_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    with trace_receiver() as receiver, model_server(rest=says('{"word": "so"}')) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        async with ModelClient(options(server.url)) as client:
            await client.complete(request())
    assert receiver.paths == ["/v1/traces"]
    assert b"chat some-model" in receiver.bodies[0]
    assert b"cache-auditor" in receiver.bodies[0]


async def test_a_collector_that_is_gone_costs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with trace_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with model_server(rest=says('{"word": "so"}')) as server:
        async with ModelClient(options(server.url)) as client:
            assert (await client.complete(request())).text == '{"word": "so"}'


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
)
def test_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], asked: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tracing.tracing_asked_for() is asked


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for() -> None:
    program = (
        "import sys\n"
        "from auditor.model.client import ModelClient, ModelOptions\n"
        "ModelClient(ModelOptions(model='m', base_url='http://127.0.0.1:9/v1'))\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_missing_extra_is_told_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with capture_logs() as logs:
        chosen = tracing.tracing_for(options("http://127.0.0.1:9/v1"))
    assert isinstance(chosen, tracing.NoTracing)
    assert ["cache-auditor[otel]" in entry["mend"] for entry in logs] == [True]
