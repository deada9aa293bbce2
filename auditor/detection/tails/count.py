"""Tails of the overdispersed count: the negative binomial by its incomplete beta function.

Reference: Johnson, Kemp and Kotz (2005), Univariate Discrete Distributions, 3rd ed., section 5.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, betaincc, gammaincinv

if TYPE_CHECKING:
    from auditor.detection.windows import Floats


def count_tails(count: Floats, mean: Floats, size: Floats) -> tuple[Floats, Floats]:
    """P(X <= k) and P(X >= k) of the negative binomial.

    Parameters
    ----------
    count
        k, shape (m,), not negative; rounded to whole numbers.
    mean
        Expected count, shape (m,), above 0.
    size
        r, shape (m,), above 0: the variance is mean + mean^2 / r.

    Returns
    -------
    lower, upper
        Shape (m,) each, each by its own incomplete beta function: neither is one less the other.
    """
    k = np.rint(count)
    failure = mean / (size + mean)
    success = size / (size + mean)
    # 1 - I_x(a, b) = I_{1-x}(b, a): the smaller argument is given, so that nothing is lost of it
    lower = np.where(success <= 0.5, betainc(size, k + 1.0, success), betaincc(k + 1.0, size, failure))
    positive = np.maximum(k, 1.0)
    upper = np.where(failure <= 0.5, betainc(positive, size, failure), betaincc(size, positive, success))
    return lower, np.where(k > 0, upper, 1.0)


def count_interval(mean: Floats, size: Floats, alpha: float) -> tuple[Floats, Floats]:
    """The equal-tailed predictive interval of the count, shape (m,) each, as whole numbers.

    By the gamma distribution of the same mean and variance, rounded outwards: for showing; decisions are taken by `count_tails`.
    """
    variance = mean + mean * mean / size
    shape, scale = mean * mean / variance, variance / mean
    lower = gammaincinv(shape, alpha / 2.0) * scale
    upper = gammaincinv(shape, 1.0 - alpha / 2.0) * scale
    return np.floor(np.maximum(lower - 0.5, 0.0)), np.ceil(upper + 0.5)
