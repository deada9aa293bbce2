"""The model's signs of life: calls, failures, tokens, money and rejected claims, as counters and as Prometheus metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from auditor.model.breaker import BreakerState
from auditor.model.exchange import Rung, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric

    from auditor.explanation.checked import Rejected
    from auditor.model.exchange import Answer
    from auditor.model.failure import ModelFailure

PREFIX: Final = "cache_auditor_model"


@dataclass(slots=True)
class ModelHealth:
    """Counters since the start.

    Parameters
    ----------
    calls
        Calls that were asked for, those included that the breaker or the wait for a slot ended.
    answers, failures
        How they ended; failures by reason.
    requests
        HTTP requests, retries and steps of the ladder included.
    repairs
        Calls that asked a model to put a malformed reply right.
    input_tokens, output_tokens, cost
        Of answers and of failures that were billed; cost where a price is known.
    unpriced
        Billed calls without a known price.
    seconds
        That calls took together.
    rejected
        Claims that the checks took out of replies, by kind.
    fell_back
        Replies of which so much was taken out that the deterministic text stands.
    rung
        How the server was asked for JSON last.
    breaker
        Tells the circuit breaker's state.
    """

    calls: int = 0
    answers: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    repairs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0
    rejected: Counter[str] = field(default_factory=Counter)
    fell_back: int = 0
    rung: Rung = Rung.JSON_SCHEMA
    breaker: Callable[[], BreakerState] = lambda: BreakerState.CLOSED

    def note_answer(self, answer: Answer) -> None:
        """Count a call that was answered."""
        self.answers += 1
        self.seconds += answer.seconds
        self.rung = answer.rung
        self._spend(Usage(answer.input_tokens, answer.output_tokens, answer.cost))

    def note_failure(self, failure: ModelFailure, seconds: float) -> None:
        """Count a call that failed."""
        self.failures[failure.reason.value] += 1
        self.seconds += seconds
        if failure.usage is not None:
            self._spend(failure.usage)

    def note_rejected(self, rejected: Iterable[Rejected], *, fell_back: bool) -> None:
        """Count what the checks took out of a reply."""
        self.rejected.update(str(claim.kind) for claim in rejected)
        self.fell_back += fell_back

    def _spend(self, usage: Usage) -> None:
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cost += usage.cost or 0.0
        self.unpriced += usage.cost is None


class ModelReader(Collector):
    """Reads the counters whenever Prometheus asks; to be registered beside the service's own."""

    def __init__(self, health: ModelHealth) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """The families, each name begins with `cache_auditor_model_`."""
        health = self._health
        yield _counter("calls", "Calls of the model that were asked for.", health.calls)
        yield _counter("answers", "Calls that were answered.", health.answers)
        yield _counter("requests", "HTTP requests, retries included.", health.requests)
        yield _counter("repairs", "Calls that asked to put a malformed reply right.", health.repairs)
        yield _labelled("failures", "Calls that failed.", "reason", health.failures)
        tokens = {"input": health.input_tokens, "output": health.output_tokens}
        yield _labelled("tokens", "Tokens that were billed.", "type", tokens)
        yield _counter("cost", "Money spent, in the currency of the prices.", health.cost)
        yield _counter("unpriced_calls", "Billed calls whose price is not known.", health.unpriced)
        yield SummaryMetricFamily(
            f"{PREFIX}_call_seconds",
            "How long calls took.",
            count_value=health.answers + sum(health.failures.values()),
            sum_value=health.seconds,
        )
        yield _labelled("rejected_claims", "Claims that the checks took out.", "reason", health.rejected)
        yield _counter("fallbacks", "Replies that gave way to the deterministic text.", health.fell_back)
        yield _one_of(
            "breaker", "State of the circuit breaker.", "state", list(BreakerState), health.breaker()
        )
        yield _one_of("response_format", "How JSON is asked for.", "format", list(Rung), health.rung)


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}_{name}", told, value=value)


def _labelled(name: str, told: str, label: str, values: Counter[str] | dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", told, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def _one_of(name: str, told: str, label: str, choices: list[str], chosen: str) -> Metric:
    """A gauge that is 1 for the one that holds and 0 for the others."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", told, labels=[label])
    for choice in choices:
        family.add_metric([str(choice)], float(choice == chosen))
    return family
