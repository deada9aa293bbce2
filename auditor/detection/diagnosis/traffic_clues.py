"""Clues in the hit rate, the lookups, the errors and the reports."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from auditor.detection.diagnosis.levels import (
    count_error,
    deviation,
    gets,
    late,
    least,
    log_ratio,
    logit,
    rate_error,
    standard_error,
)
from auditor.detection.diagnosis.readings import Reading, reading_of

if TYPE_CHECKING:
    from auditor.detection.signature import IncidentSignature

SELECTED: Final = 0.5
"""Standard errors by which the windows that opened an incident look worse than they were, for they were picked for it."""
LATE_MINUTES: Final = 8.0
"""Minutes by which an alarm comes late where one window's standard error is as large as the loss."""
LEAST_FOUND: Final = 0.012
FOUND_ERROR: Final = 0.002
"""What a finding says of errors: that they rose has been tested, and that they did by as much as matters."""
BRIEF_MINUTES: Final = 4
QUIET_MINUTES: Final = 3


def traffic_clues(signature: IncidentSignature) -> tuple[Reading | None, ...]:
    """Measure each, None where the signature does not allow it."""
    return (
        _hit_rate(signature),
        _hits_left(signature),
        _hit_trend(signature),
        _count_change(signature, "gets"),
        _count_change(signature, "hits"),
        _surplus(signature),
        _errors(signature),
        _onset(signature),
        _brief(signature),
        *_reported(signature),
    )


def _hit_rate(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["hit_rate"]
    value = logit(signal.observed, signature) - logit(signal.expected, signature)
    fallback = math.hypot(rate_error(signature, signature.windows), 0.08)
    return reading_of("hit_rate", value, standard_error(value, signal.z, fallback))


def _hits_left(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["hit_rate"]
    lowest, trials = _lowest_hit_rate(signature)
    if not signal.expected > 0.0:
        return None
    trials = trials if math.isfinite(trials) else 20.0
    hits, usual = max(lowest, 0.0) * trials, signal.expected * trials
    return reading_of(
        "hits_left", math.log((hits + 0.5) / (usual + 0.5)), math.sqrt(1.0 / (hits + 1.0) + 0.003)
    )


def _lowest_hit_rate(signature: IncidentSignature) -> tuple[float, float]:
    """The lowest level of the hit rate, and the lookups behind it."""
    signal, trials = signature.signals["hit_rate"], gets(signature)[1]
    return least(signal.first, signal.observed, late(signature, signal)), trials * min(signature.windows, 2)


def _hit_trend(signature: IncidentSignature) -> Reading | None:
    """The share of the lost hit rate that has been regained since the first windows; below 0 where more was lost."""
    signal = signature.signals["hit_rate"]
    if signature.windows < 3:
        return None
    now = min(1.0, late(signature, signal))
    lost = signal.expected - min(now, signal.first)
    error = math.hypot(deviation(signature, 1 if signature.windows == 3 else 3), deviation(signature, 2))
    if not lost > max(0.03, error):
        return None
    regained = (now - signal.first) / lost
    chance = SELECTED * error / lost if signature.windows > 3 else 0.0
    return reading_of("hit_trend", max(min(regained, 0.0), regained - chance), math.hypot(error / lost, 0.08))


def _count_change(signature: IncidentSignature, clue: str) -> Reading | None:
    signal = signature.signals["hits"]
    expected, observed = gets(signature) if clue == "gets" else (signal.expected, signal.observed)
    return reading_of(
        clue, log_ratio(expected, observed, signature.windows), count_error(signature, expected, observed)
    )


def _surplus(signature: IncidentSignature) -> Reading | None:
    """Where lookups rose: the surplus of misses as a share of the surplus of lookups."""
    expected, observed = gets(signature)
    misses = signature.signals["misses"]
    surplus = (observed - expected) * signature.windows
    noise = 2.0 * math.sqrt(max(observed, 0.0) * signature.windows) if math.isfinite(observed) else math.nan
    if not (surplus > max(noise, 0.15 * expected * signature.windows)):
        return None
    if log_ratio(expected, observed, signature.windows) < 2.0 * count_error(signature, expected, observed):
        return None
    share = (misses.observed - misses.expected) * signature.windows / surplus
    return reading_of("surplus", max(-1.0, min(4.0, share)), 0.15 + noise / 4.0 / surplus)


def _errors(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["error_rate"]
    total = signature.signals["throughput"].observed * signature.windows
    value = signal.observed - signal.expected
    if signature.flagged.get("error_rate") == "rise" and math.isfinite(value):
        return reading_of("errors", max(value, LEAST_FOUND), FOUND_ERROR)
    spread = (
        math.sqrt((signal.observed * (1.0 - signal.observed) + 0.02) / (total + 1.0))
        if total >= 0.0
        else 0.01
    )
    return reading_of("errors", value, min(0.1, max(0.002, spread)))


def _onset(signature: IncidentSignature) -> Reading | None:
    """For how long the hit rate had been off before; where one window cannot show the loss, its alarm may just have come late."""
    if signature.lead_in < 0:
        return None
    late = LATE_MINUTES * _blur(signature)
    return reading_of(
        "onset",
        float(signature.lead_in),
        math.hypot(1.0 + 2.0 / signature.windows, late if math.isfinite(late) else 0.0),
    )


def _blur(signature: IncidentSignature) -> float:
    """The standard error of one window's hit rate as a share of what was lost; NaN where nothing was."""
    signal = signature.signals["hit_rate"]
    lost = signal.expected - signal.observed
    return deviation(signature, 1) / lost if lost > 0.0 else math.nan


def _brief(signature: IncidentSignature) -> Reading | None:
    """Whether a loss that every window would show was over after a few: only what mends itself is."""
    few = signature.windows <= BRIEF_MINUTES and signature.minutes <= BRIEF_MINUTES + 1
    if not (few and signature.quiet >= QUIET_MINUTES and _blur(signature) < 1.0 / 3.0):
        return None
    return Reading("brief", 1.0, 0.05)


def _reported(signature: IncidentSignature) -> tuple[Reading, ...]:
    flagged = signature.flagged
    good = {"hit_rate": "rise", "eviction_rate": "drop", "error_rate": "drop"}
    harmless = {"throughput", "cache_size"}
    harm = any(
        direction != ("drop" if name.endswith("_ms") else good.get(name))
        for name, direction in flagged.items()
        if name not in harmless
    )
    reports: tuple[Reading, ...] = (
        Reading("silence", float("silence" in flagged), 0.05),
        Reading("validity", float("window_validity" in flagged), 0.05),
    )
    if signature.silent_before:
        reports = (*reports, Reading("silent_before", 1.0, 0.05))
    return reports if set(flagged) <= harmless else (*reports, Reading("harm", float(harm), 0.05))
