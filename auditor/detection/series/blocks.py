"""Scale and calibration by blocks of points: what holds within a block was learned from the completed blocks before it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.series.filters import decayed_mean_before
from auditor.detection.tails.elementary import exact_log

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

    def before(self, of_whole: Floats, half_life: float) -> Floats:
        """The decayed mean of the completed blocks before each, shape (number,); NaN in the first."""
        return decayed_mean_before(np.append(of_whole, 0.0), half_life)[: self.number]

    def scale(self, residual: Floats, half_life: float) -> Floats:
        """The robust mean absolute residual of the blocks before each point; within the first block, of the points before; NaN at first.

        Parameters
        ----------
        residual
            Shape (count,).
        half_life
            In blocks.
        """
        size = np.abs(residual)
        if self.whole:
            rows = self.rows(size)
            middle = np.partition(rows, self.size // 2, axis=1)[:, self.size // 2]
            bound = CLIP_MEDIANS * middle
            mean = np.minimum(rows, bound[:, None]).mean(axis=1)
            if self.whole > 1:
                padded = np.concatenate([np.full(CLIP_OVER - 1, mean[0]), mean])
                usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, CLIP_OVER), axis=1)
                limit = np.where(usual > 0.0, CLIP_BLOCKS * usual, np.inf)
                mean = np.append(mean[0], np.minimum(mean[1:], limit[:-1]))
            found = self.spread(self.before(mean, half_life))
        else:
            found = np.full(self.count, np.nan)
        first = min(self.size, self.count)
        found[0] = np.nan
        found[1:first] = np.cumsum(size[: first - 1]) / np.arange(1, first)
        return found

    def calibration(self, size: Floats) -> Calibration:
        """Median and ninth decile of the blocks' largest |z|, shrunk towards the prior; see `calibrated`."""
        median, ninth = np.full(self.number, PRIOR_MEDIAN), np.full(self.number, PRIOR_NINTH)
        if self.whole:
            largest = self.rows(size).max(axis=1)
            for block in _looked_at(self.number):
                past = largest[max(0, block - KEPT) : block]
                many = len(past)
                at = (min(many // 2, many - 1), min(int(0.9 * many), many - 1))
                ordered = np.partition(past, at)
                share = many / (many + PRIOR_BLOCKS)
                now = slice(block, block + EVERY_LATER)
                median[now] = share * ordered[at[0]] + (1.0 - share) * PRIOR_MEDIAN
                ninth[now] = share * ordered[at[1]] + (1.0 - share) * PRIOR_NINTH
        centre = exact_log(1.0 + median)
        return Calibration(centre, 1.0 / (exact_log(1.0 + ninth) - centre + _SOFT))

    def calibrated(self, size: Floats, calibration: Calibration) -> Floats:
        """1 at the median of the blocks' largest |z|, near 2 at what one block in ten exceeds, and so on by the logarithm."""
        away = exact_log(1.0 + size) - self.spread(calibration.centre)
        return np.asarray(1.0 + away * self.spread(calibration.gain))


def _looked_at(number: int) -> chain[int]:
    return chain(range(EVERY, min(number, LATER), EVERY), range(LATER, number, EVERY_LATER))
