"""Tails as this cache has shown them: the model's -ln p, slowed down by what its own quiet history has reached.

Model p-values are too good to be true in the far tail of real data. If they were right, -ln p of a quiet window would be exponential with
mean 1, and the maximum of 60 of them would have the median ln(60 / ln 2). Where the history's hourly maxima
lie above that, -ln p runs too fast by their ratio, which is the shape-0 (exponential) case of the generalised Pareto tail above a high
threshold (Pickands-Balkema-de Haan; Siffer et al., 2017, KDD), and hourly maxima are its declustering.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

BLOCK: Final = 60
LEAST_BLOCKS: Final = 24
PRIOR_BLOCKS: Final = 24.0
QUANTILE: Final = 0.9


def inflated(p: Floats, inflation: float | np.floating) -> Floats:
    """P ** (1 / inflation), shape as given; NaN stays NaN."""
    if inflation == 1.0:
        return p
    with np.errstate(divide="ignore"):
        return np.exp(np.log(p) / inflation)


def inflation_from_block_maxima(maxima: Floats) -> float:
    """By how much -ln p runs ahead, at least 1, from the largest -ln p of each quiet hour, shape (hours,).

    The 0.9 quantile of the maxima over what it would be if the model were right; shrunk to 1 as if a day of
    hours had shown exactly that. `p` is the smaller of two tails, so that its -ln runs ln 2 ahead by right. Biased upwards by
    what an hour's windows share, which errs on the side of silence. Fewer than 24 hours say 1.
    """
    if len(maxima) < LEAST_BLOCKS:
        return 1.0
    right = math.log(BLOCK / -math.log(QUANTILE)) + math.log(2.0)
    seen = float(np.quantile(maxima, QUANTILE)) / right
    weight = len(maxima) / (len(maxima) + PRIOR_BLOCKS)
    return max(1.0, 1.0 + weight * (seen - 1.0))
