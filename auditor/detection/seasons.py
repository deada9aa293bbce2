"""The shape of the day and of the week, estimated so that what is tested by it has had no part in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.medians import median, medians, robust_centres

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

DAY: Final = 24
WEEK_DAYS: Final = 7
WEEK: Final = DAY * WEEK_DAYS
LEAST_DAYS: Final = 2
LEAST_WEEKS: Final = 2
WHOLE_DAY_HOURS: Final = 18
"""Known hours of a day below which nothing is taken from it."""
DAYS_AROUND: Final = 3
"""Days on either side of a day that it is compared with: so the whole week, wherever it starts."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A repeating shape of hourly levels.

    Parameters
    ----------
    rows
        Shape (hours, signals): what the other days, or weeks, say of each hour of the history.
    repeated
        Shape (slots, signals): what all of them say of each slot: 24 hours of the day, or 7 days of the week counted from 1970-01-01.
    """

    rows: Floats
    repeated: Floats


def daily_shape(level: Floats, first_hour: int) -> Shape:
    """The level by hour of the day, relative to the day's median.

    The shape is the median over days, shrunk by days / (days + 1). Days with fewer than 18 known hours are left out. Noughts
    where fewer than two days are whole.

    Parameters
    ----------
    level
        Shape (hours, signals), NaN where an hour says nothing.
    first_hour
        Hours since 1970 of the first row.
    """
    hours, signals = level.shape
    if hours < LEAST_DAYS * DAY:
        return Shape(np.zeros_like(level), np.zeros((DAY, signals)))
    by_day = _by_day(level, first_hour)
    whole = np.isfinite(by_day).sum(axis=1) >= WHOLE_DAY_HOURS
    centred = np.where(whole[:, None, :], by_day - median(by_day, axis=1)[:, None, :], np.nan)
    number = whole.sum(axis=0)
    of_all, of_others = robust_centres(centred)
    repeated = _shrunk(of_all, number)
    rows = _shrunk(of_others, (number - whole)[:, None])
    enough = number >= LEAST_DAYS
    return Shape(np.where(enough, _by_hour(rows, first_hour, hours), 0.0), np.where(enough, repeated, 0.0))


def weekly_shape(level: Floats, first_hour: int) -> Shape:
    """The level by day of the week, relative to the week around it; `level` without its daily shape, as in `daily_shape`.

    The median over weeks, shrunk by weeks / (weeks + 1); noughts where a weekday has not been seen twice.
    """
    hours, signals = level.shape
    nothing = Shape(np.zeros_like(level), np.zeros((WEEK_DAYS, signals)))
    if hours < LEAST_WEEKS * WEEK:
        return nothing
    by_day = _by_day(level, first_hour)
    whole = np.isfinite(by_day).sum(axis=1) >= WHOLE_DAY_HOURS
    of_day = np.where(whole, median(by_day, axis=1), np.nan)
    days = len(of_day)
    first = np.minimum(np.maximum(np.arange(days) - DAYS_AROUND, 0), days - WEEK_DAYS)
    around = of_day[first[:, None] + np.arange(WEEK_DAYS)].mean(axis=1)
    lead = first_hour // DAY % WEEK_DAYS
    away = np.full((-(-(lead + days) // WEEK_DAYS) * WEEK_DAYS, signals), np.nan)
    away[lead : lead + days] = of_day - around
    by_week = away.reshape(-1, WEEK_DAYS, signals)
    known = np.isfinite(by_week)
    number = known.sum(axis=0)
    of_all, of_others = medians(by_week)
    repeated = _shrunk(of_all, number)
    rows = _shrunk(of_others, number - known).reshape(-1, signals)[lead : lead + days]
    enough = number.min(axis=0) >= LEAST_WEEKS
    by_hour = _by_hour(np.repeat(rows[:, None], DAY, axis=1), first_hour, hours)
    return Shape(np.where(enough, by_hour, 0.0), np.where(enough, repeated, 0.0))


def hours_of_week(day: Floats, week: Floats) -> Floats:
    """The sum of both shapes by hour of the week, counted from 1970-01-01, shape (..., 168), of (..., 24) and (..., 7)."""
    together = week[..., :, None] + day[..., None, :]
    return together.reshape(*together.shape[:-2], WEEK)


def _by_day(level: Floats, first_hour: int) -> Floats:
    """Shape (days, 24, signals), NaN before the first row and after the last."""
    hours, signals = level.shape
    lead = first_hour % DAY
    days = -(-(lead + hours) // DAY)
    padded = np.full((days * DAY, signals), np.nan)
    padded[lead : lead + hours] = level
    return padded.reshape(days, DAY, signals)


def _by_hour(by_day: Floats, first_hour: int, hours: int) -> Floats:
    """What `_by_day` was made of."""
    lead = first_hour % DAY
    return by_day.reshape(-1, by_day.shape[-1])[lead : lead + hours]


def _shrunk(shape: Floats, number: np.typing.NDArray[np.int64]) -> Floats:
    return np.where(np.isnan(shape), 0.0, shape) * (number / (number + 1.0))
