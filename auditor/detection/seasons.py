"""The shape of the day and of the week, estimated so that what is tested by it has had no part in it."""

from __future__ import annotations

import base64
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
DECIMALS: Final = 6
"""Of the shape of the day as it is kept."""
STEPS: Final = 1024.0
"""The shape of the week is known to so many parts of one on the link scale, so that it can be kept in two bytes an hour."""
LEAST_REPEATED: Final = 0.5
"""How far the days of a weekday have to repeat each other's course to have one."""
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
        Shape (slots, signals): what all of them say of each slot: 24 hours of the day, or 168 of the week counted from 1970-01-01.
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
    repeated = np.round(_shrunk(of_all, number), DECIMALS)
    rows = _shrunk(of_others, (number - whole)[:, None])
    enough = number >= LEAST_DAYS
    return Shape(np.where(enough, _by_hour(rows, first_hour, hours), 0.0), np.where(enough, repeated, 0.0))


def weekly_shape(level: Floats, first_hour: int) -> Shape:
    """The level by hour of the week, relative to the week around it; `level` without its daily shape, as in `daily_shape`.

    One number for each day, the median over weeks, shrunk by weeks / (weeks + 1), and where the days of a weekday have a course of their own
    (weekends without office hours, Friday evenings), that course too; noughts where a weekday has not been seen twice.
    """
    hours, signals = level.shape
    if hours < LEAST_WEEKS * WEEK:
        return Shape(np.zeros_like(level), np.zeros((WEEK, signals)))
    by_day = _by_day(level, first_hour)
    whole = np.isfinite(by_day).sum(axis=1) >= WHOLE_DAY_HOURS
    of_day = np.where(whole, median(by_day, axis=1), np.nan)
    days = len(of_day)
    around = _week_around(of_day, whole)
    lead = first_hour // DAY % WEEK_DAYS
    by_week = _by_week(of_day - around, lead)
    known = np.isfinite(by_week)
    number = known.sum(axis=0)
    of_all, of_others = medians(by_week)
    course, course_of_others = _courses(_by_week(by_day - of_day[:, None], lead))
    repeated = _shrunk(of_all, number)[:, None] + course
    rows = _shrunk(of_others, number - known)[:, :, None] + course_of_others
    rows = rows.reshape(-1, DAY, signals)[lead : lead + days]
    enough = number.min(axis=0) >= LEAST_WEEKS
    return Shape(
        np.where(enough, _by_hour(rows, first_hour, hours), 0.0),
        np.where(enough, _in_steps(repeated.reshape(WEEK, signals)), 0.0),
    )


def _week_around(of_day: Floats, whole: np.typing.NDArray[np.bool_]) -> Floats:
    """The mean of the week around each day, or the nearest of those that lie within the whole days; both of shape (days, signals).

    The day in which the history begins is hardly ever whole, and would take the first half week with it.
    """
    days, signals = of_day.shape
    first = whole.argmax(axis=0)
    last = days - WEEK_DAYS - whole[::-1].argmax(axis=0)
    begin = np.arange(days)[:, None] - DAYS_AROUND
    begin = np.maximum(np.minimum(np.maximum(begin, first), last), 0)
    week = begin[..., None] + np.arange(WEEK_DAYS)
    return np.asarray(of_day[week, np.arange(signals)[None, :, None]].mean(axis=2))


def _courses(by_week: Floats) -> tuple[Floats, Floats]:
    """How the days of each weekday run by themselves, of all weeks, (7, 24, signals), and of all but each, (weeks, 7, 24, signals).

    `by_week`, of the latter shape, is the level about that of its day. A course is the median over weeks times how far a week repeats the others,
    the slope of what it shows on what they do, and none where that is below a half: noise repeats nothing. No hour counts for more than the others
    say of it, so that one odd day makes no course. That slope alone has seen what is tested by it.
    """
    of_all, of_others = (np.where(np.isnan(shape), 0.0, shape) for shape in medians(by_week))
    size = np.where(np.isnan(by_week), 0.0, np.abs(of_others))
    shown = np.minimum(np.maximum(np.nan_to_num(by_week), -size), size)
    square = (size**2).sum(axis=(0, 2))
    repeats = (shown * of_others).sum(axis=(0, 2)) / np.where(square > 0.0, square, 1.0)
    repeats = np.where(repeats >= LEAST_REPEATED, repeats, 0.0)[:, None]
    return of_all * repeats, of_others * repeats


def hours_of_week(day: Floats, week: Floats) -> Floats:
    """The sum of the shapes of the day, shape (..., 24), and of the week, (..., 168), by hour of the week, counted from 1970-01-01."""
    return np.tile(day, WEEK_DAYS) + week


def week_as_text(week: Floats) -> str:
    """The shape of the week of one signal, shape (168,), in base 64, as `read_week` reads it back bit for bit."""
    return base64.b64encode((week * STEPS).astype("<i2").tobytes()).decode()


def read_week(stored: str | list[float]) -> Floats:
    """What `week_as_text` wrote; profiles that an older version learned have a number for each day."""
    if isinstance(stored, str):
        return np.frombuffer(base64.b64decode(stored), dtype="<i2") / STEPS
    return np.repeat(stored, DAY)


def _in_steps(week: Floats) -> Floats:
    most = np.iinfo(np.int16).max
    return np.minimum(np.maximum(np.round(week * STEPS), -most), most) / STEPS


def _by_day(level: Floats, first_hour: int) -> Floats:
    """Shape (days, 24, signals), NaN before the first row and after the last."""
    hours, signals = level.shape
    lead = first_hour % DAY
    days = -(-(lead + hours) // DAY)
    padded = np.full((days * DAY, signals), np.nan)
    padded[lead : lead + hours] = level
    return padded.reshape(days, DAY, signals)


def _by_week(by_day: Floats, lead: int) -> Floats:
    """Days by week and weekday, shape (weeks, 7, ...), NaN before the first and after the last; `lead` is the weekday of the first."""
    weeks = -(-(lead + len(by_day)) // WEEK_DAYS)
    padded = np.full((weeks * WEEK_DAYS, *by_day.shape[1:]), np.nan)
    padded[lead : lead + len(by_day)] = by_day
    return padded.reshape(weeks, WEEK_DAYS, *by_day.shape[1:])


def _by_hour(by_day: Floats, first_hour: int, hours: int) -> Floats:
    """What `_by_day` was made of."""
    lead = first_hour % DAY
    return by_day.reshape(-1, by_day.shape[-1])[lead : lead + hours]


def _shrunk(shape: Floats, number: np.typing.NDArray[np.int64]) -> Floats:
    return np.where(np.isnan(shape), 0.0, shape) * (number / (number + 1.0))
