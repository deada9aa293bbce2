"""What is looked at in a series: residuals against several forecasts, calibrated by the series itself, and what has just been seen of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.series.blocks import MOST_Z, Blocks
from auditor.detection.series.filters import (
    ewma,
    falling_maximum,
    lagged,
    trailing_maximum,
    trailing_mean,
    trailing_median,
    trailing_minimum,
)
from auditor.detection.series.lasting import LASTING, Lasting, OffSeason
from auditor.detection.series.season import seasonal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auditor.detection.series.grid import Grid
    from auditor.detection.windows import Floats

FAST: Final = 0.3
FLOOR: Final = 0.02
"""Of the usual distance from the slow level: no residual smaller than that is strange."""
SLOW_POINTS: Final = 481
LEAST_KNOWN: Final = 10
"""Residuals behind the first interval: one or two are no scale, and what they make of the next would widen intervals for half a day."""
LONG_GAP: Final = 10
"""Intervals without a point after which the nearest past is no longer near."""
MOST_VOLATILITY: Final = 50.0
MOST_OUTSIDE: Final = 20.0
MOST_AGE: Final = 14.0
HALF_LIVES: Final = (3, 10, 30, 120)
SPANS: Final = (5, 15, 60)
_TINY: Final = 1e-140

CALIBRATED: Final = (
    "d1", "e3", "m5", "m15", "m61", "seas", "lev", "lev15", "levslow", "lev_a3", "lev_a7", "lev_a15", "step5", "vol", "range10",
)  # fmt: skip
"""Sizes of residuals, 1 at the median of an hour's largest: a step; off the fast mean; off the medians of the last 5, 15 and 61 points; off the
season; off the season and the level of the last 61, 15 and 481; means of 3, 7 and 15 of those; five points off thirty; steps of the
last ten; their range."""
CONTEXT: Final = (
    "on", "dm3", "dm10", "dm30", "dm120", "mx5", "mx15", "mx60", "seas_e", "lev_e", "m61_e", "levslow_e", "vol_e", "seas_e2",
    "onbar", "rate",
)  # fmt: skip
"""The onset (fast and level), its falling and trailing maxima, recent means of sizes, and how often this series is strange."""
PLAIN: Final = ("hi", "lo", "age", "flat", "zero", "logP")
"""How far outside all that was ever seen; periods seen; shares of repeats and noughts; points a period."""
NAMES: Final = CALIBRATED + PLAIN + CONTEXT + LASTING
RISING: Final = frozenset(CALIBRATED + LASTING)
"""Features that can only make a point stranger."""


@dataclass(frozen=True, slots=True)
class Described:
    """The features of n points, and the forecast.

    Parameters
    ----------
    features
        Shape (n,) each, by `NAMES`.
    expected
        Shape (n,): the forecasts from the recent past and from the season, the better of this series weighing more.
    scale, centre, gain
        Shape (n,) each: of the forecast's residual; see `reach_at` and `Calibration`.
    """

    features: dict[str, Floats]
    expected: Floats
    scale: Floats
    centre: Floats
    gain: Floats

    def reach_at(self, size: float) -> Floats:
        """How far from the expectation a residual of a calibrated size is, shape (n,)."""
        return np.asarray(np.expm1(self.centre + (size - 1.0) / self.gain) * self.scale)


def describe(grid: Grid) -> Described:
    """Work out the features of at least one point.

    Notes
    -----
    Scores keep their value when the series is multiplied by a positive number or moved: nothing here has a unit. No feature of a
    point changes by a bit when points are added after it.
    """
    return _Description(grid).whole()


class _Description:
    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.value = grid.value
        self.blocks = Blocks.of(len(grid), grid.period)
        self.blocks_a_period = grid.period / self.blocks.size
        self.found: dict[str, Floats] = {}
        self.away_from_level = self._usual_distance()
        self.floor = FLOOR * self.away_from_level + _TINY

    def _usual_distance(self) -> Floats:
        """The decayed mean distance from the slow level of the blocks before."""
        blocks, value = self.blocks, self.value
        rows = blocks.rows(value)
        middle = (
            np.partition(rows, blocks.size // 2, axis=1)[:, blocks.size // 2] if len(rows) else np.zeros(0)
        )
        level = blocks.spread(blocks.before(middle, self.blocks_a_period))
        level[: blocks.size] = value[0]
        return np.nan_to_num(blocks.scale(value - level, self.blocks_a_period))

    def _scale(self, residual: Floats, least: int = 1) -> Floats:
        scale = self.blocks.scale(residual, 0.5 * self.blocks_a_period, least)
        scale[np.isnan(scale)] = np.inf
        scale += self.floor
        return scale

    def _calibrate(
        self, name: str, residual: Floats, scale: Floats, known: NDArray[np.bool_] | None = None
    ) -> None:
        size = np.abs(residual)
        size /= scale
        np.minimum(size, MOST_Z, out=size)
        if known is not None:
            size *= known
        self.found[name] = self.blocks.calibrated(size, self.blocks.calibration(size))

    def whole(self) -> Described:
        # the two halves share the season alone, and numpy lets go of the interpreter while it counts
        with ThreadPoolExecutor(1) as other:
            season = other.submit(self._season)
            seasonal_half = other.submit(lambda: self._against_season(season.result()))
            fast, fast_scale = self._against_the_recent_past()
            off = season.result()
            lasting = Lasting(self.blocks, self.blocks_a_period, off, self.floor)
            self.found.update(lasting.features(self.away_from_level))
            level, level_scale = seasonal_half.result()
            onset = 0.5 * (self.found["e3"] + self.found["lev"])
            peaks = other.submit(self._peaks, onset)
            self._means(onset)
            self.found.update(peaks.result())
        expected = self._expected(fast, fast_scale, level, level_scale, off.known)
        residual = self.value - expected
        scale = self._scale(residual, LEAST_KNOWN)
        calibration = self.blocks.calibration(np.minimum(np.abs(residual) / scale, MOST_Z))
        centre, gain = self.blocks.spread(calibration.centre), self.blocks.spread(calibration.gain)
        return Described(self.found, expected, scale, centre, gain)

    def _against_the_recent_past(self) -> tuple[Floats, Floats]:
        """Residuals that need no season; that of the fast mean, and its scale."""
        value = self._bridged()
        step = value - lagged(value)
        fast = value - lagged(ewma(value, FAST))
        fast_scale, step_scale = self._scale(fast), self._scale(step)
        self._calibrate("d1", step, step_scale)
        self._calibrate("e3", fast, fast_scale)
        for width in (5, 15, 61):
            residual = value - lagged(trailing_median(value, width))
            self._calibrate(f"m{width}", residual, self._scale(residual))
        drift = trailing_mean(value, 5) - lagged(trailing_median(value, 31), 5)
        self._calibrate("step5", drift, self._scale(drift))
        churn = np.minimum(trailing_mean(np.abs(step), 10) / step_scale, MOST_VOLATILITY)
        churn_scale = self.blocks.scale(churn, 0.5 * self.blocks_a_period)
        self._calibrate("vol", churn, np.where(np.isfinite(churn_scale), churn_scale, np.inf) + FLOOR)
        extent = trailing_maximum(value, 10) - trailing_minimum(value, 10)
        self._calibrate("range10", extent, self._scale(extent))
        self._outside()
        return fast, fast_scale

    def _season(self) -> OffSeason:
        grid = self.grid
        slots = np.full(int(grid.slot[-1]) + 1, np.nan)
        slots[grid.slot] = self.value
        shape, spread = (part[grid.slot] for part in seasonal(slots, grid.period))
        known = np.isfinite(shape)
        return OffSeason(np.where(known, self.value - shape, 0.0), known, np.nan_to_num(spread))

    def _against_season(self, season: OffSeason) -> tuple[Floats, Floats]:
        """The season, then the season with the local level on top; the latter's residual and its scale."""
        off, seasoned = season.by, season.known
        self._calibrate("seas", off, np.maximum(self._scale(off), season.spread), seasoned)
        period = self.grid.period
        slow = SLOW_POINTS if period >= SLOW_POINTS else period // 2 * 2 + 1
        for name, width in (("lev", 61), ("lev15", 15), ("levslow", slow)):
            residual = np.where(seasoned, off - lagged(trailing_median(off, width)), 0.0)
            scale = self._scale(residual)
            self._calibrate(name, residual, scale, seasoned)
            if name == "lev":
                level, level_scale = residual, scale
        for width in (3, 7, 15):
            mean = trailing_mean(level, width)
            self._calibrate(f"lev_a{width}", mean, self._scale(mean), seasoned)
        return level, level_scale

    def _bridged(self) -> Floats:
        """The values moved so that none jumps where there was a long gap: what was before it says nothing of the nearest past."""
        after_gap = np.diff(self.grid.slot, prepend=self.grid.slot[0]) > LONG_GAP
        if not after_gap.any():
            return self.value
        return np.asarray(self.value - np.cumsum(np.where(after_gap, self.value - lagged(self.value), 0.0)))

    def _outside(self) -> None:
        """Against all that was ever seen, and what kind of series it is."""
        value, found, grid = self.value, self.found, self.grid
        before = lagged(value)
        smooth = lagged(trailing_median(value, 3))
        unit = self.away_from_level + self.floor
        found["hi"] = np.clip((value - np.maximum.accumulate(smooth)) / unit, -5.0, MOST_OUTSIDE)
        found["lo"] = np.clip((np.minimum.accumulate(smooth) - value) / unit, -5.0, MOST_OUTSIDE)
        found["age"] = np.minimum(grid.slot / grid.period, MOST_AGE)
        found["flat"] = ewma((value == before).astype(np.float64), 1.0 / grid.period)
        found["zero"] = ewma((value == 0.0).astype(np.float64), 1.0 / grid.period)
        found["logP"] = np.full(len(value), np.log(float(grid.period)))

    def _peaks(self, onset: Floats) -> dict[str, Floats]:
        """How high the onset has just been."""
        falling = {f"dm{points}": falling_maximum(onset, points) for points in HALF_LIVES}
        return falling | {f"mx{width}": lagged(trailing_maximum(onset, width)) for width in SPANS}

    def _means(self, onset: Floats) -> None:
        """What sizes have been in the mean."""
        found = self.found
        found["on"] = onset
        for name in ("seas", "lev", "m61", "levslow", "vol"):
            found[f"{name}_e"] = ewma(found[name], 0.25)
        found["seas_e2"] = ewma(found["seas"], 0.05)
        found["onbar"] = ewma(np.maximum(onset, 0.0), 1.0 / 720.0)
        found["rate"] = ewma((onset > 2.0).astype(np.float64), 1.0 / 1440.0)

    def _expected(
        self,
        fast: Floats,
        fast_scale: Floats,
        level: Floats,
        level_scale: Floats,
        seasoned: NDArray[np.bool_],
    ) -> Floats:
        """Both forecasts, weighted by the inverse squares of how far off they have been (Bates and Granger, 1969)."""
        ratio = np.where(np.isfinite(fast_scale) & np.isfinite(level_scale), fast_scale, 1.0) / level_scale
        by_level = np.where(seasoned & np.isfinite(level_scale), ratio * ratio / (1.0 + ratio * ratio), 0.0)
        return np.asarray(self.value - (fast * (1.0 - by_level) + level * by_level))
