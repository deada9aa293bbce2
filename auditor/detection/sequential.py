"""Slow change: evidence summed up window after window, started again from nothing whenever it has all been spent.

The CUSUM of Page (1954, Biometrika 41:100) on the log-likelihood ratio of a shifted mean, which is the e-CUSUM of Shin, Ramdas and
Rinaldo (2023, New England Journal of Statistics in Data Science, section 2): its exponential is an e-value started at the most
telling moment. It finds a shift of a fraction of a window's deviation once that has lasted long enough.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.detection.windows import Floats

SHIFT: Final = 0.5
"""The shift that is looked for, in standard deviations of one window; from half to thrice of it little is lost."""
BOUND: Final = 1.5
"""Windows further out than this many deviations count as this far out: single ones are the business of their own test, and the mean
of so clipped a residual is near its median, which is what is learned, however skewed it is."""


def evidence(z: Floats, start: float, most: float) -> Floats:
    """The log e-value of a lasting rise of z by half a deviation, after each window.

    Parameters
    ----------
    z
        Standardised residuals, shape (n,), for a rise; negate them for a fall. NaN is no evidence.
    start
        The value after the window before the first, 0 at the very beginning.
    most
        Where it stops growing, above 0, so that what has ended is soon forgotten.

    Returns
    -------
    evidence
        Shape (n,), from 0 to `most`; natural logarithms. Any split into blocks gives the same bits.
    """
    return np.array(evidences(z[None], [start], [most])[0], dtype=np.float64)


def evidences(z: Floats, starts: Sequence[float], most: Sequence[float]) -> list[list[float]]:
    """`evidence` of several courses, the rows of z."""
    step = SHIFT * np.minimum(np.maximum(z, -BOUND), BOUND) - 0.5 * SHIFT * SHIFT
    rows = np.where(np.isfinite(step), step, 0.0).tolist()
    return [_summed(row, *ends) for row, *ends in zip(rows, starts, most, strict=True)]


def evidence_of_one(z: float, start: float, most: float) -> float:
    """`evidence` after a single window."""
    step = SHIFT * min(max(z, -BOUND), BOUND) - 0.5 * SHIFT * SHIFT if math.isfinite(z) else 0.0
    return _summed([step], start, most)[0]


def _summed(sums: list[float], total: float, most: float) -> list[float]:
    """The sums, in the place of what is added."""
    for at, more in enumerate(sums):
        total += more
        if total > most:
            total = most
        elif not total > 0.0:
            total = 0.0
        sums[at] = total
    return sums
