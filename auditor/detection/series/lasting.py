"""What lasts: how far a series is off its season, measured by what was usual in the last fourteen days.

A scale that follows within a day takes a fault of four days for usual after some hours. The median over fourteen days does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.series.blocks import MOST_Z, Blocks
from auditor.detection.series.filters import ewma, trailing_mean, trailing_median
from auditor.detection.series.season import DAYS
from auditor.detection.tails.elementary import exact_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auditor.detection.windows import Floats

LASTING: Final = ("held", "held15", "held61", "held_e", "swing15")
"""Distance from the season: of the point, of the means of 15 and 61 points, the recent mean of the first; and of 15 points as a multiple of how far
the series usually is from its slow level. All but the last are 1 at the median of an hour's largest."""
MOST_SWINGS: Final = 20.0
_LEAST: Final = 1e-140


@dataclass(frozen=True, slots=True)
class OffSeason:
    """Where a series is against its season, shape (n,) each.

    Parameters
    ----------
    by
        The distance, nought where there is no season yet.
    known
        Whether there is one.
    spread
        Of the season itself, nought where that is not known.
    """

    by: Floats
    known: NDArray[np.bool_]
    spread: Floats


class Lasting:
    """The features of `LASTING` for one series.

    Parameters
    ----------
    blocks, blocks_a_period
        The series' blocks, and how many make a period (a day).
    off
        The series against its season.
    floor
        Shape (n,): no residual smaller than this is strange.
    """

    def __init__(self, blocks: Blocks, blocks_a_period: float, off: OffSeason, floor: Floats) -> None:
        self.blocks = blocks
        self.off = off
        self.floor = floor
        self.width = int(DAYS * blocks_a_period) | 1
        self.first = int(np.argmax(off.known)) // blocks.size + 1 if off.known.any() else blocks.number
        """The first block with a season throughout."""

    def features(self, away_from_level: Floats) -> dict[str, Floats]:
        """By name, shape (n,) each; `away_from_level` is the usual distance from the slow level, known before each point."""
        of_15, of_61 = (np.abs(trailing_mean(self.off.by, width)) for width in (15, 61))
        found = {
            "held": self._held(np.abs(self.off.by), self.off.spread),
            "held15": self._held(of_15, 0.0),
            "held61": self._held(of_61, 0.0),
        }
        found["held_e"] = ewma(found["held"], 0.25)
        usual = self._median_before(away_from_level[:: self.blocks.size][: self.blocks.whole])
        found["swing15"] = exact_log(1.0 + np.minimum(of_15 / (usual + _LEAST), MOST_SWINGS))
        return found

    def _held(self, size: Floats, least: Floats | float) -> Floats:
        """1 and the logarithm of the size, as against the median of the hours' largest."""
        usual = self._median_before(self.blocks.means(size))
        relative = np.minimum(size / (np.maximum(usual, least) + self.floor), MOST_Z)
        centre = self.blocks.spread(self.blocks.calibration(relative).centre)
        return np.asarray(1.0 + exact_log(1.0 + relative) - centre)

    def _median_before(self, of_whole: Floats) -> Floats:
        """The median of the last fourteen periods' completed blocks with a season, at each point; infinite before there is one."""
        found = np.full(self.blocks.number, np.inf)
        known = of_whole[self.first :]
        if len(known):
            middle = trailing_median(known, self.width)
            now = found[self.first + 1 :]
            now[:] = middle[: len(now)]
        return self.blocks.spread(found)
