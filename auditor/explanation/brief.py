"""The brief: everything that a model is told about an incident, and everything that its answer is checked against."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Purpose(StrEnum):
    """What a model is asked for; each is the id of a prompt."""

    INCIDENT_OPENED = "incident_opened"
    INCIDENT_RESOLVED = "incident_resolved"
    DAILY_DIGEST = "daily_digest"


@dataclass(frozen=True)
class Brief:
    """What a model is told: plain JSON of allow-listed fields, redacted, sized, its numbers rounded to four digits.

    Parameters
    ----------
    purpose
        What it is for.
    data
        For an incident::

            {"cache": "answers",                       the cache's name
             "as_of": "2026-11-26T10:45Z",             the end of the last window that is spoken of
             "incident": {"status": "open" | "resolved", "severity": "info" | "warning" | "critical",
                          "began": "2026-11-26T10:32Z", "ended": null | "…Z", "minutes": 13, "flagged_minutes": 13},
             "metrics": [{"metric": "hit_rate", "name": "hit rate", "unit": "%", "direction": "drop" | "rise" | "absent" | "invalid" | "moved",
                          "lead": true, "value": 41.2, "expected": 77.0, "lower": 56.3, "upper": 94.2,      in the unit; null where unknown
                          "first": 47.0, "effect_absolute": -35.8, "effect_relative": -0.465, "p_value": 3.8e-53, "n": 87,
                          "method": "…", "began": "…Z", "ended": "…Z" (of a silence that is over), "mattered_at": "…Z" (where that is later), "worst_at": "…Z" | null, "minutes": 13, "flagged_minutes": 13}],
             "unchanged": [{"metric": "error_rate", "name": "error rate"}],
             "causes": [{"cause": "key_change", "name": "a changed key format", "confidence": 0.81,
                         "for": ["…"], "against": ["…"], "refute": "…"}],                                    best first
             "impact": {"extra_backend_calls": 2040, "added_latency_seconds": 431, "cost": null},            null where unknown
             "baseline": {"age_hours": 12.5, "windows": 3708} | null,
             "hour": {"from": "…Z", "step_minutes": 5, "columns": {"hit_rate": [77.1, …], "throughput": […], …}},   null where there was none
             "errors": [{"type": "TimeoutError", "count": 12, "message": "…"}],                              untrusted text, redacted
             "keys": ["q:…"],                                                                               untrusted text, redacted
             "past": [{"began": "…Z", "severity": "warning", "cause": "flush", "minutes": 12, "verdict": "incident" | null}],
             "others": [{"cache": "users", "metric": "hit_rate", "severity": "critical", "title": "…"}]}     open in the same minutes

        For the digest::

            {"from": "…Z", "to": "…Z", "coverage": {"windows": 2880, "audited": 2878, "no_data": 2},
             "caches": [{"cache": "answers", "incidents": 2, "critical": 1, "warning": 1, "info": 0, "extra_backend_calls": 2040,
                         "added_latency_seconds": 431, "cost": null}],
             "incidents": [{"cache": …, "title": …, "severity": …, "status": …, "began": …, "minutes": …, "metric": …, "name": …, "unit": …,
                            "direction": …, "value": …, "expected": …, "cause": …, "cause_name": …, "confidence": …,
                            "extra_backend_calls": …, "added_latency_seconds": …, "cost": …, "verdict": …}]}
    """

    purpose: Purpose
    data: Mapping[str, Any]

    @cached_property
    def text(self) -> str:
        """The data as JSON with sorted keys and no spare space; NaN and infinity are refused by a ValueError."""
        return json.dumps(
            self.data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
        )

    @cached_property
    def hash(self) -> str:
        """SHA-256 of purpose and data, in hexadecimal: the same evidence has the same hash."""
        return hashlib.sha256(f"{self.purpose}\n{self.text}".encode()).hexdigest()
