"""Clues in the response times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from auditor.detection.diagnosis.levels import latency_ratio, log_ratio, standard_error
from auditor.detection.diagnosis.readings import Reading, reading_of

if TYPE_CHECKING:
    from auditor.detection.signature import IncidentSignature

_LATENCY_ERROR: Final = 0.10


def latency_clues(signature: IncidentSignature) -> tuple[Reading | None, ...]:
    """Measure each, None where the signature does not allow it."""
    return (
        _latency_change(signature, "miss_latency", "avg_miss_response_time_ms"),
        _latency_change(signature, "hit_latency", "avg_hit_response_time_ms"),
        _hit_lag(signature),
        _latency(signature),
        _latency_shape(signature),
    )


def _latency_change(signature: IncidentSignature, clue: str, name: str) -> Reading | None:
    signal = signature.signals[name]
    value = latency_ratio(signal)
    behind = signature.signals["misses" if clue == "miss_latency" else "hits"].observed * signature.windows
    fallback = math.sqrt(_LATENCY_ERROR**2 + 0.5 / (behind + 1.0)) if math.isfinite(behind) else 0.2
    return reading_of(clue, value, standard_error(value, signal.z, fallback))


def _hit_lag(signature: IncidentSignature) -> Reading | None:
    """Where misses have slowed: by how much more than hits have, as a share of the misses' own lag."""
    hit, miss = (signature.signals[f"avg_{kind}_response_time_ms"] for kind in ("hit", "miss"))
    lag = miss.observed - miss.expected
    if not (latency_ratio(miss) > 0.2 and math.isfinite(hit.observed - hit.expected)):
        return None
    return reading_of("hit_lag", 1.0 - max(0.0, hit.observed - hit.expected) / lag, 0.15)


def _latency(signature: IncidentSignature) -> Reading | None:
    """The average response time beyond what more misses can explain, where hits and misses are not timed apart.

    Were hits free, the average would grow with the share of misses: that is the most which the mix explains.
    """
    if all(
        math.isfinite(latency_ratio(signature.signals[f"avg_{kind}_response_time_ms"]))
        for kind in ("hit", "miss")
    ):
        return None
    signal, rate = signature.signals["avg_response_time_ms"], signature.signals["hit_rate"]
    value = latency_ratio(signal)
    error = standard_error(value, signal.z, _LATENCY_ERROR)
    mix = log_ratio(1.0 - rate.expected, 1.0 - rate.observed, 10)
    if math.isfinite(mix) and mix * value > 0.0:
        value = math.copysign(max(0.0, abs(value) - abs(mix)), value)
    return reading_of("latency", value, error)


def _latency_shape(signature: IncidentSignature) -> Reading | None:
    """How much further the slow tail moved than the average, in milliseconds, where hits and misses are not apart."""
    average, tail = (signature.signals[f"{kind}_response_time_ms"] for kind in ("avg", "p95"))
    apart = math.isfinite(latency_ratio(signature.signals["avg_hit_response_time_ms"]))
    if apart or not (latency_ratio(average) > 0.15 and math.isfinite(tail.observed - tail.expected)):
        return None
    lag, moved = max(tail.observed - tail.expected, 0.05 * tail.expected), average.observed - average.expected
    if not (lag > 0.0 and moved > 0.0 and lag / moved > 0.0):
        return None
    return reading_of("latency_shape", math.log(lag / moved), 0.35)
