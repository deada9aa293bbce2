"""The lookups behind what is normal, and what fewer or more of them may do to a cache whose entries expire.

An entry that lives a fixed time T, of a key asked for at random a times in T, is there with probability h = a / (1 + a) whenever it
is asked for. Over all keys, that makes log size and the logit of the hit rate rise with the logarithm of the lookups by

    d log size  = sum h (1 - h) / sum h                  and    d logit H = sum q h (1 - h) / (H (1 - H)),

with q the share of lookups that ask for a key and H = sum q h. Both lie between 0 and 1: the first because h is a probability, the second by
Jensen's inequality, for h (1 - h) is concave. A cache that evicts before anything expires does not respond at all. So when lookups are f times
as many as those that the expectation was learned at, a healthy cache is anywhere between that expectation and f times its odds of a hit, or
f times its size. What that explains is no finding; without unusual traffic, nothing is explained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.medians import robust_centre
from auditor.detection.seasons import WEEK, hours_of_week
from auditor.detection.signals import AT
from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

UNUSUAL: Final = 3.0
"""Deviations of the traffic within which there is nothing to respond to: what it usually does, hit rate and size have shown."""
UNUSUAL_AT_FIRST: Final = 1.0
"""The same before two whole days have been seen: the hours of a first day know no night."""
LAST_HOURS: Final = 6

RESPONDING: Final = ("hit_rate", "cache_size")
"""What responds to the number of lookups."""
RESPONDING_AT: Final = np.array([AT[name] for name in RESPONDING])
BEHIND: Final = np.array([AT["throughput"], AT["get_share"]])
"""What lookups are made of: the operations, and the share of them that are lookups."""


SHORT_HALVES: Final = 0.5
"""What is left, an hour later, of how far lookups were short: entries that were not set then are still missing."""
LEAST_SHORT: Final = 0.05
"""On the log scale, what is too little to remember."""


@dataclass(frozen=True, slots=True)
class Load:
    """The lookups behind the levels of what responds to them.

    Parameters
    ----------
    behind
        Shape (responding, 2): the levels of `BEHIND` at which the levels of `RESPONDING` were learned; NaN where unknown.
    short
        Shape (responding,): how far below that, on the log scale, lookups were in the last hours; 0 where that was not unusual.
    shape
        Shape (responding, 2, 168): the shape of the week of `BEHIND`; without the days of the week for what has no such shape itself.
    """

    behind: Floats
    short: Floats
    shape: Floats

    @classmethod
    def unknown(cls, shape: Floats) -> Load:
        """Nothing is known of what lookups do."""
        return cls(np.full(shape.shape[:2], np.nan), np.zeros(len(shape)), shape)

    def after(self, hour: int, level: Floats, share: Floats, variance: float) -> Load:
        """The load after an hour.

        Parameters
        ----------
        hour
            Hours since 1970.
        level
            Shape (signals,): what the hour showed, NaN where nothing.
        share
            Shape (responding,): how far the levels of what responds have gone towards that.
        variance
            Of an hour's traffic about its forecast.
        """
        return self.through(hour, level[None], share[None], variance)[-1]

    def through(self, hour: int, level: Floats, share: Floats, variance: float) -> list[Load]:
        """The load after each of several hours, the first of them `hour`; `level` and `share` of each, by rows, else as in `after`."""
        seen = _shown(level, hour, self.shape)
        behind = _moved(self.behind, seen, share)
        shorts = _shorts(self.short, seen, behind[:-1], variance)
        return [Load(now, short, self.shape) for now, short in zip(behind[1:], shorts, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads back bit for bit."""
        known = np.isfinite(self.behind).all()
        return {"behind": self.behind.tolist() if known else None, "short": self.short.tolist()}

    @classmethod
    def from_json(cls, stored: dict[str, Any] | None, shape: Floats) -> Load:
        """The load that `as_json` wrote; unknown in a profile that an older version learned."""
        if stored is None or stored["behind"] is None:
            return cls.unknown(shape)
        return cls(np.array(stored["behind"]), np.array(stored["short"]), shape)


def learn_load(
    history: tuple[Floats, int],
    error: Floats,
    half_life: Floats,
    drift: Floats,
    shape: Floats,
) -> Load:
    """The load behind levels that were just learned.

    Parameters
    ----------
    history
        Levels of all signals by hour, shape (hours, signals), and the hour since 1970 of the first.
    error
        Shape (hours, signals): forecast errors, NaN where unknown.
    half_life, drift
        Shape (signals,): of the levels.
    shape
        As in `Load`.
    """
    level, first_hour = history
    at = RESPONDING_AT
    seen = _shown(level, first_hour, shape)
    behind = _behind(seen, share_moved(error[:, at], half_life[at], drift[at]))
    short = _shorts(np.zeros(len(at)), seen[-LAST_HOURS:], behind, float(drift[BEHIND[0]]))[-1]
    return Load(behind, short, shape)


def _shorts(short: Floats, seen: Floats, behind: Floats, variance: float) -> Floats:
    """How far lookups were short after each of several hours, (hours, responding), where they were so far before.

    The hours showed `seen`, (hours, responding, 2), where the levels of it were `behind`, of the same shape or of an hour.
    """
    both = np.stack([seen, np.broadcast_to(behind, seen.shape)])
    shown, before = log_lookups(both[..., 0], both[..., 1])
    least, last = -UNUSUAL * math.sqrt(variance), short.tolist()
    shorts = []
    for row in (shown - before).tolist():
        found = [
            min(away if away <= least else 0.0, SHORT_HALVES * so_far)
            for away, so_far in zip(row, last, strict=True)
        ]
        last = [value if value <= -LEAST_SHORT else 0.0 for value in found]
        shorts.append(last)
    return np.array(shorts)


def _shown(level: Floats, hour: int, shape: Floats) -> Floats:
    """What hours showed of `BEHIND` less its shape, (hours, responding, 2); levels of all signals by hour, from `hour` on."""
    slots = (hour + np.arange(len(level))) % WEEK
    return level[:, None, BEHIND] - shape.transpose(2, 0, 1)[slots]


def _moved(level: Floats, seen: Floats, share: Floats) -> Floats:
    """Levels, (responding, 2), before any hour and after each, that go their share, (hours, responding), of the way to what hours showed."""
    now = level.ravel().tolist()
    levels = [now]
    for row, parts in zip(
        seen.reshape(len(seen), -1).tolist(), np.repeat(share, 2, axis=1).tolist(), strict=True
    ):
        # what is unknown, and then not equal to itself, moves nothing
        now = [
            at + part * (shown - at) if shown - at == shown - at else at
            for at, shown, part in zip(now, row, parts, strict=True)
        ]
        levels.append(now)
    return np.array(levels).reshape(-1, *level.shape)


def _behind(level: Floats, moved: Floats) -> Floats:
    """The mean of levels by hour, (hours, responding, 2), with the weights that `profile.follow` gave the hours; their centre where it does not move."""
    known = np.isfinite(level)
    moved = np.where(known[..., 0] & known[..., 1], moved, 0.0)
    kept = np.cumprod((1.0 - moved)[::-1], axis=0)[::-1]
    weight = moved[:, :, None]
    weight[:-1] *= kept[1:, :, None]
    weighed = (weight * np.where(known, level, 0.0)).sum(axis=0)
    behind: Floats = weighed + (1.0 - weight.sum(axis=0)) * robust_centre(level)
    return behind


def shapes_behind(season: Floats, week: Floats) -> Floats:
    """The shape of `Load`, of the shapes of the day (signals, 24) and of the week (signals, 168)."""
    weekly = week[RESPONDING_AT].any(axis=1)[:, None, None]
    return hours_of_week(
        np.repeat(season[None, BEHIND], len(RESPONDING), axis=0), np.where(weekly, week[BEHIND], 0.0)
    )


def share_moved(innovation: Floats, half_life: Floats, drift: Floats) -> Floats:
    """How much of the way to what an hour showed a level goes (`profile.follow`); 0 where it showed nothing."""
    gain = 1.0 - 0.5 ** (1.0 / half_life)
    size = np.maximum(np.abs(innovation), 1e-12)
    share: Floats = np.where(np.isfinite(size), gain * np.minimum(1.0, 3.0 * np.sqrt(drift) / size), 0.0)
    return share


def log_lookups(operations: Floats, share: Floats) -> Floats:
    """The logarithm of lookups a minute, of the links of operations and of the share of them that are lookups."""
    return operations - exact_log(1.0 + exact_exp(-share))
