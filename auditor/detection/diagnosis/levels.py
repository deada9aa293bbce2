"""Levels, ratios and standard errors of a signature's signals, as the clues are measured from them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from auditor.detection.signature import IncidentSignature, Signal

_LEAST_ERROR: Final = 0.04
_MOST_ERROR: Final = 0.8
_TRAFFIC_ERROR: Final = 0.08
_RATES: Final = frozenset({"hit_rate", "error_rate"})
_MOST: Final = 1e15


def gets(signature: IncidentSignature) -> tuple[float, float]:
    """Lookups a minute: (expected, observed), NaN where unknown."""
    hits, misses = signature.signals["hits"], signature.signals["misses"]
    return hits.expected + misses.expected, hits.observed + misses.observed


def sets_of(signature: IncidentSignature) -> tuple[float, float]:
    """Sets a minute: (expected, observed); the misses where sets are not reported, for each miss is followed by one."""
    sets, misses = signature.signals["sets"], signature.signals["misses"]
    known = math.isfinite(sets.observed)
    return (sets.expected, sets.observed) if known else (misses.expected, misses.observed)


def late(signature: IncidentSignature, signal: Signal) -> float:
    """The newest level that can be told: the third window itself while there are only three."""
    if signature.windows == 3:
        return min(signal.highest, max(signal.lowest, 3.0 * signal.last - 2.0 * signal.first))
    return signal.last


def normal_size(signature: IncidentSignature) -> float:
    """The size a healthy cache would have: what is expected, or the size just before where that is larger."""
    known = [x for x in (signature.signals["cache_size"].expected, signature.size_before) if math.isfinite(x)]
    return max(known, default=math.nan)


def possible(signature: IncidentSignature) -> IncidentSignature:
    """The signature with whatever cannot be (a negative count, a rate above 1) turned into what is not known."""
    signals = {
        name: replace(
            signal,
            **{
                part: _possible(getattr(signal, part), 1.0 if name in _RATES else _MOST)
                for part in ("expected", "first", "observed", "last", "lowest", "highest")
            },
        )
        for name, signal in signature.signals.items()
    }
    return replace(
        signature,
        signals=signals,
        size_before=_possible(signature.size_before, _MOST),
        size_earlier=_possible(signature.size_earlier, _MOST),
    )


def _possible(value: float, most: float) -> float:
    return value if 0.0 <= value <= most else math.nan


def standard_error(value: float, z: float, fallback: float) -> float:
    """The standard error that a z score implies; the fallback where it implies none."""
    implied = abs(value / z) if math.isfinite(z) and abs(z) > 0.5 and math.isfinite(value) else fallback
    return min(_MOST_ERROR, max(_LEAST_ERROR, implied))


def count_error(signature: IncidentSignature, expected: float, observed: float) -> float:
    """The standard error of the logarithm of observed over expected, for counts a minute: chance and the traffic's own spread."""
    if not (math.isfinite(expected) and math.isfinite(observed)):
        return math.nan
    total = observed * signature.windows
    traffic = signature.signals["throughput"]
    spread = standard_error(log_ratio(traffic.expected, traffic.observed, 1), traffic.z, _TRAFFIC_ERROR)
    poisson = 1.0 / (total + 1.0) + 1.0 / (10.0 * expected * signature.windows + 1.0)
    return math.sqrt(poisson + min(0.3, spread) ** 2)


def rate_error(signature: IncidentSignature, windows: int) -> float:
    """The standard error of a hit rate over so many windows, on the logit scale."""
    rate = signature.signals["hit_rate"].observed
    trials = gets(signature)[1] * windows
    if not (math.isfinite(trials) and math.isfinite(rate)):
        return 0.3
    return math.sqrt(1.0 / (trials * rate * (1.0 - rate) + 1.0))


def deviation(signature: IncidentSignature, windows: int) -> float:
    """The standard error of a hit rate over so many windows."""
    rate, trials = signature.signals["hit_rate"].observed, gets(signature)[1] * windows
    return math.sqrt((rate * (1.0 - rate) + 0.02) / (trials + 1.0)) if math.isfinite(trials) else 0.1


def log_ratio(expected: float, observed: float, windows: float) -> float:
    """ln(observed / expected) of counts a minute, half a count added to each total so that nought has a logarithm."""
    if not (math.isfinite(expected) and math.isfinite(observed)):
        return math.nan
    return math.log((max(observed, 0.0) * windows + 0.5) / (max(expected, 0.0) * windows + 0.5))


def latency_ratio(signal: Signal) -> float:
    """ln(observed / expected) of a response time."""
    if not (math.isfinite(signal.expected) and math.isfinite(signal.observed)):
        return math.nan
    return math.log((max(signal.observed, 0.0) + 1e-3) / (max(signal.expected, 0.0) + 1e-3))


def logit(rate: float, signature: IncidentSignature) -> float:
    """The logit of a rate, kept off the ends by half a lookup."""
    if not math.isfinite(rate):
        return math.nan
    trials = gets(signature)[1] * signature.windows
    edge = 0.5 / max(trials, 20.0) if math.isfinite(trials) else 0.01
    inside = min(1.0 - edge, max(edge, rate))
    return math.log(inside / (1.0 - inside))


def least(*values: float) -> float:
    """The least of the values that are known, NaN where none is."""
    return min((x for x in values if math.isfinite(x)), default=math.nan)
