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


_UNIT: Final = 2.0**-20
"""Evidence is counted in these, so that sums are exact, in whatever order they are taken."""


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
        Shape (n,), from 0 to `most`; natural logarithms, to a millionth. Any split into blocks gives the same bits.
    """
    return np.asarray(evidences(z[None], [start], [most])[0])


def evidences(z: Floats, starts: Sequence[float], most: Sequence[float]) -> Floats:
    """`evidence` of several courses, the rows of z.

    What is never below nought has gone up by its sum since that was lowest; a row that reaches its most is gone through one by one.
    """
    step = SHIFT * np.minimum(np.maximum(z, -BOUND), BOUND) - 0.5 * SHIFT * SHIFT
    units = np.rint(np.where(np.isfinite(step), step, 0.0) / _UNIT)
    begin = np.rint(np.array(starts) / _UNIT)[:, None]
    sums = np.cumsum(units, axis=1)
    sums -= np.minimum(np.minimum.accumulate(sums, axis=1), -begin)
    ends = np.floor(np.array(most) / _UNIT)
    beyond = np.maximum(sums.max(axis=1, initial=0.0), begin[:, 0]) > ends
    for row in np.flatnonzero(beyond).tolist():
        sums[row] = _summed(units[row].tolist(), float(begin[row, 0]), float(ends[row]))
    return np.asarray(sums * _UNIT)


def evidence_of_one(z: float, start: float, most: float) -> float:
    """`evidence` after a single window."""
    step = SHIFT * min(max(z, -BOUND), BOUND) - 0.5 * SHIFT * SHIFT if math.isfinite(z) else 0.0
    total = round(start / _UNIT) + round(step / _UNIT)
    return max(min(total, math.floor(most / _UNIT)), 0) * _UNIT


def _summed(units: list[float], total: float, most: float) -> list[float]:
    sums = []
    for more in units:
        total = max(min(total + more, most), 0.0)
        sums.append(total)
    return sums
