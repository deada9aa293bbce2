"""What an incident cost: calls to the backend, waiting, and money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from auditor.detection.windows import Floats


@dataclass(frozen=True, slots=True)
class Impact:
    """An incident's toll.

    Parameters
    ----------
    extra_backend_calls
        Misses beyond those expected, at least 0.
    added_latency_seconds
        Waiting beyond that expected, summed over all operations, at least 0.
    cost
        Money for the extra calls; None where no cost of a miss is set.
    """

    extra_backend_calls: float
    added_latency_seconds: float
    cost: float | None

    def as_json(self) -> dict[str, float | None]:
        """The object as `evidence.impact` holds it."""
        return {
            "extra_backend_calls": self.extra_backend_calls,
            "added_latency_seconds": self.added_latency_seconds,
            "cost": self.cost,
        }


def incident_impact(*, extra_misses: float, added_milliseconds: float, cost_per_miss: float) -> Impact:
    """The toll from an incident's sums over its windows.

    Single windows may be below what was expected and offset others; only the totals are floored at 0. A sum
    that is not finite counts as 0.
    """
    calls = max(0.0, extra_misses) if np.isfinite(extra_misses) else 0.0
    waiting = max(0.0, added_milliseconds) / 1000.0 if np.isfinite(added_milliseconds) else 0.0
    return Impact(calls, waiting, calls * cost_per_miss if cost_per_miss > 0.0 else None)


def window_contributions(
    *,
    hits: Floats,
    misses: Floats,
    expected_hit_rate: Floats,
    avg_response_time_ms: Floats,
    expected_response_time_ms: Floats,
) -> tuple[Floats, Floats]:
    """Each window's own part: (extra misses, added milliseconds), arrays of shape (n,).

    Rates are fractions. A window where something needed is NaN contributes 0; a window's part never depends on
    the others, so the sums over any split of the windows are the same.
    """
    lookups = hits + misses
    extra = misses - lookups * (1.0 - expected_hit_rate)
    added = (avg_response_time_ms - expected_response_time_ms) * lookups
    return np.where(np.isfinite(extra), extra, 0.0), np.where(np.isfinite(added), added, 0.0)
