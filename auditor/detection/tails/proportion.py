"""Tails of the overdispersed proportion: the beta-binomial, summed term by term from the small side.

Reference: Johnson, Kemp and Kotz (2005), Univariate Discrete Distributions, 3rd ed., section 6.2.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

from auditor.detection.tails.beta_binomial import split_term, term_of_one
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tails.short_sum import summed, summed_of_one

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

LEAST_MEAN: Final = 1e-15
"""A rate of exactly nought or one would make a single exception impossible; it is taken to be this far off."""
BINOMIAL: Final = 1e30
"""Concentrations are cut here: no double can tell the result from a binomial's."""
_FEW: Final = 6
"""Elements up to which it is quicker to take them one by one."""
_WALK: Final = 32
"""Outcomes that the search for a bound goes through one by one before it looks again where it is."""


def proportion_tails(
    successes: Floats, trials: Floats, mean: Floats, concentration: Floats
) -> tuple[Floats, Floats]:
    """P(X <= k) and P(X >= k) of the beta-binomial.

    Parameters
    ----------
    successes, trials
        k and n, shape (m,), rounded to the nearest whole number (averages and the like; halves to the even one); k is
        then taken into 0..n. n = 0 is no evidence: both tails are 1.
    mean
        Expected rate, shape (m,), within 0..1; taken at least 1e-15 from either end.
    concentration
        a + b of the beta distribution, shape (m,), above 0; infinite for a binomial.

    Returns
    -------
    lower, upper
        Shape (m,) each; lower + upper = 1 + P(X = k). NaN where an argument is.

    Notes
    -----
    The tail on the far side of the mean is the sum of its own terms, the other one its complement: no 1 - cdf is taken
    where it would cancel. Relative error against 50-digit arithmetic: below 1e-11 up to 10^6 trials and below 1e-10 up to
    10^7, for p down to 1e-300. To the last bit an element's value does not depend on what else is in the array.
    """
    lower, upper, _ = _evaluated(successes, trials, mean, concentration)
    return lower, upper


def _evaluated(
    successes: Floats, trials: Floats, mean: Floats, concentration: Floats
) -> tuple[Floats, Floats, Floats]:
    """P(X <= k), P(X >= k) and P(X = k)."""
    if len(trials) <= _FEW:
        columns = (successes.tolist(), trials.tolist(), mean.tolist(), concentration.tolist())
        few = np.array([tails_of_one(*row) for row in zip(*columns, strict=True)]).reshape(-1, 3)
        return few[:, 0].copy(), few[:, 1].copy(), few[:, 2].copy()
    n = np.maximum(np.rint(trials), 0.0)
    k = np.minimum(np.maximum(np.rint(successes), 0.0), n)
    rate = np.minimum(np.maximum(mean, LEAST_MEAN), 1.0 - LEAST_MEAN)
    total = np.minimum(concentration, BINOMIAL)
    a, b = rate * total, (1.0 - rate) * total
    below = k <= n * rate
    # the upper tail is the lower tail of the failures
    k_small = np.where(below, k, n - k)
    first, second = np.where(below, a, b), np.where(below, b, a)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        exponent, square = split_term(k_small, n, first, second)
        term = exact_exp(exponent) * np.sqrt(square)
        small = np.minimum(summed(k_small, n, first, second, term), 1.0)
        large = np.minimum((1.0 - small) + term, 1.0)
    nothing = n == 0
    lower, upper = np.where(below, small, large), np.where(below, large, small)
    return tuple(np.where(nothing, 1.0, part) for part in (lower, upper, term))  # type: ignore[return-value]


def tails_of_one(
    successes: float, trials: float, mean: float, concentration: float
) -> tuple[float, float, float]:
    """P(X <= k), P(X >= k) and P(X = k) of one element, in plain floats: the operations of `proportion_tails` in their order, so its bits."""
    if math.isnan(successes + mean + concentration) or not math.isfinite(trials):
        return math.nan, math.nan, math.nan
    n = float(round(max(trials, 0.0)))
    if n == 0.0:
        return 1.0, 1.0, 1.0
    k = float(round(min(max(successes, 0.0), n)))
    rate = min(max(mean, LEAST_MEAN), 1.0 - LEAST_MEAN)
    total = min(concentration, BINOMIAL)
    a, b = rate * total, (1.0 - rate) * total
    below = k <= n * rate
    if not below:
        k, a, b = n - k, b, a
    term = term_of_one(k, n, a, b)
    small = min(summed_of_one(k, n, a, b, term), 1.0)
    large = min((1.0 - small) + term, 1.0)
    return (small, large, term) if below else (large, small, term)


def proportion_interval(
    trials: Floats, mean: Floats, concentration: Floats, alpha: float
) -> tuple[Floats, Floats]:
    """The equal-tailed predictive interval of the observed rate, shape (m,) each, within 0..1.

    Exactly the rates k / n whose both tails, by `proportion_tails`, exceed alpha / 2: what lies outside is what a test at
    that level rejects. Arguments as there; 0 < alpha < 1. Without trials it is 0..1. NaN where an argument is.
    """
    n = np.maximum(np.rint(trials), 0.0)
    rate = np.minimum(np.maximum(mean, LEAST_MEAN), 1.0 - LEAST_MEAN)
    total = np.minimum(concentration, BINOMIAL)
    # the highest success is the lowest failure
    lowest = _lowest(n, rate, total, 0.5 * alpha, mirrored=False)
    highest = n - _lowest(n, rate, total, 0.5 * alpha, mirrored=True)
    known = n > 0
    divisor = np.where(known, n, 1.0)
    unknown = np.isnan(n + mean + concentration)
    lower, upper = np.where(known, lowest / divisor, 0.0), np.where(known, highest / divisor, 1.0)
    return np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper)


def _lowest(n: Floats, rate: Floats, total: Floats, target: float, *, mirrored: bool) -> Floats:
    """The smallest k whose P(X <= k) exceeds the target, shape (m,), of the successes or (mirrored) of the failures.

    Newton's method on the logarithm of the tail, kept within a bracket, from a Cornish-Fisher start; the last few
    outcomes are gone through one by one by the ratio of neighbouring probabilities.
    """
    if len(n) <= _FEW:
        rows = zip(n.tolist(), rate.tolist(), total.tolist(), strict=True)
        return np.array([_lowest_of_one(*row, target, mirrored=mirrored) for row in rows], dtype=np.float64)
    mean = 1.0 - rate if mirrored else rate
    k = _start(n, mean, total, target)
    low, high = np.full(len(n), -1.0), n.copy()
    left = np.flatnonzero(n > 0)
    left = left[np.isfinite((k + n)[left])]
    while len(left):
        seen, trials = k[left], n[left]
        outcome = trials - seen if mirrored else seen
        lower, upper, term = _evaluated(outcome, trials, rate[left], total[left])
        tail = upper if mirrored else lower
        a, b = mean[left] * total[left], (1.0 - mean[left]) * total[left]
        columns = [v.tolist() for v in (seen, trials, a, b, tail, term, low[left], high[left])]
        moved = np.array([_searched(target, *row) for row in zip(*columns, strict=True)])
        k[left], low[left], high[left] = moved.T
        left = left[high[left] - low[left] > 1.0]
    return np.where(np.isfinite(k), np.minimum(high, n), np.nan)


def _start(n: Floats, mean: Floats, total: Floats, target: float) -> Floats:
    z = float(ndtri(target))
    rest = 1.0 - mean
    inflation = (total + n) / (total + 1.0)
    deviation = np.sqrt(n * mean * rest * inflation)
    skew = (rest - mean) * (total + 2.0 * n) / ((total + 2.0) * np.maximum(deviation, 1e-300))
    guess = n * mean + deviation * (z + (z * z - 1.0) * np.minimum(np.maximum(skew, -1.0), 1.0) / 6.0)
    return np.minimum(np.maximum(np.rint(guess), 0.0), n)


def _lowest_of_one(n: float, rate: float, total: float, target: float, *, mirrored: bool) -> float:
    """`_lowest` of one element: the same steps."""
    if not (n > 0 and math.isfinite(n + rate + total)):
        return n if math.isnan(n + rate + total) else 0.0
    mean = 1.0 - rate if mirrored else rate
    a, b = mean * total, (1.0 - mean) * total
    deviation = math.sqrt(n * mean * (1.0 - mean) * ((total + n) / (total + 1.0)))
    skew = (1.0 - mean - mean) * (total + 2.0 * n) / ((total + 2.0) * max(deviation, 1e-300))
    z = float(ndtri(target))
    guess = n * mean + deviation * (z + (z * z - 1.0) * min(max(skew, -1.0), 1.0) / 6.0)
    k, low, high = min(max(float(round(guess)), 0.0), n), -1.0, n
    while high - low > 1.0:
        lower, upper, term = tails_of_one(n - k if mirrored else k, n, rate, total)
        k, low, high = _searched(target, k, n, a, b, upper if mirrored else lower, term, low, high)
    return high


def _searched(
    target: float, k: float, n: float, a: float, b: float, tail: float, term: float, low: float, high: float
) -> tuple[float, float, float]:
    """Where to look next, and the bracket: tail(low) <= target < tail(high), done where they are neighbours."""
    low, high = (low, min(high, k)) if tail > target else (max(low, k), high)
    step = tail / term * math.log(target / tail) if term > 0 and tail > 0 else math.inf
    if abs(step) > _WALK:
        there = float(math.floor(k + step)) if math.isfinite(step) else math.nan
        return there if low < there < high else float(math.floor(0.5 * (low + high))), low, high
    for _ in range(_WALK):
        if tail > target:
            high = k
            if k == 0.0:
                return k, -1.0, k
            tail, term = tail - term, term * (k * (n - k + b)) / ((n - k + 1.0) * (k - 1.0 + a))
            k -= 1.0
            if tail <= target:
                return k, k, high
        else:
            low = k
            term = term * ((n - k) * (k + a)) / ((k + 1.0) * (n - k - 1.0 + b))
            tail, k = tail + term, k + 1.0
            if tail > target:
                return k, low, k
    return k, low, high
