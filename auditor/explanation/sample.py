"""Sample briefs, the fullest and the barest of each purpose: a prompt is tried on them before it is used."""

from __future__ import annotations

from typing import Any, Final

from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.briefing import digest_brief, incident_brief

_OPENED: Final = 29_401_901
_AS_OF: Final = _OPENED + 14

_CAUSES: Final = (
    {
        "cause": "key_change",
        "confidence": 0.81,
        "for": ["The hit rate fell to 41 % from an expected 77 %.", "It started suddenly."],
        "against": [
            "Sets rose to 60/min from an expected 24/min; a changed key format would show fewer sets."
        ],
        "refute": "Compare keys that miss now with keys from before the start.",
    },
    {
        "cause": "flush",
        "confidence": 0.12,
        "for": ["It started suddenly."],
        "against": [
            "The cache size stayed at 1,000 entries; a flush or cold restart would show an almost empty cache."
        ],
        "refute": "Check the uptime of the cache process.",
    },
)


def _row(metric: str, **changes: Any) -> dict[str, Any]:
    evidence = {
        "metric": metric,
        "direction": "drop",
        "value": 41.2,
        "expected": 77.0,
        "lower": 56.3,
        "upper": 94.2,
        "p_value": 3.8e-53,
        "effect_absolute": -35.8,
        "effect_relative": -0.465,
        "n": 87,
        "method": "beta-binomial",
        "warned_minute": _OPENED + 1,
        "worst_minute": _OPENED + 2,
        "opened_minute": _OPENED,
        "last_minute": _AS_OF - 1,
        "windows": 14,
        "flagged_windows": 13,
        "first": 47.0,
        "lead": True,
        "unchanged": ["error_rate", "throughput"],
        "causes": _CAUSES,
        "impact": {"extra_backend_calls": 2040.0, "added_latency_seconds": 431.0, "cost": 4.08},
        "baseline": {"learned_minute": _AS_OF - 750, "windows": 3708},
        "reasons": [],
        **changes,
    }
    return {
        "incident_id": f"incident-{evidence['opened_minute']}",
        "implementation_type": "answers",
        "severity": "critical",
        "status": "open",
        "title": "answers: hit rate fell to 41 % (normal 56–94 %)",
        "metric_name": metric,
        "verdict": "incident",
        "fingerprint": metric,
        "evidence": evidence,
    }


def sample_rows() -> list[dict[str, Any]]:
    """An incident of two metrics, and of a silence that is over."""
    silence = {"direction": "absent", "silent_minutes": 3, "back_minute": _OPENED}
    return [
        _row("hit_rate"),
        _row("avg_response_time_ms", lead=False, direction="rise"),
        _row("silence", lead=False, **silence),
    ]


def sample_hour() -> dict[str, list[float | None]]:
    """Its hour, a window a minute."""
    minutes = range(_OPENED - 46, _AS_OF)
    hits = [30.0 if minute >= _OPENED else 60.0 for minute in minutes]
    return {
        "minute": [float(minute) for minute in minutes],
        "hits": [*hits],
        "misses": [80.0 - hit for hit in hits],
        "sets": [80.0 - hit for hit in hits],
        "evictions": [2.0 for _ in hits],
        "errors": [0.0 for _ in hits],
        "total_operations": [162.0 - hit for hit in hits],
        "avg_response_time_ms": [4.0 * (80.0 - hit) for hit in hits],
        "p95_response_time_ms": [9.0 * (80.0 - hit) for hit in hits],
        "avg_cache_size": [1000.0 for _ in hits],
    }


def sample_briefs(purpose: Purpose) -> tuple[Brief, Brief]:
    """A brief with every part there, and one in which everything that may be missing is."""
    bare = {"implementation_type": "users", "metric_name": "silence", "severity": "info", "status": "open"}
    if purpose is Purpose.DAILY_DIGEST:
        span = {"start": _AS_OF - 1440, "end": _AS_OF}
        rows = [*sample_rows(), bare]
        full = digest_brief(rows, coverage={"windows": 2880, "audited": 2878, "no_data": 2}, **span)
        return full, digest_brief([], coverage={}, **span)
    past = [_row("hit_rate", opened_minute=_OPENED - 20_000)]
    full = incident_brief(
        sample_rows(),
        hour=sample_hour(),
        errors=[{"type": "TimeoutError", "count": 12, "message": "no answer within 3000 ms"}],
        keys=["answers:v2:what is a cache"],
        past=past,
        others=[{**past[0], "implementation_type": "users", "incident_id": "another"}],
        as_of=_AS_OF,
        purpose=purpose,
    )
    return full, incident_brief([bare], as_of=_AS_OF, purpose=purpose)
