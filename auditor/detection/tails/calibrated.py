"""Tails as this cache has shown them: the model's -ln p, slowed down by what its own quiet history has reached.

Model p-values are too good to be true in the far tail of real data. If they were right, -ln p of a quiet window would be
exponential with mean 1 (or smaller, for discrete data), and the largest of a block of B of them would lie below x with
probability (1 - exp(-x))^B, which is exp(-B exp(-x)) for large x. Where the history's block maxima lie above that, -ln p runs
too fast by their ratio. That is the exponential case (shape 0) of the generalised Pareto tail above a high threshold
(Pickands, 1975; Balkema and de Haan, 1974), as calibrated for streams by Siffer et al. (2017, KDD); taking the
maxima of whole blocks is its declustering: ten strange minutes in a row count once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

BLOCK: Final = 60
"""Windows in a block: an hour."""
LEAST_BLOCKS: Final = 24
PRIOR_BLOCKS: Final = 24.0
"""Blocks that the belief in the model counts for."""
QUANTILE: Final = 0.9
"""High enough to look into the tail, low enough that a tenth of the blocks being incidents decides nothing."""


def inflated(p: Floats, inflation: float | np.floating) -> Floats:
    """P ** (1 / inflation), shape as given: -ln p is divided by the inflation, which is at least 1.

    0 stays 0, 1 stays 1, NaN stays NaN. Elementwise to the last bit.

    Raises
    ------
    ValueError
        If the inflation is below 1 or not finite: a history never makes the model's tails thinner.
    """
    if not 1.0 <= inflation < math.inf:
        raise ValueError(f"an inflation of tails is at least 1 and finite, not {inflation}")
    if inflation == 1.0:
        return p
    return exact_exp(exact_log(p) / inflation)


def inflation_from_block_maxima(maxima: Floats, block: int = BLOCK) -> float:
    """By how much -ln p runs ahead, at least 1.

    Parameters
    ----------
    maxima
        Shape (blocks,): the largest -ln p of each quiet block, where p is the smaller of a window's two tails (so that by right it
        runs ln 2 ahead). What is not finite is left out.
    block
        Windows in a block, above 0.

    Returns
    -------
    inflation
        The 0.9 quantile of the maxima over what it would be if the model were right, shrunk to 1 as if a day of blocks
        had shown exactly that. 1 where there are fewer than 24 blocks.

    Notes
    -----
    Never below 1, so on data that the model fits it is biased upwards: by about 1 % (measured at 24 to 720
    blocks). What a block's windows share makes them fewer than they seem, and the estimate then too small, never
    too large. A tenth of the blocks may hold anything without moving it beyond the range of the others.
    """
    known = maxima[np.isfinite(maxima)]
    if len(known) < LEAST_BLOCKS:
        return 1.0
    right = -math.log(-math.expm1(math.log(QUANTILE) / block)) + math.log(2.0)
    # the quantile from below: the largest tenth can be as large as it likes
    seen = float(np.quantile(known, QUANTILE, method="lower")) / right
    weight = len(known) / (len(known) + PRIOR_BLOCKS)
    return max(1.0, 1.0 + weight * (seen - 1.0))
