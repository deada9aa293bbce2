"""The joint signature of an incident: what every signal did, as the diagnosis reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Direction = Literal["drop", "rise", "absent", "invalid", "moved"]

SIGNALS: Final = (
    "hit_rate",
    "error_rate",
    "throughput",
    "hits",
    "misses",
    "sets",
    "evictions",
    "avg_response_time_ms",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "avg_hit_response_time_ms",
    "avg_miss_response_time_ms",
    "cache_size",
)
"""The signals of a signature: rates as fractions 0..1, counts per minute, milliseconds, entries."""

CAUSES: Final = (
    "flush",
    "capacity_cut",
    "ttl_cut",
    "key_change",
    "working_set_growth",
    "surge_new_keys",
    "stampede",
    "backend_slow",
    "cache_slow",
    "backend_errors",
    "silence",
    "collector_fault",
    "improvement",
    "unknown",
)


@dataclass(frozen=True, slots=True)
class Signal:
    """What one signal did during an incident; NaN where it is not known.

    Parameters
    ----------
    expected
        The mean that the baseline expects over the incident's windows.
    first
        The mean of the first two windows of the incident.
    observed
        The mean over the incident so far (for rates: pooled over the windows).
    last
        The mean of the last three windows.
    lowest, highest
        The extremes of single windows.
    z
        How far `observed` is from `expected` in standard deviations of the predictive distribution of that
        mean; positive above. NaN where the signal has no learned dispersion.
    since_lowest
        Minutes from the window that was lowest (the last of several) to the newest one; NaN where it is not known.
    """

    expected: float
    first: float
    observed: float
    last: float
    lowest: float
    highest: float
    z: float
    since_lowest: float = math.nan


@dataclass(frozen=True, slots=True)
class IncidentSignature:
    """An incident's joint signature: everything the ranking of causes is allowed to look at.

    Parameters
    ----------
    windows
        Windows with a finding that the signals were measured in, at least 1.
    signals
        A `Signal` for each name of `SIGNALS` (those without data hold NaN throughout).
    flagged
        The metrics of the catalogue that raised findings, with their direction.
    size_before
        Cache size in the last window before the opening; NaN where unknown.
    size_highest_known
        The largest size seen in the learned history (a stand-in for capacity); NaN where unknown.
    lead_in
        Minutes for which the hit rate had been off on the same side before the opening: 0 means sudden, below 0 not known.
    elapsed
        Minutes from the opening to the newest of those windows, the quiet ones between them too; taken to be `windows` where less.
    quiet
        Minutes without a finding since.
    size_earlier
        Cache size some windows before the opening, where an alarm that comes a minute late has not yet met its cause; NaN where unknown.
    silent_before
        Minutes of the silence that it began with, or came to at once, and that is over; 0 where there was none.
    """

    windows: int
    signals: Mapping[str, Signal]
    flagged: Mapping[str, Direction]
    size_before: float
    size_highest_known: float
    lead_in: int
    elapsed: int = 0
    quiet: int = 0
    size_earlier: float = math.nan
    silent_before: int = 0

    @property
    def minutes(self) -> int:
        """Minutes that the windows cover; more than `windows` where only some of them had a finding."""
        return max(self.elapsed, self.windows)


@dataclass(frozen=True, slots=True)
class Cause:
    """One ranked cause. `confidence` is 0..1 over the list; the lists hold whole sentences."""

    cause: str
    confidence: float
    for_: tuple[str, ...]
    against: tuple[str, ...]
    refute: str

    def as_json(self) -> dict[str, Any]:
        """The object as `evidence.causes` holds it."""
        return {
            "cause": self.cause,
            "confidence": self.confidence,
            "for": list(self.for_),
            "against": list(self.against),
            "refute": self.refute,
        }
