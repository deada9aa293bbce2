"""The shape of the day and the week minute by minute: lines between hours, what changes at once, and by how much that may be off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.load import UNUSUAL
from auditor.detection.seasons import WEEK, WEEK_DAYS, hours_of_week
from auditor.detection.signals import AT
from auditor.detection.tails.elementary import exact_exp

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

_Minutes = np.typing.NDArray[np.int64]

BEND_SHARE: Final = 1 / 3
"""Of the bend of the daily shape, what the line between two hours may be off by, as a standard deviation."""
FLAT: Final = 2.0
"""Deviations of the drift within which an hour is as the one before."""
JUMP: Final = 4.0
"""How many times that the season has to change between flat hours to change at once."""
AROUND_THE_HOUR: Final = 15
"""Minutes before and after an hour begins in which it may."""
_THROUGHPUT: Final = AT["throughput"]
_WEEK_MINUTES: Final = 60 * WEEK


@dataclass(frozen=True)
class MinuteShape:
    """The seasonal part of what is expected, on the signals' link scales.

    Parameters
    ----------
    season, week, drift
        As in `Profile`: shapes (signals, 24), (signals, 168) and (signals,).
    """

    season: Floats
    week: Floats
    drift: Floats

    @cached_property
    def _shape(self) -> Floats:
        """By hour of the week, shape (signals, 168)."""
        return hours_of_week(self.season, self.week)

    @cached_property
    def _jumps(self) -> Floats:
        """What of the step from each hour of the week to the next the traffic makes at once, when the next begins, shape (168,).

        Where it has been at one level in all of an hour and at another in all of the next, it has changed between them: what
        changes within an hour would show in the mean of that hour, and be no flat one. What follows from traffic takes its time.
        """
        season = self.season[_THROUGHPUT]
        step = np.roll(season, -1) - season
        flat = FLAT * math.sqrt(self.drift[_THROUGHPUT])
        is_flat = np.abs(step) <= flat
        at_once = (np.abs(step) > JUMP * flat) & np.roll(is_flat, 1) & np.roll(is_flat, -1)
        return np.tile(np.where(at_once, step, 0.0), WEEK_DAYS)

    @cached_property
    def _missed(self) -> Floats:
        """The variance by which lines between hours miss the season, by hour of the week, shape (signals, 168).

        Between the middles of two hours the line is off by up to half of the bend, which is the second difference of the season but for
        jumps: a third of what exceeds two deviations of the drift counts as a standard deviation.
        """
        step = np.roll(self._shape, -1, axis=1) - self._shape
        step[_THROUGHPUT] -= self._jumps
        bend = np.abs(step - np.roll(step, 1, axis=1))
        return _off_by(np.maximum(bend, np.roll(bend, -1, axis=1)), self.drift[:, None])

    def at(self, minutes: _Minutes) -> tuple[Floats, Floats]:
        """The season at each minute, and the variance by which that misses it, both of shape (signals, n)."""
        season, slot = between_hours(self._shape, minutes)
        missed = self._missed[:, slot]
        if self._jumps.any():
            jump, since = self._jumps[slot], (minutes - 30) % 60 - 30.0
            done = np.minimum(np.maximum(0.5 + since / (2.0 * AROUND_THE_HOUR), 0.0), 1.0)
            season[_THROUGHPUT] += (done - (since + 30.0) / 60.0) * jump
            happens = (done > 0.0) & (done < 1.0)
            missed[_THROUGHPUT] += np.where(happens, _off_by(np.abs(jump), self.drift[_THROUGHPUT]), 0.0)
        return season, missed

    def minutes_worth(self, minutes: _Minutes, run: Floats) -> Floats:
        """How many minutes of its own traffic the `run` of minutes that end with each is worth, shape (n,).

        By the season, and where nobody knows when that changes by the least that it may be: three deviations of what it may be off by below it.
        """
        so_far = self._traffic_so_far
        end = minutes % _WEEK_MINUTES + 1
        weeks, begin = np.divmod(end - run.astype(np.int64), _WEEK_MINUTES)
        heard = so_far[end] - so_far[begin] - weeks * so_far[-1]
        now, _ = self.at(minutes)
        return np.asarray(heard / exact_exp(now[_THROUGHPUT]))

    @cached_property
    def _traffic_so_far(self) -> Floats:
        """The traffic that the season says of each week's first minutes, none to all, shape (10081,)."""
        season, missed = self.at(np.arange(_WEEK_MINUTES))
        least = season[_THROUGHPUT] - UNUSUAL * np.sqrt(missed[_THROUGHPUT])
        return np.concatenate([[0.0], np.cumsum(exact_exp(least))])


def between_hours(shape: Floats, minutes: _Minutes) -> tuple[Floats, _Minutes]:
    """A shape by hour of the week (its last axis) at each minute, straight lines between the middles of hours; and the hour where each begins."""
    since = (minutes - 30) % (60 * WEEK)
    slot, share = since // 60, (since % 60) / 60.0
    return shape[..., slot] * (1.0 - share) + shape[..., (slot + 1) % WEEK] * share, slot


def _off_by(change: Floats, drift: Floats) -> Floats:
    """The variance of where in a change of the season a minute is, as a share of what is more than the drift of an hour."""
    return np.asarray((BEND_SHARE * np.maximum(change - FLAT * np.sqrt(drift), 0.0)) ** 2)
