"""Learning what is normal from the history of hours: which forecast leads, and how far off it has been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.hours import MINUTES, History, Part, counting_variance
from auditor.detection.profile import HALF_LIVES, Profile, follow
from auditor.detection.signals import SIGNALS
from auditor.detection.tails.calibrated import inflation_from_block_maxima

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

PRIOR_WEIGHT: Final = 6.0
"""Hours that the prior dispersions count for."""
SEASON_MARGIN: Final = 0.95
"""The daily shape is used where it leaves at most this share of the error without it, out of sample."""
SEASON_HOURS: Final = 48
SEASON_DAY_HOURS: Final = 18

_UNTRIED: Final = 1e9
"""The score of a forecast that no hour has tested."""

_PRIOR_DRIFT: Final = np.array([0.15, 0.5, 0.4, 0.2, 0.10, 0.10, 0.10, 0.12, 0.15, 0.10, 0.1, 0.2]) ** 2
"""Standard deviations, on the link scale, of an hour about its forecast before anything is known; by `SIGNALS`."""
_PRIOR_SPREAD: Final = np.array([0.10, 0.5, 0.3, 0.15, 0.15, 0.15, 0.15, 0.2, 0.3, 0.02, 0.1, 0.3]) ** 2
_LEAST_DRIFT: Final = np.array([0.02, 0.1, 0.05, 0.03, 0.01, 0.01, 0.01, 0.02, 0.03, 0.02, 0.01, 0.01]) ** 2


def learn(history: History, minute: int) -> Profile:
    """Learn a profile from the hours before `minute` (the end of the last window seen, minutes since 1970).

    For each signal, eight forecasts of the next hour are run over the history: four half-lives of the local level,
    with and without the shape of the day, the shape of a day always taken from the other days. The one
    with the smallest clipped mean absolute error leads. Its squared errors, less what counting explains, give the drift,
    blended with a prior worth six hours. All estimates are medians or clipped means, so that a tenth of the
    hours being wild moves little.
    """
    parts = history.parts.astype(np.float64)
    level = parts[:, :, Part.LEVEL]
    known = np.isfinite(level)
    hours = known.sum(axis=0).astype(np.float64)
    weight = np.where(hours > 0, median(parts[:, :, Part.WEIGHT]), 1.0)
    season_rows, season = daily_shape(level, history.first_hour)
    spread = _spread(parts)
    noise = counting_variance(level, weight * parts[:, :, Part.COUNT]) + spread / parts[:, :, Part.COUNT]

    best_score = np.full(len(SIGNALS), np.inf)
    best_level = np.full(len(SIGNALS), np.nan)
    best_half_life = np.full(len(SIGNALS), np.inf)
    best_error = np.full(level.shape, np.nan)
    with_season = np.zeros(len(SIGNALS), dtype=np.bool_)
    rough = _rough_drift(level)
    for seasonal in (False, True):
        if seasonal and not season.any():
            continue
        seen = level - season_rows if seasonal else level
        for half_life in _candidates(len(level)):
            error, last = _forecast_errors(seen, half_life, rough)
            if seasonal:
                last = _forecast_errors(level - season[history_slots(history)], half_life, rough)[1]
            score = _score(error) * (1.0 if not seasonal else 1.0 / SEASON_MARGIN)
            better = score < best_score
            best_score = np.where(better, score, best_score)
            best_level = np.where(better, last, best_level)
            best_half_life = np.where(better, half_life, best_half_life)
            best_error = np.where(better, error, best_error)
            with_season = np.where(better, seasonal, with_season)

    return Profile(
        learned_minute=minute,
        period_start_minute=history.first_hour * MINUTES,
        windows=int(np.nan_to_num(np.nanmax(np.where(known, parts[:, :, Part.COUNT], 0.0), axis=1)).sum()),
        level=np.where(hours > 0, best_level, np.nan),
        half_life=best_half_life,
        season=np.where(with_season[:, None], season.T, 0.0),
        drift=_drift(best_error, noise),
        spread=spread,
        weight=weight,
        hours=hours,
        inflation=_inflation(parts[:, :, Part.PEAK]),
        highest=np.where(hours > 0, np.max(np.where(known, level, -np.inf), axis=0), np.nan),
    )


def history_slots(history: History) -> np.typing.NDArray[np.int64]:
    """The UTC hour of the day of each row of a history."""
    return (history.first_hour + np.arange(len(history.parts))) % 24


def daily_shape(level: Floats, first_hour: int) -> tuple[Floats, Floats]:
    """The shape of the day out of sample for every row, shape (hours, signals), and of all days, shape (24, signals).

    The shape is the median over days of an hour's level less its day's median, shrunk by days / (days + 1). Days with
    fewer than 18 known hours are left out. Noughts where fewer than two days are whole.
    """
    hours, signals = level.shape
    if hours < SEASON_HOURS:
        return np.zeros_like(level), np.zeros((24, signals))
    lead = first_hour % 24
    days = -(-(lead + hours) // 24)
    padded = np.full((days * 24, signals), np.nan)
    padded[lead : lead + hours] = level
    by_day = padded.reshape(days, 24, signals)
    whole = np.isfinite(by_day).sum(axis=1) >= SEASON_DAY_HOURS
    centred = np.where(whole[:, None, :], by_day - median(by_day, axis=1)[:, None, :], np.nan)
    number = whole.sum(axis=0)
    shape = np.nan_to_num(median(centred)) * (number / (number + 1.0))
    rows = np.zeros((days, 24, signals))
    for day in range(days):
        others = number - whole[day]
        rows[day] = np.nan_to_num(median(np.delete(centred, day, axis=0))) * (others / (others + 1.0))
    enough = number >= 2
    flat_rows = rows.reshape(days * 24, signals)[lead : lead + hours]
    return np.where(enough, flat_rows, 0.0), np.where(enough, shape, 0.0)


def median(values: Floats, axis: int = 0) -> Floats:
    """The median along an axis of what is known; NaN where nothing is."""
    ordered = np.sort(values, axis=axis)
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=axis)
    high = np.take_along_axis(ordered, np.minimum(count // 2, ordered.shape[axis] - 1), axis=axis)
    return np.squeeze(np.where(count > 0, (low + high) / 2.0, np.nan), axis=axis)


def _rough_drift(level: Floats) -> Floats:
    if len(level) < 3:
        return _PRIOR_DRIFT
    steps = np.abs(np.diff(level, axis=0))
    rough: Floats = np.fmax(_PRIOR_DRIFT / 4, (1.4826 * median(steps)) ** 2)
    return rough


def _forecast_errors(seen: Floats, half_life: float, drift: Floats) -> tuple[Floats, Floats]:
    """Each hour's error against the level before it, and the level after the last."""
    if not np.isfinite(half_life):
        centre = median(seen)
        count = np.maximum(np.isfinite(seen).sum(axis=0), 1)
        return (seen - centre) * (1.0 + 1.0 / count), centre
    level = np.full(seen.shape[1], np.nan)
    error = np.full(seen.shape, np.nan)
    for hour, row in enumerate(seen):
        error[hour] = row - level
        level = follow(level, row, np.asarray(half_life), drift)
    return error, level


def _candidates(hours: int) -> tuple[float, ...]:
    """A slow level has to have been seen to be slow: short histories follow closely."""
    return HALF_LIVES[: 1 if hours < 6 else 2 if hours < 24 else len(HALF_LIVES)]


def _score(error: Floats) -> Floats:
    size = np.abs(error)
    count = np.isfinite(size).sum(axis=0)
    bound = 4.0 * median(size)
    clipped = np.where(np.isfinite(size), np.minimum(size, bound), 0.0).sum(axis=0)
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


def _inflation(peaks: Floats) -> Floats:
    return np.array([inflation_from_block_maxima(column[np.isfinite(column)]) for column in peaks.T])
