"""Learning what is normal from the history of hours: which forecast leads, and how far off it has been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.budget import learn_tails
from auditor.detection.forecasts import best_forecast
from auditor.detection.hours import MINUTES, History, counting_variances
from auditor.detection.load import learn_load, shapes_behind
from auditor.detection.medians import TO_SIGMA, median
from auditor.detection.profile import Profile
from auditor.detection.seasons import DAY, WEEK
from auditor.detection.sides import SIDES
from auditor.detection.signals import AT

if TYPE_CHECKING:
    from auditor.detection.forecasts import Forecast
    from auditor.detection.windows import Floats

UNLIKE: Final = 2.0
"""Deviations of the drift from which on an hour of the week is unlike others."""
PRIOR_WEIGHT: Final = 6.0
"""Hours that the prior dispersions count for."""
_PRIOR_DRIFT: Final = np.array([0.15, 0.5, 0.4, 0.2, 0.10, 0.10, 0.10, 0.12, 0.15, 0.10, 0.1, 0.2]) ** 2
"""Standard deviations, on the link scale, of an hour about its forecast before anything is known; by `SIGNALS`."""
_PRIOR_SPREAD: Final = np.array([0.10, 0.5, 0.3, 0.15, 0.15, 0.15, 0.15, 0.2, 0.3, 0.02, 0.1, 0.3]) ** 2
_LEAST_DRIFT: Final = np.array([0.02, 0.1, 0.05, 0.03, 0.01, 0.01, 0.01, 0.02, 0.03, 0.02, 0.01, 0.01]) ** 2


def learn(history: History, minute: int, before: Profile | None = None) -> Profile:
    """Learn a profile from the hours before `minute` (the end of the last window seen, minutes since 1970), in place of the one `before`.

    For each signal, forecasts of the next hour are run over the history: four half-lives of the local level, with and
    without the shape of the day, and with that of the week on top, the shapes taken from the other days and weeks. The one
    with the smallest clipped mean absolute error leads. Its squared errors, less what counting explains, give the drift,
    blended with a prior worth six hours. All estimates are medians or clipped means, so that a tenth of the
    hours being wild moves little.
    """
    level, spreads, weights, counts = np.ascontiguousarray(np.moveaxis(history.parts, 2, 0), dtype=np.float64)
    known = np.isfinite(level)
    hours = known.sum(axis=0).astype(np.float64)
    weight = np.where(hours > 0, median(weights), 1.0)
    counting, doubtful = counting_variances(level, (weight * counts, weights))
    spread = _spread(spreads, doubtful, counts)
    forecast = best_forecast(level, history.first_hour, _rough_drift(level))
    drift = _drift(forecast, counting + spread / counts)
    load = learn_load(
        (level, history.first_hour),
        forecast.error,
        forecast.half_life,
        drift,
        shapes_behind(forecast.season, forecast.week),
    )
    week_since = _week_since(forecast.week, minute, before)
    tails, multiplicity = learn_tails(_ordinary_peaks(history, forecast.week, week_since, drift))
    return Profile(
        learned_minute=minute,
        period_start_minute=history.first_hour * MINUTES,
        windows=int(np.where(known, counts, 0.0).max(axis=1).sum()),
        level=np.where(hours > 0, forecast.level, np.nan),
        level_before=np.where(hours > 0, forecast.level, np.nan),
        half_life=forecast.half_life,
        season=forecast.season,
        week=forecast.week,
        week_since=week_since,
        drift=drift,
        spread=spread,
        weight=weight,
        hours=hours,
        tails=tails,
        multiplicity=multiplicity,
        highest=np.fmax.reduce(level, axis=0),
        load=load,
        load_before=load,
    )


def _week_since(week: Floats, minute: int, before: Profile | None) -> Floats:
    """From which hour on windows are judged by a shape of the week, shape (signals,); infinite where there is none."""
    now = float(minute // MINUTES)
    known = np.full(len(week), np.inf) if before is None else before.week_since
    return np.where(week.any(axis=1), np.minimum(known, now), np.inf)


def _ordinary_peaks(history: History, week: Floats, week_since: Floats, drift: Floats) -> Floats:
    """The hours' largest surprises, without those that were surprises only because too little was known, or are told otherwise.

    Weekends before the shape of the week was known are no tail of what is judged by it: hours from before then are left out where it goes
    further than two deviations of the drift. So are the hours of the day to which something comes back: of those it is told by the
    records how far it goes, and a nightly batch would otherwise be the tail of every hour, and hide what is a tenth of it at noon.
    """
    peaks = history.surprises()
    hours = history.first_hour + np.arange(len(peaks))
    if (week_since[np.isfinite(week_since)] > history.first_hour).any():
        elsewhere = np.abs(week[:, hours % WEEK]) > UNLIKE * np.sqrt(drift)[:, None]
        peaks[(elsewhere & (hours < week_since[:, None])).T] = np.nan
    if not len(history.episodes.slot):
        return peaks
    for (name, _), side in SIDES.items():
        comes_back = history.episodes.hours(side)
        if comes_back:
            peaks[np.isin(hours % DAY, comes_back), AT[name]] = np.nan
    return peaks


def _rough_drift(level: Floats) -> Floats:
    if len(level) < 3:
        return _PRIOR_DRIFT
    steps = np.abs(np.diff(level, axis=0))
    rough: Floats = np.fmax(_PRIOR_DRIFT / 4, (1.4826 * median(steps)) ** 2)
    return rough


def _drift(forecast: Forecast, noise: Floats) -> Floats:
    size = np.abs(forecast.error)
    known = np.isfinite(size) & np.isfinite(noise)
    excess = np.maximum(np.minimum(size, 3.0 * TO_SIGMA * forecast.typical) ** 2 - noise, 0.0)
    blended = PRIOR_WEIGHT * _PRIOR_DRIFT + np.where(known, excess, 0.0).sum(axis=0)
    drift: Floats = np.maximum(blended / (PRIOR_WEIGHT + known.sum(axis=0)), _LEAST_DRIFT)
    return drift


def _spread(spread: Floats, counting: Floats, windows: Floats) -> Floats:
    centre = median(spread)
    bound = centre + 4.0 * TO_SIGMA * median(np.abs(spread - centre))
    with np.errstate(invalid="ignore", divide="ignore"):
        doubt = np.sqrt(2.0 / windows) * counting / _PRIOR_SPREAD
    trust = np.where(np.isfinite(spread), 1.0 / (1.0 + np.where(np.isnan(doubt), 0.0, doubt) ** 2), 0.0)
    pooled = np.where(trust > 0, trust * np.minimum(spread, bound), 0.0).sum(axis=0)
    prior_weight = 0.5 * PRIOR_WEIGHT
    blended = (prior_weight * _PRIOR_SPREAD + pooled) / (prior_weight + trust.sum(axis=0))
    least: Floats = np.maximum(blended, 1e-6)
    return least
