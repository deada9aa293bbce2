"""Latencies and the cache's size tested: their logarithms against the Student t that the profile predicts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.mix import average_by_mix
from auditor.detection.signals import AT, LATENCY_OFFSET
from auditor.detection.spans import FAR, enough_known, span_sums, worth_tails
from auditor.detection.tails.elementary import bare_exp
from auditor.detection.tails.gauge import normal_tails, standard_tails
from auditor.detection.tested import SPANS, WIDTH, Family, Shown, Test

if TYPE_CHECKING:
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.signals import Signals
    from auditor.detection.windows import Floats

Mask = np.typing.NDArray[np.bool_]

LEAST_VARIANCE: Final = 1e-8
"""On the log scale: no gauge is known to better than a hundredth of a percent."""
MOST_DEGREES: Final = 8.0
"""How many operations behind a window make its latency more nearly normal: single ones are heavy-tailed, and so are short means of them."""

_HITS: Final = AT["avg_hit_response_time_ms"]
_GAUGES: Final = np.array([*range(AT["avg_response_time_ms"], AT["cache_size"] + 1), _HITS])
_MISSES: Final = AT["avg_miss_response_time_ms"]
_AVERAGE: Final = AT["avg_response_time_ms"]
_SIZE_ROW: Final = 3
_OFFSET: Final = np.array([[LATENCY_OFFSET], [LATENCY_OFFSET], [LATENCY_OFFSET], [1.0], [LATENCY_OFFSET]])
_WIDTHS: Final = np.array([3.0 + WIDTH[test] for test in (Test.WINDOW, *SPANS)])[:, None, None]


def degrees_of(name: str, weight: Floats, test: Test) -> Floats:
    """Degrees of freedom of a gauge's predictive distribution, shape as `weight`, the operations behind the newest window.

    The cache's size is no mean of operations, and tame.
    """
    behind = np.full_like(weight, MOST_DEGREES) if name == "cache_size" else np.minimum(weight, MOST_DEGREES)
    return 3.0 + WIDTH[test] + behind


def gauges_tested(profile: Profile, signals: Signals, outlook: Outlook, lead: int) -> Family:
    """The three latencies, the size and the latency of hits in windows `lead`.., a row each; arguments as of `scoring.score`."""
    predicted = _predicted(profile, signals, outlook, _GAUGES)
    if profile.hours[_AVERAGE]:
        mixed = average_by_mix(profile, signals, outlook)
        predicted.centre[0], predicted.variance[0] = mixed.centre, mixed.variance
        predicted.drift[0], predicted.weight[0] = mixed.drift, mixed.weight
    behind = np.minimum(predicted.weight[:, lead:], MOST_DEGREES)
    behind[_SIZE_ROW] = MOST_DEGREES
    return _tested(predicted, behind, _OFFSET, lead, by_cost=True)


def parts_tested(profile: Profile, signals: Signals, outlook: Outlook, lead: int) -> tuple[Family, ...]:
    """The average latency of hits, and of misses, each where it is learned; arguments as of `scoring.score`."""
    families = []
    for at in (_HITS, _MISSES):
        if profile.hours[at]:
            predicted = _predicted(profile, signals, outlook, np.array([at]))
            behind = np.minimum(predicted.weight[:, lead:], MOST_DEGREES)
            families.append(_tested(predicted, behind, _OFFSET[:1], lead))
    return tuple(families)


@dataclass(frozen=True, slots=True)
class _Predicted:
    """Logarithms and what is expected of them, shape (rows, lead + n); `drift` is the part of the variance that neighbours share."""

    logs: Floats
    weight: Floats
    centre: Floats
    drift: Floats
    variance: Floats


def _predicted(
    profile: Profile, signals: Signals, outlook: Outlook, rows: np.typing.NDArray[np.intp]
) -> _Predicted:
    weight, drift = signals.weight[rows], outlook.drift[rows]
    variance = drift + profile.spread_at(rows, weight)
    return _Predicted(signals.value[rows], weight, outlook.link[rows], drift, variance)


@dataclass(frozen=True, slots=True)
class _Spans:
    """The spans of gauges, arrays of shape (spans, rows, n): how far they are from what was expected, on the log scale, and their tails.

    `there` is where enough is known, `location` and `expected` what was expected of the newest window, shape (rows, n), on the log scale and on
    the metric's own, `offset` what is between these.
    """

    there: Mask
    away: Floats
    variance: Floats
    weight: Floats
    said: Floats
    low: Floats
    high: Floats
    location: Floats
    expected: Floats
    offset: Floats

    def shown(self, test: Test, row: int) -> Shown:
        """What a test of a row looked at."""
        at = (test - 1, row)
        there = self.there[at]
        moved = bare_exp(self.location[row] + self.away[at]) - self.offset[row]
        return Shown(
            np.where(there, moved, np.nan),
            np.where(there, self.expected[row], np.nan),
            self.weight[at],
            self.variance[at],
            self.said[at],
        )


def _tested(
    predicted: _Predicted, behind: Floats, offset: Floats, lead: int, *, by_cost: bool = False
) -> Family:
    logs, weight, centre, drift = predicted.logs, predicted.weight, predicted.centre, predicted.drift
    known = weight > 0.0
    variance = np.maximum(predicted.variance, LEAST_VARIANCE)
    location, there, own_drift = centre[:, lead:], known[:, lead:], drift[:, lead:]
    x = np.where(there, logs[:, lead:], location)
    degrees = _WIDTHS + behind
    scale = np.sqrt(variance[:, lead:])
    z = (x - location) / scale
    low, high = normal_tails(z)
    far = np.abs(z) > FAR
    if far.any():
        low[far], high[far] = standard_tails(z[far], degrees[0][far])
    gathered = np.empty((4, *weight.shape))
    gathered[0], gathered[1] = known, np.where(known, logs - centre, 0.0)
    gathered[2], gathered[3] = np.where(known, variance - drift, 0.0), weight
    said, away, beyond, span_weight = span_sums(gathered, lead).swapaxes(0, 1)
    number = np.maximum(said, 1.0)
    away = away / number
    span_variance = np.maximum(own_drift + beyond / (number * number), LEAST_VARIANCE)
    enough = enough_known(there, said)
    tails = _span_tails(away, span_variance, z, enough, degrees[1:])
    value, expected = bare_exp(np.array([x, location])) - offset
    spans = _Spans(enough, away, span_variance, span_weight, said, *tails, location, expected, offset)
    summed: tuple[Floats, ...] = (gathered,)
    if by_cost:
        costs = _costs(centre[:1], gathered[:, :1])
        _judge_by_cost(spans, span_sums(costs, lead), z[:1], own_drift[:1], degrees[1:, :1])
        summed = (gathered[:, :1], costs, gathered[:, 1:])
    return Family(
        there=there,
        value=value,
        expected=expected,
        low=np.concatenate([low[None], spans.low]),
        high=np.concatenate([high[None], spans.high]),
        weight=weight[:, lead:],
        centre=location,
        variance=variance[:, lead:],
        z=z,
        shared=np.sqrt(own_drift) / scale,
        gathered=summed,
        span=spans.shown,
        exact=partial(standard_tails, z, degrees[0]),
    )


def _span_tails(
    away: Floats, variance: Floats, window_z: Floats, enough: Mask, degrees: Floats
) -> tuple[Floats, Floats]:
    z = away / np.sqrt(variance)
    worth, low, high = worth_tails(np.abs(z) > FAR, z, window_z, enough)
    if worth.any():
        low[worth], high[worth] = standard_tails(z[worth], degrees[worth])
    return low, high


def _costs(centre: Floats, gathered: Floats) -> Floats:
    """What spans of the average are weighed by, shape (3, 1, lead + n).

    The milliseconds that a window should have cost, those times the residual, and squared times the variance beyond the drift.
    """
    known, away, beyond, operations = gathered
    cost = np.where(known > 0.0, operations * bare_exp(centre), 0.0)
    return np.array([cost, cost * away, cost * cost * beyond])


def _judge_by_cost(spans: _Spans, costs: Floats, z: Floats, drift: Floats, degrees: Floats) -> None:
    """Judge spans of the average latency, the first row, by what their windows should have cost too.

    At a few lookups a minute most windows have no miss and say nothing of the backend: weighed alike, they drown those that do. Weighed
    by cost, slow hits are drowned. So both are looked at, and the smaller p-value counts twice (Bonferroni).

    Parameters
    ----------
    spans
        The first row is changed.
    costs
        Sums of `_costs` over the spans, shape (spans, 3, 1, n).
    z, drift, degrees
        Of the newest window, shape (1, n): residual and drift, and by span (spans, 1, n) the degrees of freedom.
    """
    cost, away, beyond = costs.swapaxes(0, 1)
    cost = np.where(cost > 0.0, cost, 1.0)
    away = away / cost
    variance = np.maximum(drift + beyond / (cost * cost), LEAST_VARIANCE)
    low, high = _span_tails(away, variance, z, spans.there[:, :1], degrees)
    telling = np.fmin(low, high) < np.fmin(spans.low[:, :1], spans.high[:, :1])
    np.copyto(spans.away[:, :1], away, where=telling)
    np.copyto(spans.variance[:, :1], variance, where=telling)
    for tail, ours in ((spans.low, low), (spans.high, high)):
        tail[:, :1] = np.minimum(1.0, 2.0 * np.fmin(tail[:, :1], ours))
