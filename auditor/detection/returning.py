"""What only ends a short improvement: no worse than the same hour of the days before, and so no alarm.

The level follows within hours, so that after an afternoon of a faster backend its usual pace looks slow. Where a metric is better, by as much
as matters, since less than a day, what it was before is still usual.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.findings import INFO, LATENCIES
from auditor.detection.hours import MINUTES, Part
from auditor.detection.medians import median
from auditor.detection.seasons import DAY
from auditor.detection.signals import AT
from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.findings import Side
    from auditor.detection.hours import History
    from auditor.detection.policy import Floor, Policy
    from auditor.detection.windows import Floats

DAYS: Final = 7
LEAST_DAYS: Final = 3
"""Of the last seven, on which the hour has to be known."""
HALF: Final = 0.5
"""Of the least effect that matters: by so much the days before have to have been worse than what is expected now."""
WORSE: Final = {"hit_rate": "drop", "cache_size": "drop"} | dict.fromkeys(LATENCIES, "rise")
"""The metrics of which this is asked, and the direction in which they hurt."""


def returning(
    sides: list[Side],
    history: Callable[[], History],
    link: Floats,
    minutes: np.typing.NDArray[np.int64],
    policy: Policy,
) -> list[Side]:
    """The findings of windows at `minutes`, those that are no worse than the days before as infos.

    Parameters
    ----------
    sides
        The findings.
    history
        Gives the hours that have been; asked only where something warns.
    link
        Shape (signals, n): what is expected of the windows, on the link scale.
    minutes
        Shape (n,).
    policy
        The smallest effects that matter: by so much something has to be worse than the days before.
    """
    loud = [side.level.max(initial=0) > INFO and WORSE.get(side.metric) == side.direction for side in sides]
    if not any(loud):
        return sides
    return [
        _returning(side, history(), link[AT[side.metric]], minutes, _floor(side.metric, policy))
        if asked
        else side
        for side, asked in zip(sides, loud, strict=True)
    ]


def _floor(metric: str, policy: Policy) -> Floor:
    if metric == "hit_rate":
        return policy.hit_rate
    return policy.cache_size if metric == "cache_size" else policy.response_time


def _returning(
    side: Side, history: History, link: Floats, minutes: np.typing.NDArray[np.int64], floor: Floor
) -> Side:
    at = np.flatnonzero(side.level > INFO)
    better = 1.0 if side.direction == "drop" else -1.0
    shift = _usual(history, AT[side.metric], minutes[at] // MINUTES, better) - link[at]
    expected = side.expected[at]
    before = _shifted(side.metric, expected, shift)
    # NaN, where too few days are known, is neither
    improved = better * (expected - before) >= HALF * floor.warning * expected
    ends = at[improved & (better * (before - side.value[at]) < floor.warning * before)]
    if not len(ends):
        return side
    level, returned = side.level.copy(), np.zeros(len(side.level), dtype=np.bool_)
    level[ends], returned[ends] = INFO, True
    return replace(side, level=level, returned=returned)


def _usual(history: History, signal: int, hours: np.typing.NDArray[np.int64], better: float) -> Floats:
    """The level of each hour of the day on the days before: their median, or yesterday's where that was better already; NaN where not known."""
    if not len(history.parts):
        return np.full(len(hours), np.nan)
    rows = hours[None] - DAY * np.arange(1, DAYS + 1)[:, None] - history.first_hour
    there = (rows >= 0) & (rows < len(history.parts))
    known = np.where(there, history.parts[np.where(there, rows, 0), signal, Part.LEVEL], np.nan).astype(
        np.float64
    )
    usual = median(known, axis=0)
    usual = better * np.fmax(better * usual, better * known[0])
    return np.where(np.isfinite(known).sum(axis=0) >= LEAST_DAYS, usual, np.nan)


def _shifted(metric: str, expected: Floats, shift: Floats) -> Floats:
    """What would have been expected with another level."""
    if metric != "hit_rate":
        return expected * exact_exp(shift)
    odds = exact_log(expected) - exact_log(1.0 - expected) + shift
    return 1.0 / (1.0 + exact_exp(-odds))
