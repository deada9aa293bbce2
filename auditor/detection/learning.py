"""Learning what is normal from the history of hours: which forecast leads, and how far off it has been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.budget import learn_tails
from auditor.detection.hours import MINUTES, History, Part, counting_variance
from auditor.detection.load import learn_load, shapes_behind
from auditor.detection.medians import median, robust_centre
from auditor.detection.profile import HALF_LIVES, Profile, gain_and_bound
from auditor.detection.seasons import DAY, WEEK_DAYS, daily_shape, weekly_shape
from auditor.detection.signals import SIGNALS

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

PRIOR_WEIGHT: Final = 6.0
"""Hours that the prior dispersions count for."""
SEASON_MARGIN: Final = 0.95
"""The daily shape is used where it leaves at most this share of the error without it, out of sample."""
DAY_BEGINS_HOURS: Final = 4
"""Hours of a day in which the local level has not yet learned what kind of day it is."""
_WEEKLY: Final = 2
"""The position of the shape with the week in it."""

_UNTRIED: Final = 1e9
"""The score of a forecast that no hour has tested."""

_PRIOR_DRIFT: Final = np.array([0.15, 0.5, 0.4, 0.2, 0.10, 0.10, 0.10, 0.12, 0.15, 0.10, 0.1, 0.2]) ** 2
"""Standard deviations, on the link scale, of an hour about its forecast before anything is known; by `SIGNALS`."""
_PRIOR_SPREAD: Final = np.array([0.10, 0.5, 0.3, 0.15, 0.15, 0.15, 0.15, 0.2, 0.3, 0.02, 0.1, 0.3]) ** 2
_LEAST_DRIFT: Final = np.array([0.02, 0.1, 0.05, 0.03, 0.01, 0.01, 0.01, 0.02, 0.03, 0.02, 0.01, 0.01]) ** 2


def learn(history: History, minute: int) -> Profile:
    """Learn a profile from the hours before `minute` (the end of the last window seen, minutes since 1970).

    For each signal, forecasts of the next hour are run over the history: four half-lives of the local level, with and
    without the shape of the day, and with that of the week on top, the shapes taken from the other days and weeks. The one
    with the smallest clipped mean absolute error leads. Its squared errors, less what counting explains, give the drift,
    blended with a prior worth six hours. All estimates are medians or clipped means, so that a tenth of the
    hours being wild moves little.
    """
    parts = history.parts.astype(np.float64)
    level = parts[:, :, Part.LEVEL]
    known = np.isfinite(level)
    hours = known.sum(axis=0).astype(np.float64)
    weight = np.where(hours > 0, median(parts[:, :, Part.WEIGHT]), 1.0)
    spread = _spread(parts)
    noise = counting_variance(level, weight * parts[:, :, Part.COUNT]) + spread / parts[:, :, Part.COUNT]
    forecast = _best_forecast(level, history.first_hour)
    drift = _drift(forecast.error, noise)
    load = learn_load(
        (level, history.first_hour),
        forecast.error,
        forecast.half_life,
        drift,
        shapes_behind(forecast.season, forecast.week),
    )
    tails, multiplicity = learn_tails(history.surprises())
    return Profile(
        learned_minute=minute,
        period_start_minute=history.first_hour * MINUTES,
        windows=int(np.nan_to_num(np.nanmax(np.where(known, parts[:, :, Part.COUNT], 0.0), axis=1)).sum()),
        level=np.where(hours > 0, forecast.level, np.nan),
        level_before=np.where(hours > 0, forecast.level, np.nan),
        half_life=forecast.half_life,
        season=forecast.season,
        week=forecast.week,
        drift=drift,
        spread=spread,
        weight=weight,
        hours=hours,
        tails=tails,
        multiplicity=multiplicity,
        highest=np.where(hours > 0, np.max(np.where(known, level, -np.inf), axis=0), np.nan),
        load=load,
        load_before=load,
    )


@dataclass(frozen=True, slots=True)
class _Forecast:
    """What leads for each signal: arrays of shape (signals,), `error` (hours, signals), `season` (signals, 24), `week` (signals, 7)."""

    level: Floats
    half_life: Floats
    error: Floats
    season: Floats
    week: Floats


def _best_forecast(level: Floats, first_hour: int) -> _Forecast:
    day = daily_shape(level, first_hour)
    week = weekly_shape(level - day.rows, first_hour)
    slots = first_hour + np.arange(len(level))
    none = np.zeros_like(level)
    by_day, by_week = day.repeated[slots % DAY], week.repeated[slots // DAY % WEEK_DAYS]
    shapes = [(none, none)]
    if day.repeated.any():
        shapes.append((day.rows, by_day))
    if week.repeated.any():
        shapes.append((day.rows + week.rows, by_day + by_week))
    half_lives = _candidates(len(level))
    errors, levels = _forecast_errors(level, shapes, half_lives, _rough_drift(level))
    best_score = np.full(len(SIGNALS), np.inf)
    leader = np.zeros(len(SIGNALS), dtype=np.intp)
    scores = _score(errors)
    for at in range(len(errors)):
        shape = at // len(half_lives)
        score = scores[at] * (1.0 if not shape else 1.0 / SEASON_MARGIN)
        better = score < best_score
        if shape == _WEEKLY:
            # the week matters in the few hours in which a day of another kind begins, which its mean hardly shows
            begins = slots % DAY < DAY_BEGINS_HOURS
            now = _score(errors[at][begins])
            so_far = _score(_of_leader(errors, leader)[begins])
            better |= (now <= SEASON_MARGIN * so_far) & (score * SEASON_MARGIN**2 <= best_score)
        best_score = np.where(better, score, best_score)
        leader = np.where(better, at, leader)
    shaped = leader // len(half_lives)
    return _Forecast(
        level=np.take_along_axis(levels, leader[None], axis=0)[0],
        half_life=np.array(half_lives)[leader % len(half_lives)],
        error=_of_leader(errors, leader),
        season=np.where((shaped > 0)[:, None], day.repeated.T, 0.0),
        week=np.where((shaped == _WEEKLY)[:, None], week.repeated.T, 0.0),
    )


def _of_leader(errors: Floats, leader: np.typing.NDArray[np.intp]) -> Floats:
    return np.asarray(np.take_along_axis(errors, leader[None, None], axis=0)[0])


def _rough_drift(level: Floats) -> Floats:
    if len(level) < 3:
        return _PRIOR_DRIFT
    steps = np.abs(np.diff(level, axis=0))
    rough: Floats = np.fmax(_PRIOR_DRIFT / 4, (1.4826 * median(steps)) ** 2)
    return rough


def _forecast_errors(
    level: Floats, shapes: list[tuple[Floats, Floats]], half_lives: tuple[float, ...], drift: Floats
) -> tuple[Floats, Floats]:
    """Each hour's error against the level before it, (forecasts, hours, signals), and the levels after the last, (forecasts, signals).

    Each shape is a pair: out of sample, which gives the errors, and of all days, which gives the last level. The forecasts are
    every half-life of the first shape, then of the second, and so on.
    """
    moving = np.array([half_life for half_life in half_lives if np.isfinite(half_life)])
    seen = np.stack([level - rows for pair in shapes for rows in pair], axis=1)
    found, now = _followed(seen, moving, drift)
    errors, levels = list(np.moveaxis(found[:, ::2], 0, 2)), list(now[1::2])
    if len(moving) < len(half_lives):
        centre = robust_centre(seen)
        count = np.maximum(np.isfinite(level).sum(axis=0), 1)
        still = (seen - centre) * (1.0 + 1.0 / count)
        for shape in range(len(shapes)):
            errors[shape] = np.concatenate([errors[shape], still[None, :, 2 * shape]])
            levels[shape] = np.concatenate([levels[shape], centre[None, 2 * shape + 1]])
    return np.concatenate(errors), np.concatenate(levels)


def _followed(seen: Floats, half_lives: Floats, drift: Floats) -> tuple[Floats, Floats]:
    """What `follow` makes of rows of shape (hours, shapes, signals), in a third of the time.

    Each row's error against the level before it, (hours, shapes, half-lives, signals), and the levels after the last.
    """
    known = np.isfinite(seen[:, :, None])
    begun = np.logical_or.accumulate(known, axis=0)
    begins = begun.copy()
    begins[1:] &= ~begun[:-1]
    beginning, missing = (np.any(where, axis=(1, 2, 3)).tolist() for where in (begins, begun & ~known))
    rows = np.repeat(seen[:, :, None], len(half_lives), axis=2)
    gain, bound = gain_and_bound(half_lives[:, None], drift)
    low, gain = np.broadcast_to(-bound, rows.shape[1:]).copy(), np.broadcast_to(gain, rows.shape[1:]).copy()
    high = -low
    now, step = np.full(rows.shape[1:], np.nan), np.empty(rows.shape[1:])
    found = np.empty(rows.shape)
    for hour, row in enumerate(rows):
        np.subtract(row, now, out=found[hour])
        np.minimum(np.maximum(found[hour], low, out=step), high, out=step)
        np.multiply(gain, step, out=step)
        if missing[hour]:
            np.add(now, step, out=now, where=known[hour])
        else:
            np.add(now, step, out=now)
        if beginning[hour]:
            np.copyto(now, row, where=begins[hour])
    return found, now


def _candidates(hours: int) -> tuple[float, ...]:
    """A slow level has to have been seen to be slow: short histories follow closely."""
    return HALF_LIVES[: 1 if hours < 6 else 2 if hours < 24 else len(HALF_LIVES)]


def _score(error: Floats) -> Floats:
    """The clipped mean absolute error over hours, the last axis but one."""
    size = np.abs(error)
    known = np.isfinite(size)
    count = known.sum(axis=-2)
    bound = 4.0 * median(size, axis=-2)
    clipped = np.where(known, np.minimum(size, bound[..., None, :]), 0.0).sum(axis=-2)
    return np.where(count > 0, clipped / np.maximum(count, 1), _UNTRIED)


def _drift(error: Floats, noise: Floats) -> Floats:
    size = np.abs(error)
    bound = 3.0 * 1.4826 * median(size)
    known = np.isfinite(size) & np.isfinite(noise)
    excess = np.where(known, np.maximum(np.minimum(size, bound) ** 2 - noise, 0.0), 0.0).sum(axis=0)
    blended = (PRIOR_WEIGHT * _PRIOR_DRIFT + excess) / (PRIOR_WEIGHT + known.sum(axis=0))
    drift: Floats = np.maximum(blended, _LEAST_DRIFT)
    return drift


def _spread(parts: Floats) -> Floats:
    spread = parts[:, :, Part.SPREAD]
    level = parts[:, :, Part.LEVEL]
    centre = median(spread)
    bound = centre + 4.0 * 1.4826 * median(np.abs(spread - centre))
    counting = counting_variance(level, parts[:, :, Part.WEIGHT])
    with np.errstate(invalid="ignore", divide="ignore"):
        doubt = np.sqrt(2.0 / parts[:, :, Part.COUNT]) * counting / _PRIOR_SPREAD
    trust = np.where(np.isfinite(spread), 1.0 / (1.0 + np.nan_to_num(doubt) ** 2), 0.0)
    pooled = np.where(trust > 0, trust * np.minimum(np.nan_to_num(spread), bound), 0.0).sum(axis=0)
    prior_weight = 0.5 * PRIOR_WEIGHT
    blended = (prior_weight * _PRIOR_SPREAD + pooled) / (prior_weight + trust.sum(axis=0))
    least: Floats = np.maximum(blended, 1e-6)
    return least
