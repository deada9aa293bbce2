"""Tails of the overdispersed count: the negative binomial by its incomplete beta function.

Reference: Johnson, Kemp and Kotz (2005), Univariate Discrete Distributions, 3rd ed., sections 5.6 and (Poisson) 4.5.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import betainc, betaincc, gammainc, gammaincc, gammainccinv, gammaincinv

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.windows import Floats

Mask = np.typing.NDArray[np.bool_]

_FEW: Final = 6
"""Elements up to which it is quicker to seek their bounds one by one."""


def count_tails(count: Floats, mean: Floats, size: Floats) -> tuple[Floats, Floats]:
    """P(X <= k) and P(X >= k) of the negative binomial.

    Parameters
    ----------
    count
        k, shape (m,), rounded to the nearest whole number (halves to the even one); below 0 it is taken as 0.
    mean
        Expected count, shape (m,), not negative.
    size
        r, shape (m,), above 0: the variance is mean + mean^2 / r; infinite for a Poisson count.

    Returns
    -------
    lower, upper
        Shape (m,) each; lower + upper = 1 + P(X = k). NaN where an argument is.

    Notes
    -----
    Each tail has its own incomplete beta (or gamma) function: the smaller is never one less the other. Relative error against
    45-digit arithmetic below 1e-11 for any size, means up to 10^4 and p down to 1e-250. Elementwise to the last bit.
    """
    k = np.maximum(np.rint(count), 0.0)
    return _lower(k, mean, size), _upper(k, mean, size)


def outer_count_tails(count: Floats, mean: Floats, size: Floats) -> tuple[Floats, Floats]:
    """`count_tails` of which only what is below one half is exact: the other tail is told as one less it, the least that it can be.

    So the smaller of the two always has the bits that it has there, at half the work.
    """
    k = np.maximum(np.rint(count), 0.0)
    if len(k) <= _FEW:
        rows = zip(k.tolist(), mean.tolist(), size.tolist(), strict=True)
        few = np.array([outer_tails_of_one(*row) for row in rows]).reshape(-1, 2)
        return few[:, 0].copy(), few[:, 1].copy()
    below = k <= mean
    lower, upper = np.empty(len(k)), np.empty(len(k))
    lower[below] = _lower(k[below], mean[below], size[below])
    upper[~below] = _upper(k[~below], mean[~below], size[~below])
    upper[below], lower[~below] = 1.0 - lower[below], 1.0 - upper[~below]
    other = below & ~(lower <= 0.5)
    upper[other] = _upper(k[other], mean[other], size[other])
    other = ~below & ~(upper <= 0.5)
    lower[other] = _lower(k[other], mean[other], size[other])
    return lower, upper


def outer_tails_of_one(count: float, mean: float, size: float) -> tuple[float, float]:
    """`outer_count_tails` of one element."""
    k = max(float(round(count)), 0.0)
    if k <= mean:
        lower = _lower_of_one(k, mean, size)
        return lower, 1.0 - lower if lower <= 0.5 else _upper_of_one(k, mean, size)
    upper = _upper_of_one(k, mean, size)
    return 1.0 - upper if upper <= 0.5 else _lower_of_one(k, mean, size), upper


def _lower(k: Floats, mean: Floats, size: Floats) -> Floats:
    # I_x(a, b) = 1 - I_{1-x}(b, a): whichever of x and 1 - x is the smaller has all its digits
    rare, often, poisson = _cases(mean, size)
    tail = np.empty(len(mean))
    if rare.any():
        tail[rare] = betainc(size[rare], k[rare] + 1.0, size[rare] / (size[rare] + mean[rare]))
    if often.any():
        tail[often] = betaincc(k[often] + 1.0, size[often], mean[often] / (size[often] + mean[often]))
    if poisson.any():
        tail[poisson] = gammaincc(k[poisson] + 1.0, mean[poisson])
    return tail


def _upper(k: Floats, mean: Floats, size: Floats) -> Floats:
    rare, often, poisson = _cases(mean, size)
    positive = np.maximum(k, 1.0)
    tail = np.empty(len(mean))
    if rare.any():
        tail[rare] = betaincc(size[rare], positive[rare], size[rare] / (size[rare] + mean[rare]))
    if often.any():
        # below the mean the direct value is off by 1e-9 where size is large; the complement is the small one there
        share, under = mean[often] / (size[often] + mean[often]), positive[often] <= mean[often]
        direct = betainc(positive[often], size[often], share)
        tail[often] = np.where(under, 1.0 - betaincc(positive[often], size[often], share), direct)
    if poisson.any():
        tail[poisson] = gammainc(positive[poisson], mean[poisson])
    return np.where((k <= 0) & ~np.isnan(tail), 1.0, tail)


def _cases(mean: Floats, size: Floats) -> tuple[Mask, Mask, Mask]:
    """Where success (size of size + mean) is the smaller probability, where failure is, and where the count is Poisson."""
    poisson = np.isinf(size)
    rare = (size <= mean) & ~poisson
    return rare, ~(rare | poisson), poisson


def _lower_of_one(k: float, mean: float, size: float) -> float:
    if size == math.inf:
        return float(gammaincc(k + 1.0, mean))
    if size <= mean:
        return float(betainc(size, k + 1.0, size / (size + mean)))
    return float(betaincc(k + 1.0, size, mean / (size + mean)))


def _upper_of_one(k: float, mean: float, size: float) -> float:
    if k <= 0.0:
        return 1.0
    if size == math.inf:
        return float(gammainc(k, mean))
    if size <= mean:
        return float(betaincc(size, k, size / (size + mean)))
    share = mean / (size + mean)
    return 1.0 - float(betaincc(k, size, share)) if k <= mean else float(betainc(k, size, share))


def count_interval(mean: Floats, size: Floats, alpha: float) -> tuple[Floats, Floats]:
    """The equal-tailed predictive interval of the count, shape (m,) each, as whole numbers.

    Exactly the counts whose both tails, by `count_tails`, exceed alpha / 2; 0 < alpha < 1. Sought from the quantiles of the
    gamma distribution of the same mean and variance. NaN where an argument is.
    """
    target = 0.5 * alpha
    known = ~np.isnan(mean + size)
    mean, size = mean[known], size[known]
    variance = np.maximum(mean + mean * mean / size, 1e-300)
    shape, scale = mean * mean / variance, variance / np.maximum(mean, 1e-300)
    low = np.rint(gammaincinv(shape, target) * scale - 0.5)
    high = np.rint(gammainccinv(shape, target) * scale + 0.5)
    if len(mean) <= _FEW:
        pairs = list(zip(mean.tolist(), size.tolist(), strict=True))
        lowest = [
            _first_of_one(k, partial(_exceeds, target, *pair))
            for k, pair in zip(low.tolist(), pairs, strict=True)
        ]
        beyond = [
            _first_of_one(k, partial(_vanishes, target, *pair))
            for k, pair in zip(high.tolist(), pairs, strict=True)
        ]
    else:
        lowest = _first(low, lambda at, k: _lower(k, mean[at], size[at]) > target).tolist()
        beyond = _first(high, lambda at, k: _upper(k, mean[at], size[at]) <= target).tolist()
    interval = np.full((2, len(known)), np.nan)
    interval[0, known], interval[1, known] = lowest, np.array(beyond) - 1.0
    return interval[0], interval[1]


def _exceeds(target: float, mean: float, size: float, k: float) -> bool:
    return _lower_of_one(k, mean, size) > target


def _vanishes(target: float, mean: float, size: float, k: float) -> bool:
    return _upper_of_one(k, mean, size) <= target


def _first_of_one(start: float, holds: Callable[[float], bool]) -> float:
    """`_first` of one element: what holds from some number on has one first number, however it is sought."""
    k, low, high, step = max(start, 0.0) + 0.0, -1.0, math.inf, 1.0
    while True:
        if holds(k):
            high, onwards = k, k - step
        else:
            low, onwards = k, k + step
        if high - low <= 1.0:
            return high
        between = high < math.inf and (low >= 0.0 or onwards < 0.0)
        k = float(math.floor(0.5 * (low + high))) if between else onwards
        step *= 2.0


def _first(start: Floats, holds: Callable[[np.typing.NDArray[np.intp], Floats], Mask]) -> Floats:
    """The smallest whole number from 0 at which what holds from some number on holds: by doubling steps, then halving."""
    k = np.maximum(start, 0.0) + 0.0
    low, high, step = np.full(len(k), -1.0), np.full(len(k), np.inf), np.ones(len(k))
    left = np.arange(len(k))
    while len(left):
        yes = holds(left, k[left])
        high[left] = np.where(yes, k[left], high[left])
        low[left] = np.where(yes, low[left], k[left])
        onwards = np.where(yes, k[left] - step[left], k[left] + step[left])
        between = np.isfinite(high[left]) & ((low[left] >= 0) | (onwards < 0))
        halfway = np.floor(0.5 * (low[left] + np.where(between, high[left], 0.0)))
        k[left] = np.where(between, halfway, onwards)
        step[left] = 2.0 * step[left]
        left = left[high[left] - low[left] > 1.0]
    return high
