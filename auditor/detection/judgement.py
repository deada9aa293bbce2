"""What judging a block gives: one ledger row a minute, the observations touched, the next state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from auditor.detection.catalogue import Category, Severity
    from auditor.detection.signature import Direction
    from auditor.detection.windows import Floats

State = dict[str, Any]
"""A detector's whole state for one cache: plain JSON, {"version", "hot": {...}, "history": {...}}.

`hot` changes with every window and is small; `history` changes once an hour and holds what relearning reads.
"""


class Verdict(StrEnum):
    """What the ledger says of one minute."""

    NORMAL = "normal"
    ANOMALOUS = "anomalous"
    LEARNING = "learning"
    NO_DATA = "no_data"
    UNJUDGED = "unjudged"


VERDICTS: Final = tuple(Verdict)
"""Verdicts by their code in `Ledger.verdict`."""


Value = TypeVar("Value")
Interval = Callable[[], tuple["Floats", "Floats"]]


@dataclass(frozen=True)
class Scores:
    """One metric's columns of the ledger, each of shape (n,); NaN where the metric was not judged.

    `value`, `expected`, `lower` and `upper` are in the metric's unit (rates in percent); the interval holds
    a normal window except with the probability that the budget allows: the window's test rejects what lies outside.
    `p_value` is two-sided, 0..1. What `rarities` and `intervals` give, one after the other, is worked out when it is first asked for.
    """

    value: Floats
    expected: Floats
    rarities: tuple[Callable[[], Floats], ...]
    intervals: tuple[Interval, ...]

    @cached_property
    def p_value(self) -> Floats:
        """Two-sided p-values of the windows."""
        found = [rarity() for rarity in self.rarities]
        return np.concatenate(found) if found else np.full(len(self.value), np.nan)

    @cached_property
    def _bounds(self) -> tuple[Floats, Floats]:
        bounds = [interval() for interval in self.intervals]
        if not bounds:
            return np.full(len(self.value), np.nan), np.full(len(self.value), np.nan)
        return np.concatenate([low for low, _ in bounds]), np.concatenate([high for _, high in bounds])

    @property
    def lower(self) -> Floats:
        """Lower ends of the predictive intervals."""
        return self._bounds[0]

    @property
    def upper(self) -> Floats:
        """Upper ends of the predictive intervals."""
        return self._bounds[1]

    def __reduce__(self) -> tuple[Callable[..., Scores], tuple[Floats, ...]]:
        """Pickled, all is worked out: whoever reads a ledger in another process wants its numbers."""
        return _worked_out, (self.value, self.expected, self.p_value, self.lower, self.upper)

    @classmethod
    def joined(cls, parts: Sequence[Scores]) -> Scores:
        """The scores of consecutive runs of windows."""
        if len(parts) == 1:
            return parts[0]
        value, expected = (
            np.concatenate([getattr(part, field) for part in parts]) for field in ("value", "expected")
        )
        rarities = tuple(rarity for part in parts for rarity in part.rarities)
        return cls(
            value, expected, rarities, tuple(interval for part in parts for interval in part.intervals)
        )


def _worked_out(value: Floats, expected: Floats, p_value: Floats, lower: Floats, upper: Floats) -> Scores:
    return Scores(value, expected, (Told(p_value),), (Told((lower, upper)),))


class Told(Generic[Value]):
    """What is known already, where something that gives it is wanted."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value = value

    def __call__(self) -> Value:
        """The value."""
        return self._value


@dataclass(frozen=True)
class Ledger:
    """The verdicts of a block, one a minute.

    Parameters
    ----------
    first_minute
        Minutes since 1970 of the first row.
    verdict
        int8 array of shape (n,): positions in `VERDICTS`.
    parts
        Give the `scores` of the windows, one run after the other, worked out when they are first asked for.
    improbable
        Boolean array of shape (n,): minutes at which a test rejected, whether or not its effect mattered. The false-alarm
        budget is the rate of these on a healthy cache; findings, and pages among them, are at most as many.
    """

    first_minute: int
    verdict: NDArray[np.int8]
    parts: tuple[Callable[[], Mapping[str, Scores]], ...]
    improbable: NDArray[np.bool_]

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """The columns of each metric of the catalogue."""
        parts = [part() for part in self.parts]
        return {name: Scores.joined([part[name] for part in parts]) for name in (parts[0] if parts else ())}

    def __reduce__(self) -> tuple[Callable[..., Ledger], tuple[Any, ...]]:
        """As of `Scores`."""
        return Ledger, (self.first_minute, self.verdict, (Told(self.scores),), self.improbable)

    def __len__(self) -> int:
        return len(self.verdict)

    def rows(self) -> Iterator[tuple[int, Verdict, dict[str, list[float | None]]]]:
        """Each minute with its verdict and {metric: [value, expected, lower, upper, p_value]} of those judged."""
        names = list(self.scores)
        stacked = {
            name: np.stack([s.value, s.expected, s.lower, s.upper, s.p_value], axis=1).tolist()
            for name, s in self.scores.items()
        }
        for i, code in enumerate(self.verdict.tolist()):
            yield (
                self.first_minute + i,
                VERDICTS[code],
                {
                    name: [None if not math.isfinite(x) else x for x in stacked[name][i]]
                    for name in names
                    if any(map(math.isfinite, stacked[name][i]))
                },
            )


@dataclass(frozen=True, slots=True)
class Observation:
    """A finding as it stands after the block: facts only; its words are made from it by `explanation`.

    Minutes are since 1970; a window's end is its minute plus one. `timestamp_minute` is the end of the window in
    which the finding was first flagged. `baseline_value` is what was expected there. `fingerprint` names the finding for
    good: the same finding always carries the same one, whatever its text or later state.
    """

    fingerprint: str
    incident_id: str
    implementation_type: str
    severity: Severity
    category: Category
    metric_name: str
    direction: Direction
    metric_value: float
    baseline_value: float | None
    deviation_percentage: float | None
    timestamp_minute: int
    window_start_minute: int
    window_end_minute: int
    status: Literal["open", "resolved"]
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LearnedBaseline:
    """A newly learned baseline, for the row in `cache_baseline_metrics`.

    Rates are percent, times milliseconds, periods minutes since 1970; None where the cache does not report it.
    """

    implementation_type: str
    period_start_minute: int
    period_end_minute: int
    learned_minute: int
    hit_rate: float | None
    avg_response_time_ms: float | None
    p95_response_time_ms: float | None
    error_rate: float | None
    hit_rate_stddev: float | None
    response_time_stddev: float | None
    sample_size: int
    reason: str
    profile: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome of `judge`: the next state and everything to be written with it.

    `history_changed` says whether the slow part of the state has to be stored again; `baseline` is the last one
    learned within the block, if any was.
    """

    state: State
    ledger: Ledger
    observations: tuple[Observation, ...] = ()
    baseline: LearnedBaseline | None = None
    history_changed: bool = field(default=False)
