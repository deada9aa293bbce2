"""From simulated windows to an incident's signature, as the fold would make it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.signature import SIGNALS, IncidentSignature, Signal
from auditor.detection.tracking import EARLIER_WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.detection.signature import Direction
    from tests.detection.cache_faults import Trial
    from tests.detection.cache_physics import Minute

UNKNOWN: Final = Signal(*[math.nan] * 7)
RATES: Final = ("hit_rate", "error_rate")
COUNTS: Final = ("throughput", "hits", "misses", "sets", "evictions")


def signature_after(trial: Trial, windows: int, hidden: Iterable[str] = ()) -> IncidentSignature | None:
    """The signature so many windows after the first flagged one; None where none of the trial's windows is flagged."""
    whole = _signature_after(trial, windows)
    if whole is None or not hidden:
        return whole
    changed = replace(
        whole,
        signals={name: UNKNOWN if name in hidden else signal for name, signal in whole.signals.items()},
        flagged={name: way for name, way in whole.flagged.items() if name not in hidden},
    )
    if "cache_size" not in hidden:
        return changed
    return replace(changed, size_before=math.nan, size_highest_known=math.nan)


@cache
def _signature_after(trial: Trial, windows: int) -> IncidentSignature | None:
    normal, series, by_window = _normal(trial.before), _series(trial.after), _flags_by_window(trial)
    opening = next((i for i, flags in enumerate(by_window) if flags), None)
    if opening is None or opening + windows > len(by_window):
        return None
    signals = {name: _signal(name, normal, series, opening, opening + windows) for name in SIGNALS}
    flagged: dict[str, Direction] = {}
    for flags in by_window[opening : opening + windows]:
        flagged |= flags
    sizes = normal.sizes
    seen = np.concatenate([sizes, series["cache_size"][0][:opening]])
    return IncidentSignature(
        windows,
        signals,
        flagged,
        float(seen[-1]),
        float(np.nanmax(sizes)),
        0,
        size_earlier=float(seen[-EARLIER_WINDOWS]),
    )


@cache
def _flags_by_window(trial: Trial) -> tuple[dict[str, Direction], ...]:
    normal, series = _normal(trial.before), _series(trial.after)
    return tuple(_flags(normal, series, i, i + 1) for i in range(len(trial.after)))


@dataclass(frozen=True, slots=True)
class _Normal:
    """What was usual before: each signal's level, and the variance of what is no rate about it, on its link; the sizes."""

    expected: dict[str, float]
    spread: dict[str, float]
    sizes: np.ndarray


@cache
def _normal(before: tuple[Minute, ...]) -> _Normal:
    series = _series(before)
    return _Normal(
        {name: _pooled(*part) for name, part in series.items()},
        {
            name: 0.01 if name in RATES else float(np.nanvar(_link(name, value[np.isfinite(value)], 0.0)))
            for name, (value, _) in series.items()
        },
        series["cache_size"][0],
    )


@cache
def _series(minutes: tuple[Minute, ...]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Each signal's value and weight by window."""
    hits, misses, sets, evictions, errors = (
        np.array([getattr(m, name) for m in minutes], dtype=np.float64)
        for name in ("hits", "misses", "sets", "evictions", "errors")
    )
    total = hits + misses + sets + evictions + errors
    one = np.ones(len(minutes))
    hit_ms = np.array([np.mean(m.hit_ms) if m.hit_ms else np.nan for m in minutes])
    miss_ms = np.array([np.mean(m.miss_ms) if m.miss_ms else np.nan for m in minutes])
    both = [m.hit_ms + m.miss_ms for m in minutes]
    lookups = np.array([len(b) for b in both], dtype=np.float64)

    def quantile(q: float) -> np.ndarray:
        return np.array([np.quantile(b, q) if b else np.nan for b in both])

    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "hit_rate": (hits / (hits + misses), hits + misses),
            "error_rate": (errors / total, total),
            "throughput": (total, one),
            "hits": (hits, one),
            "misses": (misses, one),
            "sets": (sets, one),
            "evictions": (evictions, one),
            "avg_response_time_ms": (np.array([np.mean(b) if b else np.nan for b in both]), lookups),
            "p95_response_time_ms": (quantile(0.95), lookups),
            "p99_response_time_ms": (quantile(0.99), lookups),
            "avg_hit_response_time_ms": (hit_ms, hits),
            "avg_miss_response_time_ms": (miss_ms, misses),
            "cache_size": (np.array([np.mean(m.size) if m.size else np.nan for m in minutes]), one),
        }


def _pooled(value: np.ndarray, weight: np.ndarray) -> float:
    known = np.isfinite(value) & (weight > 0)
    return float((value[known] * weight[known]).sum() / weight[known].sum()) if known.any() else math.nan


def _signal(
    name: str,
    normal: _Normal,
    series: dict[str, tuple[np.ndarray, np.ndarray]],
    start: int,
    stop: int,
) -> Signal:
    value, weight = (part[start:stop] for part in series[name])
    expected = normal.expected[name]
    observed = _pooled(value, weight)
    if not (np.isfinite(value).any() and math.isfinite(expected)):
        return UNKNOWN
    return Signal(
        expected,
        _pooled(value[:2], weight[:2]),
        observed,
        _pooled(value[-3:], weight[-3:]),
        float(np.nanmin(value)),
        float(np.nanmax(value)),
        _z(name, normal.spread[name], observed, expected, float(weight.sum()), stop - start),
        float(np.nanargmin(value[::-1])),
    )


def _link(name: str, x: np.ndarray | float, edge: float) -> np.ndarray:
    inside = np.asarray(x, dtype=np.float64)
    if name in RATES:
        inside = np.clip(inside, edge, 1.0 - edge)
        return np.asarray(np.log(inside / (1.0 - inside)))
    return np.asarray(np.log(np.maximum(inside, 0.0) + (0.5 if name in COUNTS else 1e-3)))


def _z(
    name: str,
    spread: float,
    observed: float,
    expected: float,
    weight: float,
    windows: int,
) -> float:
    edge = 0.5 / (weight + 1.0)
    away = float(_link(name, observed, edge) - _link(name, expected, 1e-6))
    counting = 1.0 / max(weight * expected * (1.0 - expected), 0.05) if name in RATES else 0.0
    return away / math.sqrt(spread / windows + counting + 1e-4)


def _flags(
    normal: _Normal,
    series: dict[str, tuple[np.ndarray, np.ndarray]],
    start: int,
    stop: int,
) -> dict[str, Direction]:
    """What a test with the default floors would flag in a window."""
    flags: dict[str, Direction] = {}
    floors = {"hit_rate": 0.1, "throughput": 0.5, "cache_size": 0.25}
    for name in (
        "hit_rate",
        "error_rate",
        "throughput",
        "avg_response_time_ms",
        "p95_response_time_ms",
        "p99_response_time_ms",
        "cache_size",
    ):
        value, weight = (part[start:stop] for part in series[name])
        expected, observed = normal.expected[name], _pooled(value, weight)
        if not (math.isfinite(expected) and math.isfinite(observed)):
            continue
        operations, absolute = series["throughput"][0][start:stop].sum(), observed - expected
        if name == "error_rate":
            if absolute > 0.01 and absolute * operations >= 5:
                flags[name] = "rise"
            continue
        z = _z(name, normal.spread[name], observed, expected, float(weight.sum()), stop - start)
        if abs(z) < 4.5 or operations < 8:
            continue
        if abs(absolute) >= floors.get(name, 0.25) * expected:
            flags[name] = "rise" if absolute > 0 else "drop"
    return flags
