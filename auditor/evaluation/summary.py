"""A candidate's grades in one line, to be set beside others'."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.evaluation.grading import Grade

HEADER: Final = (
    "model",
    "prompts",
    "passed",
    "schema",
    "grounded",
    "cause",
    "mentioned",
    "clean",
    "length",
    "tokens in/out",
    "cost",
    "seconds (p95)",
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a candidate's grades come to.

    Shares are 0..1. `passed`, `schema_ok`, `clean` and `length_ok` are over all incidents, `mentioned` is a mean over them; `cause_right`
    over those whose cause is graded, `grounded_share` over those that were answered; None where there are none of them. Tokens are
    means over the answers that tell them; `cost` is the sum, None where no price is known. `failures` counts what there was instead of an answer.
    """

    model: str
    prompts: str
    incidents: int
    passed: float
    schema_ok: float
    repaired: float
    grounded_share: float | None
    cause_right: float | None
    mentioned: float
    clean: float
    length_ok: float
    input_tokens: float | None
    output_tokens: float | None
    cost: float | None
    seconds: float
    seconds_p95: float
    failures: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The object that `--format json` holds for each candidate."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """Its line of the table under `HEADER`."""
        tokens = f"{_number(self.input_tokens)}/{_number(self.output_tokens)}"
        return (
            self.model,
            self.prompts,
            f"{round(self.passed * self.incidents)}/{self.incidents}",
            _percent(self.schema_ok),
            _percent(self.grounded_share),
            _percent(self.cause_right),
            _percent(self.mentioned),
            _percent(self.clean),
            _percent(self.length_ok),
            tokens,
            "-" if self.cost is None else f"{self.cost:.4f}",
            f"{self.seconds:.1f} ({self.seconds_p95:.1f})",
        )


def summarise(model: str, prompts: str, grades: Sequence[Grade]) -> Summary:
    """Sum up a candidate's grades, of which there is at least one."""
    seconds = sorted(one.seconds for one in grades)
    return Summary(
        model=model,
        prompts=prompts,
        incidents=len(grades),
        passed=_share(one.passed for one in grades),
        schema_ok=_share(one.schema_ok for one in grades),
        repaired=_share(one.repaired for one in grades),
        grounded_share=_mean(one.grounded_share for one in grades if one.schema_ok),
        cause_right=_mean(one.cause_right for one in grades if one.cause_right is not None),
        mentioned=_share(one.mentioned for one in grades),
        clean=_share(one.clean for one in grades),
        length_ok=_share(one.length_ok for one in grades),
        input_tokens=_mean(one.input_tokens for one in grades if one.input_tokens is not None),
        output_tokens=_mean(one.output_tokens for one in grades if one.output_tokens is not None),
        cost=_sum(one.cost for one in grades if one.cost is not None),
        seconds=statistics.median(seconds),
        seconds_p95=seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        failures=dict(Counter(one.failure or "unknown" for one in grades if not one.schema_ok)),
    )


def _share(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return statistics.fmean(known) if known else None


def _sum(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) if known else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.0f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
