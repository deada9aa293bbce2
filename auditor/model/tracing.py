"""OpenTelemetry spans of model calls by the GenAI conventions, where the extra is installed and OTEL_ variables ask for them.

Conventions: OpenTelemetry semantic conventions for generative AI, "Inference" spans (`gen_ai.*`). Prompts and answers are never
recorded. Nothing of OpenTelemetry is imported unless it is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.model.completion import Completion
    from auditor.model.exchange import Request, Usage
    from auditor.model.failure import ModelFailure
    from auditor.model.options import ModelOptions

_ASKED_FOR: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
)
FLUSH_SECONDS: Final = 5.0
"""The longest wait at the end for a collector that does not answer."""

log = structlog.get_logger()


class CallSpan(Protocol):
    """The span of one call; it ends with the call."""

    def answered(self, completion: Completion, usage: Usage) -> None:
        """The call was answered."""

    def failed(self, failure: ModelFailure) -> None:
        """The call failed."""


class Tracing(Protocol):
    """What makes the spans."""

    def call(self, request: Request) -> contextlib.AbstractContextManager[CallSpan]:
        """The span of a call that begins now."""

    async def close(self) -> None:
        """Send what has not been sent yet."""


class NoTracing:
    """No spans: what stands in where none are asked for."""

    @contextlib.contextmanager
    def call(self, request: Request) -> Iterator[CallSpan]:  # noqa: ARG002 - the protocol's
        """Nothing."""
        yield self

    def answered(self, completion: Completion, usage: Usage) -> None:
        """Nothing."""

    def failed(self, failure: ModelFailure) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


def tracing_asked_for() -> bool:
    """Whether the environment names where spans go, and does not switch them off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(os.environ.get(name) for name in _ASKED_FOR)


def tracing_for(options: ModelOptions) -> Tracing:
    """Spans for these calls where they are asked for; a missing extra is told once, and is no failure."""
    if not tracing_asked_for():
        return NoTracing()
    try:
        return OtelTracing(options, *_provider())
    except ImportError:
        log.warning(
            "no spans of model calls are sent: OTEL_ variables ask for them, and OpenTelemetry is not installed",
            mend="pip install 'cache-auditor[otel]'",
        )
        return NoTracing()


def _provider() -> tuple[Any, bool]:
    """The process's own provider where somebody has set one, else one that exports over OTLP by the OTEL_ variables.

    With it whether it is ours to shut down.
    """
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    present = trace.get_tracer_provider()
    if isinstance(present, TracerProvider):
        return present, False
    named = os.environ.get("OTEL_SERVICE_NAME") or "cache-auditor"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: named}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider, True


class OtelTracing:
    """Spans over an OpenTelemetry provider, which is flushed at the end, and shut down where it is owned.

    Raises
    ------
    ImportError
        If OpenTelemetry is not installed.
    """

    def __init__(self, options: ModelOptions, provider: Any, owned: bool) -> None:
        from opentelemetry.trace import SpanKind

        self._provider = provider
        self._owned = owned
        self._tracer = provider.get_tracer("auditor.model")
        self._kind = SpanKind.CLIENT
        self._name = f"chat {options.model}"
        self._attributes = _server_attributes(options)

    @contextlib.contextmanager
    def call(self, request: Request) -> Iterator[CallSpan]:
        """A span of kind client, `chat {model}`."""
        asked: dict[str, Any] = {"gen_ai.request.max_tokens": request.max_output_tokens}
        if request.temperature is not None:
            asked["gen_ai.request.temperature"] = request.temperature
        with self._tracer.start_as_current_span(
            self._name,
            kind=self._kind,
            attributes={**self._attributes, **asked},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield OtelSpan(span)

    async def close(self) -> None:
        """Send what is left, in a thread, for it waits for the collector."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._provider.force_flush(int(FLUSH_SECONDS * 1000))
        if self._owned:
            self._provider.shutdown()
            self._owned = False


class OtelSpan:
    """One OpenTelemetry span of a call."""

    def __init__(self, span: Any) -> None:
        self._span = span

    def answered(self, completion: Completion, usage: Usage) -> None:
        """Record the model, the finish reason and the tokens."""
        told = {
            "gen_ai.response.model": completion.model,
            "gen_ai.response.id": completion.id,
            "gen_ai.response.finish_reasons": [completion.finish_reason]
            if completion.finish_reason
            else None,
        }
        self._span.set_attributes({name: value for name, value in told.items() if value})
        self._count(usage)

    def failed(self, failure: ModelFailure) -> None:
        """Record the reason as the error's type; the message holds no prompt and no key."""
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("error.type", failure.reason.value)
        self._span.set_status(Status(StatusCode.ERROR, failure.message))
        if failure.usage is not None:
            self._count(failure.usage)

    def _count(self, usage: Usage) -> None:
        self._span.set_attribute("gen_ai.usage.input_tokens", usage.input_tokens)
        self._span.set_attribute("gen_ai.usage.output_tokens", usage.output_tokens)


def _server_attributes(options: ModelOptions) -> dict[str, Any]:
    azure = options.api_version is not None or options.host.endswith(".azure.com")
    parts = urlsplit(options.url)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai" if azure else _provider_name(options.host),
        "gen_ai.request.model": options.model,
        "gen_ai.output.type": "json",
        "server.address": options.host,
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
    }


def _provider_name(host: str) -> str:
    """The convention's name of who serves the model; servers of OpenAI's interface that it has no name for go by `openai`."""
    known = {"deepseek.com": "deepseek", "mistral.ai": "mistral_ai", "groq.com": "groq", "x.ai": "x_ai"}
    return next((name for ending, name in known.items() if host.endswith(f".{ending}")), "openai")
