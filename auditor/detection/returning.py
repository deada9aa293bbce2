"""What only ends a short improvement: no worse than before it, and so no alarm.

The level follows within hours, so that after an afternoon of a faster backend its usual pace looks slow. A second level takes what is
better for normal within a day only, and what is worse as fast as the first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.findings import HITS_LATENCY, INFO, LATENCIES
from auditor.detection.hours import MINUTES, Part
from auditor.detection.medians import median
from auditor.detection.profile import follow, gain_and_bound
from auditor.detection.seasons import DAY, WEEK
from auditor.detection.signals import AT
from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.findings import Side
    from auditor.detection.hours import History
    from auditor.detection.policy import Floor, Policy
    from auditor.detection.profile import Profile
    from auditor.detection.windows import Floats

HOURS: Final = 72
"""That both levels are followed through."""
LEAST_HOURS: Final = 24
"""Of them, that have to be known."""
HALF_LIFE: Final = 24.0
"""Hours in which half of an improvement becomes normal."""
HALF: Final = 0.5
"""Of the least effect that matters: by so much the second level has to be worse than the first."""
WORSE: Final = {"hit_rate": "drop", "cache_size": "drop"} | dict.fromkeys((*LATENCIES, HITS_LATENCY), "rise")
"""The metrics of which this is asked, and the direction in which they hurt."""


def returning(
    sides: list[Side],
    profile: Profile,
    history: Callable[[], History],
    minutes: np.typing.NDArray[np.int64],
    policy: Policy,
) -> list[Side]:
    """The findings of windows at `minutes`, those that are no worse than before an improvement as infos.

    Parameters
    ----------
    sides
        The findings.
    profile
        What is normal.
    history
        Gives the hours up to that of the last window; asked only where something warns.
    minutes
        Shape (n,).
    policy
        The smallest effects that matter: by so much something has to be worse than before.
    """
    loud = [side.level.max(initial=0) > INFO and WORSE.get(side.metric) == side.direction for side in sides]
    if not any(loud):
        return sides
    hours = history()
    return [
        _returning(side, profile, hours, minutes, _floor(side.metric, policy)) if asked else side
        for side, asked in zip(sides, loud, strict=True)
    ]


def _floor(metric: str, policy: Policy) -> Floor:
    if metric == "hit_rate":
        return policy.hit_rate
    if metric == HITS_LATENCY:
        return policy.hit_response_time
    return policy.cache_size if metric == "cache_size" else policy.response_time


def _returning(
    side: Side,
    profile: Profile,
    history: History,
    minutes: np.typing.NDArray[np.int64],
    floor: Floor,
) -> Side:
    at = np.flatnonzero(side.level > INFO)
    better = 1.0 if side.direction == "drop" else -1.0
    of_hour = {
        hour: _behind(profile, history, AT[side.metric], hour, better)
        for hour in np.unique(minutes[at] // MINUTES).tolist()
    }
    shift = np.array([of_hour[hour] for hour in (minutes[at] // MINUTES).tolist()])
    expected = side.expected[at]
    before = _shifted(side.metric, expected, shift)
    # NaN, where too few hours are known, is neither
    improved = better * (expected - before) >= HALF * floor.warning * expected
    ends = at[improved & (better * (before - side.value[at]) < floor.warning * before)]
    if not len(ends):
        return side
    level, returned = side.level.copy(), np.zeros(len(side.level), dtype=np.bool_)
    level[ends], returned[ends] = INFO, True
    return replace(side, level=level, returned=returned)


def _behind(profile: Profile, history: History, signal: int, hour: int, better: float) -> float:
    """By how much, on the link scale, a level that is slow to believe in what is better differs from the level before an hour; NaN where not known."""
    last = hour - history.first_hour
    seen = history.parts[max(last - HOURS, 0) : max(last, 0), signal, Part.LEVEL].astype(np.float64)
    if np.isfinite(seen).sum() < LEAST_HOURS:
        return float("nan")
    at = np.arange(hour - len(seen), hour)
    seen = seen - profile.week[signal, at % WEEK] - profile.season[signal, at % DAY]
    gain, bound = gain_and_bound(profile.half_life[signal], profile.drift[signal])
    slow, _ = gain_and_bound(np.maximum(profile.half_life[signal], HALF_LIFE), profile.drift[signal])
    level = slow_level = median(seen[:LEAST_HOURS])
    for shown in seen[LEAST_HOURS:]:
        level = follow(level, shown, gain, bound)
        improves = better * (shown - slow_level) > 0.0
        slow_level = follow(slow_level, shown, slow if improves else gain, bound)
    return float(slow_level - level)


def _shifted(metric: str, expected: Floats, shift: Floats) -> Floats:
    """What would have been expected with another level."""
    if metric != "hit_rate":
        return expected * exact_exp(shift)
    odds = exact_log(expected) - exact_log(1.0 - expected) + shift
    return 1.0 / (1.0 + exact_exp(-odds))
