"""The alarms that a cache has really had, beside the budget that was promised.

An alarm is a minute with a finding, of whatever severity; those within an hour of each other are one. Only what nobody has called an
incident counts against the budget, so that until incidents are called so the figure is too high and never too low.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from scipy.special import gammaincinv

from auditor.detection.diagnosis.figures import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

APART: Final = 60
"""Minutes without a finding after which the next one is another alarm."""
MINUTES_A_WEEK: Final = 10_080
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Achieved:
    """Alarms in so many judged minutes of one cache or of several; `incidents` are those that were called so, and are not among the alarms."""

    alarms: int = 0
    incidents: int = 0
    minutes: int = 0

    @classmethod
    def of(
        cls,
        found: np.typing.NDArray[np.int64],
        judged: int,
        called: np.typing.NDArray[np.bool_] | None = None,
    ) -> Self:
        """Count one cache's alarms.

        Parameters
        ----------
        found
            The minutes with a finding, in time order, shape (n,).
        judged
            How many minutes were judged.
        called
            Shape (n,): which of them belong to what an engineer has called an incident; none where it is None.
        """
        if not len(found):
            return cls(minutes=judged)
        first = np.flatnonzero(np.diff(found, prepend=found[0] - APART - 1) > APART)
        labelled = np.zeros(len(found), dtype=np.bool_) if called is None else called
        incidents = int(np.logical_or.reduceat(labelled, first).sum())
        return cls(len(first) - incidents, incidents, judged)

    @classmethod
    def together(cls, parts: Iterable[Achieved]) -> Self:
        """Several caches' counts as one."""
        whole = list(parts)
        return cls(
            sum(part.alarms for part in whole),
            sum(part.incidents for part in whole),
            sum(part.minutes for part in whole),
        )

    @property
    def weeks(self) -> float:
        """The cache-weeks that were judged."""
        return self.minutes / MINUTES_A_WEEK

    def as_json(self, budget: float) -> dict[str, Any]:
        """The rate a week and cache with its exact 95 % interval (Garwood, 1936, Biometrika 28:437) beside the budget; None of no time at all."""
        low, high = exact_interval(self.alarms)
        known = self.minutes > 0
        return {
            "cache_weeks_judged": self.weeks,
            "alarms": self.alarms,
            "called_incidents": self.incidents,
            "alarms_per_cache_week": self.alarms / self.weeks if known else None,
            "alarms_per_cache_week_low": low / self.weeks if known else None,
            "alarms_per_cache_week_high": high / self.weeks if known else None,
            "budget_false_alarms_per_cache_week": budget,
        }


def exact_interval(count: int) -> tuple[float, float]:
    """The exact 95 % interval of a Poisson mean of which `count` were seen."""
    tail = (1.0 - CONFIDENCE) / 2.0
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low, float(gammaincinv(count + 1, 1.0 - tail))


def in_words(told: dict[str, Any]) -> str:
    """The rate of `Achieved.as_json` as one sentence, budget and all."""
    if told["alarms_per_cache_week"] is None:
        return "No minute has been judged yet."
    called = told["called_incidents"]
    as_what = "is called an incident" if called == 1 else "are called incidents"
    beside = f" ({called:,} more {as_what})" if called else ""
    alarms = plural(told["alarms"], "alarm")
    return (
        f"{alarms} in {told['cache_weeks_judged']:.3g} judged cache-weeks{beside}: "
        f"{told['alarms_per_cache_week']:.2g} a week and cache (95 %: {told['alarms_per_cache_week_low']:.2g} to "
        f"{told['alarms_per_cache_week_high']:.2g}), real incidents that nobody has called so among them; "
        f"the budget is {told['budget_false_alarms_per_cache_week']:g} false ones."
    )
