"""Observations of every kind, with the evidence that the fold would give them."""

from __future__ import annotations

from typing import Any, Final, Literal

from auditor.detection.catalogue import BASELINE, BY_NAME, VALIDITY, Metric, Severity
from auditor.detection.diagnosis.refutations import REFUTATIONS
from auditor.detection.judgement import Observation
from auditor.detection.signature import CAUSES, Direction

METRICS: Final = {**BY_NAME, VALIDITY.name: VALIDITY, BASELINE.name: BASELINE}
OPENED: Final = 29_401_901
"""2025-11-25 23:41 UTC"""

_LEVELS: Final[dict[str, tuple[float, float, float, float]]] = {
    "hit_rate": (41.2, 75.3, 71.2, 79.4),
    "error_rate": (6.24, 0.21, 0.0, 1.04),
    "eviction_rate": (97.0, 31.0, 22.0, 41.0),
    "throughput": (312.0, 1204.0, 980.0, 1431.0),
    "avg_response_time_ms": (1432.0, 184.0, 122.0, 251.0),
    "p95_response_time_ms": (2210.0, 402.0, 288.0, 610.0),
    "p99_response_time_ms": (4310.0, 811.0, 502.0, 1203.0),
    "avg_hit_response_time_ms": (14.0, 2.1, 1.7, 2.6),
    "cache_size": (12.0, 1021.0, 940.0, 1100.0),
    "silence": (0.0, 118.0, 71.0, 160.0),
    "window_validity": (2.0, 0.0, 0.0, 0.0),
    "baseline": (64.1, 71.3, 70.2, 72.4),
}
KINDS: Final[tuple[tuple[str, Direction], ...]] = (
    *((name, direction) for name in BY_NAME if name != "silence" for direction in ("drop", "rise")),
    ("silence", "absent"),
    ("window_validity", "invalid"),
    ("baseline", "moved"),
    ("hit_rate", "moved"),
)
"""Every metric in every direction."""


def cause(name: str, confidence: float = 0.86) -> dict[str, Any]:
    """One ranked cause as evidence holds it."""
    return {
        "cause": name,
        "confidence": confidence,
        "for": ["The cache size fell to 12 entries from 1,021.", "It started suddenly."],
        "against": ["Evictions rose to 40/min from an expected 21/min; it would show fewer evictions."],
        "refute": REFUTATIONS[name],
    }


def evidence(metric: str, direction: str, **changes: Any) -> dict[str, Any]:
    """The evidence of an observation, as the fold writes it."""
    worst, expected, lower, upper = _LEVELS[metric]
    value = 2 * expected - worst if direction == "drop" and worst > expected else worst
    value = 1.7 * expected if direction == "rise" and worst < expected else value
    value = min(max(0.0, value), 98.0 if METRICS[metric].unit == "%" else value)
    absolute = value - expected
    return {
        "metric": metric,
        "unit": METRICS[metric].unit,
        "direction": direction,
        "value": value,
        "expected": expected,
        "lower": lower,
        "upper": upper,
        "p_value": 3.2e-9,
        "effect_absolute": absolute,
        "effect_relative": absolute / expected if expected else None,
        "n": 312,
        "method": "beta-binomial",
        "worst_minute": OPENED + 1,
        "opened_minute": OPENED,
        "last_minute": OPENED + 13,
        "windows": 14,
        "flagged_windows": 12,
        "first": value,
        "lead": True,
        "metrics": [metric, "cache_size", "p95_response_time_ms"],
        "unchanged": ["error_rate", "throughput"],
        "causes": [cause("flush"), cause("ttl_cut", 0.11), cause("unknown", 0.03)],
        "impact": {"extra_backend_calls": 1240.4, "added_latency_seconds": 41.3, "cost": 12.4},
        "baseline": {"learned_minute": OPENED - 900, "windows": 20_160},
        "reasons": ["Hits and misses are more than all operations."] if metric == "window_validity" else [],
        "resolved_minute": None,
        **changes,
    }


def observation(
    metric: str = "hit_rate",
    direction: Direction = "drop",
    *,
    status: Literal["open", "resolved"] = "open",
    severity: Severity = Severity.CRITICAL,
    cache: str = "answers",
    **changes: Any,
) -> Observation:
    """An observation whose evidence has been changed in the named keys."""
    facts = evidence(metric, direction, **changes)
    relative = facts["effect_relative"]
    return Observation(
        fingerprint=f"{metric}:{direction}",
        incident_id="incident",
        implementation_type=cache,
        severity=severity,
        category=METRICS[metric].category,
        metric_name=metric,
        direction=direction,
        metric_value=facts["value"],
        baseline_value=facts["expected"],
        deviation_percentage=None if relative is None else 100.0 * relative,
        timestamp_minute=OPENED + 1,
        window_start_minute=OPENED,
        window_end_minute=OPENED + 14,
        status=status,
        evidence=facts,
    )


__all__ = ["CAUSES", "KINDS", "METRICS", "OPENED", "Metric", "cause", "evidence", "observation"]
