"""Latencies and the cache's size tested: their logarithms against the Student t that the profile predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.mix import average_by_mix
from auditor.detection.signals import AT, LATENCY_OFFSET
from auditor.detection.spans import enough_known, near_tails, span_sums
from auditor.detection.tails.elementary import bare_exp
from auditor.detection.tails.gauge import standard_tails
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

_GAUGES: Final = slice(AT["avg_response_time_ms"], AT["cache_size"] + 1)
_PARTS: Final = slice(AT["avg_hit_response_time_ms"], AT["avg_miss_response_time_ms"] + 1)
_AVERAGE: Final = AT["avg_response_time_ms"]
_SIZE_ROW: Final = AT["cache_size"] - _GAUGES.start
_OFFSET: Final = np.array([[LATENCY_OFFSET], [LATENCY_OFFSET], [LATENCY_OFFSET], [1.0]])
_WIDTHS: Final = np.array([3.0 + WIDTH[test] for test in (Test.WINDOW, *SPANS)])[:, None, None]


def degrees_of(name: str, weight: Floats, test: Test) -> Floats:
    """Degrees of freedom of a gauge's predictive distribution, shape as `weight`, the operations behind the newest window.

    The cache's size is no mean of operations, and tame.
    """
    behind = np.full_like(weight, MOST_DEGREES) if name == "cache_size" else np.minimum(weight, MOST_DEGREES)
    return 3.0 + WIDTH[test] + behind


def gauges_tested(profile: Profile, signals: Signals, outlook: Outlook, lead: int) -> Family:
    """The three latencies and the size in windows `lead`.., a row each; arguments as of `scoring.score`."""
    predicted = _predicted(profile, signals, outlook, _GAUGES)
    if profile.hours[_AVERAGE]:
        mixed = average_by_mix(profile, signals, outlook)
        predicted.centre[0], predicted.variance[0] = mixed.centre, mixed.variance
        predicted.drift[0], predicted.weight[0] = mixed.drift, mixed.weight
    behind = np.minimum(predicted.weight[:, lead:], MOST_DEGREES)
    behind[_SIZE_ROW] = MOST_DEGREES
    return _tested(predicted, behind, _OFFSET, lead)


def parts_tested(profile: Profile, signals: Signals, outlook: Outlook, lead: int) -> tuple[Family, ...]:
    """The average latency of hits, and of misses, each where it is learned; arguments as of `scoring.score`."""
    families = []
    for at in range(_PARTS.start, _PARTS.stop):
        if profile.hours[at]:
            predicted = _predicted(profile, signals, outlook, slice(at, at + 1))
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


def _predicted(profile: Profile, signals: Signals, outlook: Outlook, rows: slice) -> _Predicted:
    weight, drift = signals.weight[rows].copy(), outlook.drift[rows].copy()
    variance = drift + profile.spread_at(rows, weight)
    return _Predicted(signals.value[rows], weight, outlook.link[rows].copy(), drift, variance)


def _tested(predicted: _Predicted, behind: Floats, offset: Floats, lead: int) -> Family:
    logs, weight, centre, drift = predicted.logs, predicted.weight, predicted.centre, predicted.drift
    known = weight > 0.0
    variance = np.maximum(predicted.variance, LEAST_VARIANCE)
    location, there = centre[:, lead:], known[:, lead:]
    x = np.where(there, logs[:, lead:], location)
    degrees = _WIDTHS + behind
    z = (x - location) / np.sqrt(variance[:, lead:])
    low, high = standard_tails(z, degrees[0])
    gathered = np.empty((4, *weight.shape))
    gathered[0], gathered[1] = known, np.where(known, logs - centre, 0.0)
    gathered[2], gathered[3] = np.where(known, variance - drift, 0.0), weight
    said, away, beyond, span_weight = span_sums(gathered, lead).swapaxes(0, 1)
    number = np.maximum(said, 1.0)
    away = away / number
    span_variance = np.maximum(drift[:, lead:] + beyond / (number * number), LEAST_VARIANCE)
    enough = enough_known(there, said)
    span_z = away / np.sqrt(span_variance)
    near, span_low, span_high = near_tails(span_z, z, enough)
    if near.any():
        span_low[near], span_high[near] = standard_tails(span_z[near], degrees[1:][near])
    value, expected = bare_exp(np.array([x, location])) - offset

    def shown(test: Test, row: int) -> Shown:
        at = (test - 1, row)
        moved = bare_exp(location[row] + away[at]) - offset[row]
        return Shown(
            np.where(enough[at], moved, np.nan),
            np.where(enough[at], expected[row], np.nan),
            span_weight[at],
            span_variance[at],
            said[at],
        )

    return Family(
        there=there,
        value=value,
        expected=expected,
        low=np.concatenate([low[None], span_low]),
        high=np.concatenate([high[None], span_high]),
        weight=weight[:, lead:],
        centre=location,
        variance=variance[:, lead:],
        z=z,
        gathered=gathered,
        span=shown,
    )
