"""Scale and calibration by blocks of points: what holds within a block was learned from the completed blocks before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from auditor.detection.series.filters import POINTS_AT_ONCE, decayed_mean_before, trailing_median
from auditor.detection.tails.elementary import bare_log, exact_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auditor.detection.windows import Floats

BLOCKS_A_DAY: Final = 24
LEAST_BLOCK: Final = 12
MOST_BLOCK: Final = 60
CLIP_MEDIANS: Final = 5.0
"""Residuals count for their block's scale up to this many medians of it: one outlier is no scale."""
CLIP_BLOCKS: Final = 3.0
CLIP_OVER: Final = 48
"""And a block up to so many medians of the last 48: a bad hour is no scale either."""
KEPT: Final = 672
EVERY: Final = 4
EVERY_LATER: Final = 24
LATER: Final = 96
"""Maxima of the last 672 blocks are kept (four weeks of hours); they are looked at every fourth block, and every 24th from the 96th on."""
PRIOR_MEDIAN: Final = 3.5
PRIOR_NINTH: Final = 6.0
PRIOR_BLOCKS: Final = 24.0
"""What a block's largest |z| is believed to be at first, in the median and in nine of ten, as if 24 blocks had said so."""
MOST_Z: Final = 1e6
"""Larger residuals are all the same: so the floor of a scale has no part in it."""
_SOFT: Final = 0.2
"""Added to the spread of the logarithms, so that a nearly constant maximum does not make a cliff."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far out a residual has to be, per block; both of shape (blocks,) on the scale of ln(1 + |z|)."""

    centre: Floats
    gain: Floats


@dataclass(frozen=True, slots=True)
class Blocks:
    """`count` points in blocks of `size`, the last of which may be incomplete."""

    count: int
    size: int

    @classmethod
    def of(cls, count: int, period: int) -> Blocks:
        """Blocks of about an hour of a day, or a day's part of a week."""
        return cls(count, int(np.clip(period / BLOCKS_A_DAY, LEAST_BLOCK, MOST_BLOCK)))

    @property
    def whole(self) -> int:
        """Completed blocks."""
        return self.count // self.size

    @property
    def number(self) -> int:
        """Blocks with the incomplete one."""
        return -(-self.count // self.size)

    def rows(self, values: Floats) -> Floats:
        """Shape (whole, size): the completed blocks."""
        return values[: self.whole * self.size].reshape(self.whole, self.size)

    def spread(self, of_blocks: NDArray[np.float64]) -> Floats:
        """A number of each block at each of its points."""
        return np.repeat(of_blocks, self.size)[: self.count]

    def means(self, size: Floats) -> Floats:
        """The mean of each completed block, shape (whole,), large sizes counting up to five of its medians."""
        found = np.empty(self.whole)
        at_once = max(POINTS_AT_ONCE // self.size, 1)
        for start in range(0, self.whole, at_once):
            rows = self.rows(size)[start : start + at_once]
            # all sorted is quicker than one selected
            bound = CLIP_MEDIANS * np.sort(rows, axis=1)[:, self.size // 2]
            found[start : start + at_once] = np.minimum(rows, bound[:, None]).mean(axis=1)
        return found

    def before(self, of_whole: Floats, half_life: float) -> Floats:
        """The decayed mean of the completed blocks before each, shape (number,); NaN in the first."""
        return decayed_mean_before(np.append(of_whole, 0.0), half_life)[: self.number]

    def scale(self, residual: Floats, half_life: float, least: int = 1) -> Floats:
        """The robust mean absolute residual of the blocks before each point; within the first block, of the points before, NaN for `least`.

        Parameters
        ----------
        residual
            Shape (count,).
        half_life
            In blocks.
        """
        size = np.abs(residual)
        if self.whole:
            mean = self.means(size)
            if self.whole > 1:
                usual = trailing_median(mean, CLIP_OVER)
                limit = np.where(usual > 0.0, CLIP_BLOCKS * usual, np.inf)
                mean = np.append(mean[0], np.minimum(mean[1:], limit[:-1]))
            found = self.spread(self.before(mean, half_life))
        else:
            found = np.full(self.count, np.nan)
        first = min(self.size, self.count)
        found[1:first] = np.cumsum(size[: first - 1]) / np.arange(1, first)
        found[: min(least, first)] = np.nan
        return found

    def calibration(self, size: Floats) -> Calibration:
        """Median and ninth decile of the blocks' largest |z|, shrunk towards the prior; see `calibrated`."""
        quantiles = np.empty((2, self.number))
        quantiles[:] = [[PRIOR_MEDIAN], [PRIOR_NINTH]]
        if self.whole:
            largest = self.rows(size).max(axis=1)
            for block in _looked_at(min(self.number, KEPT)):
                quantiles[:, block:] = _quantiles(largest[None, :block])
            later = self.number - KEPT
            if later > 0:
                past = sliding_window_view(largest, KEPT)[:later:EVERY_LATER]
                quantiles[:, KEPT:] = np.repeat(_quantiles(past), EVERY_LATER, axis=1)[:, :later]
        median, ninth = quantiles
        centre = exact_log(1.0 + median)
        return Calibration(centre, 1.0 / (exact_log(1.0 + ninth) - centre + _SOFT))

    def calibrated(self, size: Floats, calibration: Calibration) -> Floats:
        """1 at the median of the blocks' largest |z|, near 2 at what one block in ten exceeds, and so on by the logarithm."""
        away = bare_log(1.0 + size)
        self._each(np.subtract, away, calibration.centre)
        self._each(np.multiply, away, calibration.gain)
        away += 1.0
        return away

    def _each(self, operation: np.ufunc, values: Floats, of_blocks: Floats) -> None:
        """Combine the points, in place, with the number of their block."""
        rows, rest = self.rows(values), values[self.whole * self.size :]
        operation(rows, of_blocks[: self.whole, None], out=rows)
        operation(rest, of_blocks[self.whole :], out=rest)


def _looked_at(number: int) -> list[int]:
    """Below `KEPT`, from where on every 24th is looked at."""
    return [*range(EVERY, min(number, LATER), EVERY), *range(LATER, number, EVERY_LATER)]


def _quantiles(past: Floats) -> Floats:
    """Median and ninth decile of each row of maxima, shape (2, rows), shrunk towards the prior."""
    many = past.shape[1]
    at = [min(many // 2, many - 1), min(int(0.9 * many), many - 1)]
    share = many / (many + PRIOR_BLOCKS)
    prior = np.array([[PRIOR_MEDIAN], [PRIOR_NINTH]])
    return np.asarray(share * np.sort(past, axis=1)[:, at].T + (1.0 - share) * prior)
