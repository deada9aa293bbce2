"""What counts as important: the detector's settings, as one frozen value that is passed in."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final

METHOD_VERSION: Final = 8
"""Raised whenever the same windows and settings would be judged differently; part of the config hash."""
HISTORY_DAYS: Final = 28
"""What is older is forgotten: hours that are learned from, and answers."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The smallest effect worth a warning and worth a critical (fractions: 0.1 is 10 %)."""

    warning: float
    critical: float


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of detection. Effects are relative to expected, except error_rate (absolute fractions).

    Parameters
    ----------
    false_alarms_per_week
        The false-alarm budget for each cache; every threshold follows from it. Above 0.
    hit_rate, response_time, hit_response_time, error_rate, cache_size, eviction_rate
        Practical-effect floors; smaller changes are never more than statistics.
    learning_windows
        Windows with data before anything but validity is judged; until then the verdict is `learning`.
    resolve_after_minutes
        Quiet minutes after which an incident is resolved.
    reopen_within_minutes
        A finding this soon after a resolution reopens the incident instead of making a new one.
    cost_per_miss
        Money for one call to the backend, for the impact; 0 leaves money out.
    """

    false_alarms_per_week: float = 1.0
    hit_rate: Floor = Floor(0.10, 0.20)
    response_time: Floor = Floor(0.25, 0.50)
    hit_response_time: Floor = Floor(1.00, 3.00)
    error_rate: Floor = Floor(0.01, 0.05)
    cache_size: Floor = Floor(0.25, 0.50)
    eviction_rate: Floor = Floor(0.50, 1.00)
    learning_windows: int = 60
    resolve_after_minutes: int = 10
    reopen_within_minutes: int = 30
    cost_per_miss: float = 0.0

    def config_hash(self) -> str:
        """Twelve hex digits that change whenever a verdict could: the settings and the method's version."""
        text = json.dumps({"method": METHOD_VERSION, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
