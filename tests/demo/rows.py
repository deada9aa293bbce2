"""Observations as the demo reads them back, with what its viewers look at."""

from __future__ import annotations

from typing import Any

HOUR_START = 29_000_400


def observation(
    opened: int,
    *,
    severity: str = "critical",
    metric: str = "hit_rate",
    incident: str = "one",
    lead: bool = True,
    cause: str | None = "key_change",
    status: str = "open",
) -> dict[str, Any]:
    """A row that was first flagged in a minute, counted from the start of the hour."""
    causes = [] if cause is None else [{"cause": cause, "confidence": 0.9}]
    return {
        "severity": severity,
        "metric_name": metric,
        "incident_id": incident,
        "fingerprint": f"{incident} {metric}",
        "status": status,
        "title": "answers: hit rate fell to 0 % (normal 46–94 %)",
        "description": "\n".join(
            [
                "The hit rate of “answers” fell to 0 % in its most unusual minute. " + "It lasts. " * 20,
                "Also unusual: average response time. As usual: error rate, eviction rate and traffic.",
                "So far it has cost 913 calls to the backend beyond the usual.",
                "The cause is almost certainly a changed key format. " + "For it: the hit rate. " * 8,
            ]
        ),
        "recommendation": "First: diff how keys are built. Then: roll back. "
        + "To rule it out: compare keys. " * 4,
        "evidence": {
            "opened_minute": HOUR_START + opened,
            "last_minute": HOUR_START + opened + 12,
            "lead": lead,
            "causes": causes,
        },
    }
