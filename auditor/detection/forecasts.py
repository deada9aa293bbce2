"""Forecasts of the next hour, run over the history: which half-life of the level, and which shape, has predicted best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.medians import median, robust_centre
from auditor.detection.profile import HALF_LIVES, follow_through, gain_and_bound
from auditor.detection.seasons import DAY, WEEK, Shape, daily_shape, weekly_shape

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

SEASON_MARGIN: Final = 0.95
"""The daily shape is used where it leaves at most this share of the error without it, out of sample."""
DAY_BEGINS_HOURS: Final = 4
"""Hours of a day in which the local level has not yet learned what kind of day it is."""
_WEEKLY: Final = 2
"""The position of the shape with the week in it."""
_UNTRIED: Final = 1e9
"""The score of a forecast that no hour has tested."""

_AT_HAND: Final = 72
"""Hours of all forecasts that fit into a processor's nearest memory."""

_Places = np.typing.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What leads for each signal: arrays of shape (signals,), `error` (hours, signals), `season` (signals, 24), `week` (signals, 168).

    `typical` is the median of the errors' sizes.
    """

    level: Floats
    half_life: Floats
    error: Floats
    typical: Floats
    season: Floats
    week: Floats


@dataclass(frozen=True, slots=True)
class _Tried:
    """Forecasts of every shape and half-life.

    Errors of those that move, from the second hour on, have shape (hours - 1, shapes, half-lives, signals). Of those that stand still,
    if there are any, there are the errors, (hours, shapes, signals), and what they are about, (shapes, signals). `seen`, of shape
    (hours, 2 shapes - 1, signals), is the level less each of the shapes: out of sample first, then, but for no shape, as all days have
    it, from which the last level is taken, `now`.
    """

    seen: Floats
    moving: Floats
    now: Floats
    still: tuple[Floats, Floats] | None

    def scores(self, hours: np.typing.NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Of each forecast, (forecasts, signals), the score and the median size of its errors, over all hours or some."""
        parts = [_score(self.moving if hours is None else self.moving[hours[1:]])]
        if self.still is not None:
            still, _ = self.still
            parts.append(_score((still if hours is None else still[hours])[:, :, None]))
        score, typical = (np.concatenate(of_all, axis=1) for of_all in zip(*parts, strict=True))
        signals = self.seen.shape[2]
        return score.reshape(-1, signals), typical.reshape(-1, signals)

    def error(self, shape: _Places, at: _Places) -> Floats:
        """The errors of a forecast for each signal: its shape and its half-life, shape (hours, signals)."""
        signals = np.arange(len(at))
        stands = at == self.moving.shape[2]
        error = np.empty((len(self.seen), len(at)))
        error[0] = np.nan
        error[1:] = self.moving[:, shape, np.where(stands, 0, at), signals]
        if self.still is not None and stands.any():
            still, _ = self.still
            error[:, stands] = still[:, shape[stands], signals[stands]]
        return error

    def level(self, shape: _Places, at: _Places) -> Floats:
        """The last level of a forecast for each signal."""
        signals = np.arange(len(at))
        stands = at == self.moving.shape[2]
        row = np.where(shape > 0, self.moving.shape[1] - 1 + shape, 0)
        level = self.now[row, np.where(stands, 0, at), signals]
        if self.still is not None:
            _, centre = self.still
            level[stands] = centre[0, stands]
        shaped = stands & (shape > 0)
        if shaped.any():
            level[shaped] = robust_centre(self.seen[:, row[shaped], signals[shaped]])
        return level


def best_forecast(level: Floats, first_hour: int, drift: Floats) -> Forecast:
    """The forecasts that have the least error, of levels by hour, shape (hours, signals); `drift` bounds how far an hour moves them."""
    day = daily_shape(level, first_hour)
    week = weekly_shape(level - day.rows, first_hour)
    slots = first_hour + np.arange(len(level))
    half_lives = _candidates(len(level))
    tried = _forecasts(level, (day, week), slots, half_lives, drift)
    score, typical = tried.scores()
    begins = slots % DAY < DAY_BEGINS_HOURS
    leader = _leader(score, len(half_lives), tried, begins, np.ptp(day.repeated, axis=0))
    shape, at = np.divmod(leader, len(half_lives))
    return Forecast(
        level=tried.level(shape, at),
        half_life=np.array(half_lives)[at],
        error=tried.error(shape, at),
        typical=typical[leader, np.arange(len(leader))],
        season=np.where((shape > 0)[:, None], day.repeated.T, 0.0),
        week=np.where((shape == _WEEKLY)[:, None], week.repeated.T, 0.0),
    )


def _candidates(hours: int) -> tuple[float, ...]:
    """A slow level has to have been seen to be slow: short histories follow closely."""
    return HALF_LIVES[: 1 if hours < 6 else 2 if hours < 24 else len(HALF_LIVES)]


def _forecasts(
    level: Floats, shapes: tuple[Shape, Shape], slots: _Places, half_lives: tuple[float, ...], drift: Floats
) -> _Tried:
    day, week = shapes
    out_of_sample, repeated = [], []
    by_day = day.repeated[slots % DAY]
    weekly = week.repeated.any()
    if weekly or day.repeated.any():
        out_of_sample.append(day.rows)
        repeated.append(by_day)
    if weekly:
        out_of_sample.append(day.rows + week.rows)
        repeated.append(by_day + week.repeated[slots % WEEK])
    number = 1 + len(repeated)
    seen = np.empty((len(level), 2 * number - 1, level.shape[1]))
    seen[:, 0] = level
    for row, shape in enumerate([*out_of_sample, *repeated], start=1):
        np.subtract(level, shape, out=seen[:, row])
    moving = np.array([half_life for half_life in half_lives if np.isfinite(half_life)])
    found, now = followed(seen, moving, drift, number)
    still = None
    if len(moving) < len(half_lives):
        count = np.maximum(np.isfinite(level).sum(axis=0), 1)
        centre = robust_centre(seen[:, :number])
        still = (seen[:, :number] - centre) * (1.0 + 1.0 / count), centre
    return _Tried(seen, found[1:], now, still)


def followed(seen: Floats, half_lives: Floats, drift: Floats, tested: int) -> tuple[Floats, Floats]:
    """Levels that follow rows of shape (hours, shapes, signals).

    The error of each row of the first `tested` shapes against the level before it, (hours, tested, half-lives, signals), and the levels of
    all after the last, (shapes, half-lives, signals). A few days at a time, which a processor has at hand.
    """
    form = (seen.shape[1], len(half_lives), seen.shape[2])
    gain, bound = (np.broadcast_to(by, form).ravel() for by in gain_and_bound(half_lives[:, None], drift))
    found = np.empty((len(seen), tested, *form[1:]))
    now = np.full(len(gain), np.nan)
    for first in range(0, len(seen), _AT_HAND):
        rows = np.repeat(seen[first : first + _AT_HAND, :, None], len(half_lives), axis=2)
        levels = follow_through(now, rows.reshape(len(rows), -1), gain, bound)
        before = levels[:-1].reshape(rows.shape)
        np.subtract(rows[:, :tested], before[:, :tested], out=found[first : first + len(rows)])
        now = levels[-1]
    return found, now.reshape(form)


def _leader(
    score: Floats, half_lives: int, tried: _Tried, begins: np.typing.NDArray[np.bool_], reach: Floats
) -> _Places:
    """The forecast of the least score for each signal; with a shape only where it is better by the margin."""
    signals = np.arange(score.shape[1])
    leader: _Places = score[:half_lives].argmin(axis=0)
    if len(score) == half_lives:
        return leader
    shaped = score[half_lives : _WEEKLY * half_lives].argmin(axis=0)
    without, with_day = (
        _mean_size(tried.error(np.full(len(signals), shape), at), reach)
        for shape, at in enumerate((leader, shaped))
    )
    leader = np.where(with_day <= SEASON_MARGIN * without, half_lives + shaped, leader)
    score[half_lives:] *= 1.0 / SEASON_MARGIN
    # the week matters in the few hours in which a day of another kind begins, which its mean hardly shows
    beginning, _ = tried.scores(begins)
    best = score[leader, signals]
    for at in range(_WEEKLY * half_lives, len(score)):
        now, so_far = beginning[at], beginning[leader, signals]
        better = score[at] < best
        better |= (now <= SEASON_MARGIN * so_far) & (score[at] * SEASON_MARGIN**2 <= best)
        best = np.where(better, score[at], best)
        leader = np.where(better, at, leader)
    return leader


def _mean_size(error: Floats, reach: Floats) -> Floats:
    """The mean absolute error, (signals,), over hours, clipped at four typical ones or, where it is more, the shape's reach.

    What the shape would have told is not wild: by four typical errors alone, a level that stands at the night's has hardly an error by day.
    """
    size = np.abs(error)
    known = np.isfinite(size)
    clipped = np.minimum(size, np.maximum(4.0 * median(size), reach))
    return np.asarray(np.where(known, clipped, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _score(error: Floats) -> tuple[Floats, Floats]:
    """The clipped mean absolute error over hours, the first axis, and the median that it is clipped at four times."""
    size = np.abs(error).reshape(len(error), math.prod(error.shape[1:]))
    typical = median(size)
    known = np.isfinite(size)
    count = np.full(len(typical), len(size))
    np.minimum(size, 4.0 * typical, out=size)
    if not known.all():
        count = known.sum(axis=0)
        np.copyto(size, 0.0, where=~known)
    score = np.where(count > 0, size.sum(axis=0) / np.maximum(count, 1), _UNTRIED)
    return score.reshape(error.shape[1:]), typical.reshape(error.shape[1:])
