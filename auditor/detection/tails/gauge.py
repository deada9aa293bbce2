"""Tails of the positive gauge: Student's t about its location on the log scale.

Reference: Johnson, Kotz and Balakrishnan (1995), Continuous Univariate Distributions, vol. 2, 2nd ed., chapter 28.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

if TYPE_CHECKING:
    from auditor.detection.windows import Floats


def gauge_tails(x: Floats, location: Floats, scale: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """P(X <= x) and P(X >= x) of location + scale * t.

    Parameters
    ----------
    x, location
        The value and its expectation, shape (m,), both on the log scale.
    scale
        Shape (m,), above 0: the scale of the predictive distribution, its own uncertainty included.
    degrees
        Degrees of freedom, shape (m,), above 0; infinite for a normal.

    Returns
    -------
    lower, upper
        Shape (m,) each, together 1. NaN where an argument is.

    Notes
    -----
    The smaller tail is worked out by itself, so that it does not cancel. Relative error against 40-digit arithmetic below
    1e-12 up to 10^4 degrees and below 1e-10 up to 10^6, for p down to 1e-290. Elementwise to the last bit.
    """
    return standard_tails((x - location) / scale, degrees)


def normal_tails(z: Floats) -> tuple[Floats, Floats]:
    """P(Z <= z) and P(Z >= z) of the standard normal; shape as z, the larger as one less the smaller."""
    small = ndtr(-np.abs(z))
    large = 1.0 - small
    falls = z <= 0.0
    return np.where(falls, small, large), np.where(falls, large, small)


def standard_tails(z: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """`gauge_tails` of standardised values: P(T <= z) and P(T >= z).

    Only the smaller is worked out, the other is one less it: that has the very bits of its own integral.
    """
    small = _below(degrees, -np.abs(z))
    large = 1.0 - small
    falls = z <= 0.0
    return np.where(falls, small, large), np.where(falls, large, small)


def _below(degrees: Floats, z: Floats) -> Floats:
    normal = np.isinf(degrees)
    if not normal.any():
        tail: Floats = stdtr(degrees, z)
        return tail
    return np.where(normal, ndtr(z), stdtr(np.where(normal, 1.0, degrees), z))


def gauge_interval(location: Floats, scale: Floats, degrees: Floats, alpha: float) -> tuple[Floats, Floats]:
    """The equal-tailed predictive interval, shape (m,) each, on the scale of `location`; 0 < alpha < 1."""
    normal = np.isinf(degrees)
    quantile = np.where(normal, ndtri(0.5 * alpha), stdtrit(np.where(normal, 1.0, degrees), 0.5 * alpha))
    reach = -quantile * scale
    return location - reach, location + reach
