"""Counters of the model, and the metrics that Prometheus reads."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from auditor.explanation.checked import Rejected, Rejection
from auditor.model.client import ModelClient
from auditor.model.failure import ModelFailure
from auditor.model.health import ModelHealth, ModelReader
from tests.model.asking import options, request
from tests.model.plays import fails, says, taking
from tests.model.server import model_server


def exposed(health: ModelHealth) -> dict[str, float]:
    """The samples that Prometheus would read, by name and labels."""
    registry = CollectorRegistry()
    registry.register(ModelReader(health))
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_what_happened_is_what_prometheus_reads() -> None:
    word = says('{"word": "so"}')
    plays = [taking("json_schema", otherwise=word)] * 2 + [says(None, refusal="no"), *[fails(500)] * 2]
    with model_server(*plays) as server:
        async with ModelClient(options(server.url, attempts=2, breaker_failures=1)) as client:
            await client.complete(request())
            for _ in range(3):
                with pytest.raises(ModelFailure):
                    await client.complete(request())
    client.health.note_rejected(
        [Rejected("summary", "41", "41 is not what the evidence has there", Rejection.NUMBER)] * 2,
        fell_back=True,
    )
    read = exposed(client.health)
    assert read["cache_auditor_model_calls_total"] == 4
    assert read["cache_auditor_model_answers_total"] == 1
    assert read["cache_auditor_model_requests_total"] == 5
    assert read['cache_auditor_model_failures_total{reason="refusal"}'] == 1
    assert read['cache_auditor_model_failures_total{reason="server_error"}'] == 1
    assert read['cache_auditor_model_failures_total{reason="circuit_open"}'] == 1
    assert read['cache_auditor_model_tokens_total{type="input"}'] == 1800
    assert read['cache_auditor_model_tokens_total{type="output"}'] == 420
    assert read["cache_auditor_model_cost_total"] == pytest.approx((1800 * 0.4 + 420 * 1.6) / 1_000_000)
    assert read["cache_auditor_model_unpriced_calls_total"] == 0
    assert read["cache_auditor_model_call_seconds_count"] == 4
    assert read['cache_auditor_model_rejected_claims_total{reason="number"}'] == 2
    assert read["cache_auditor_model_fallbacks_total"] == 1
    assert read['cache_auditor_model_breaker{state="open"}'] == 1
    assert read['cache_auditor_model_breaker{state="closed"}'] == 0
    assert read['cache_auditor_model_response_format{format="json_object"}'] == 1


async def test_calls_without_a_known_price_are_told_apart_from_free_ones() -> None:
    with model_server(rest=says("{}")) as server:
        async with ModelClient(options(server.url, input_price=None, output_price=None)) as client:
            answer = await client.complete(request())
    assert answer.cost is None
    assert exposed(client.health)["cache_auditor_model_unpriced_calls_total"] == 1
    assert client.health.cost == 0.0


def test_an_unused_model_has_metrics_too() -> None:
    read = exposed(ModelHealth())
    assert read["cache_auditor_model_calls_total"] == 0
    assert read['cache_auditor_model_breaker{state="closed"}'] == 1
