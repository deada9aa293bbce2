"""Tails of the overdispersed proportion: the beta-binomial, summed term by term from the small side.

Reference: Johnson, Kemp and Kotz (2005), Univariate Discrete Distributions, 3rd ed., section 6.2.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import betainc, betaincc, betaincinv, betaln, gammaln

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

LARGE_TRIALS: Final = 20_000
"""Beyond this the rate is taken as continuous, its beta widened by the counting variance (error below 1e-3 relative
where p > 1e-12 and the mean is at least 20 trials from either end)."""
_ENOUGH: Final = 1e-17
_FEW: Final = 4


def proportion_tails(
    successes: Floats, trials: Floats, mean: Floats, concentration: Floats
) -> tuple[Floats, Floats]:
    """P(X <= k) and P(X >= k) of the beta-binomial.

    Parameters
    ----------
    successes, trials
        k and n, shape (m,), finite, 0 <= k <= n; rounded to whole numbers. n = 0 is no evidence: both tails are 1.
    mean
        Expected rate, shape (m,), within (0, 1).
    concentration
        a + b of the beta distribution, shape (m,), above 0; the larger, the closer to a binomial.

    Returns
    -------
    lower, upper
        Shape (m,) each; lower + upper = 1 + P(X = k).

    Notes
    -----
    The tail on the far side of the mean is the sum of its own terms, by the ratio of neighbouring
    probabilities, until a term no longer counts; the other is its complement. No 1 - cdf is taken where it would cancel. Every
    element is summed by itself in one fixed order: a value does not depend on what else is in the array.
    """
    k, n = np.rint(successes), np.rint(trials)
    k = np.minimum(k, n)
    a = np.maximum(mean * concentration, 1e-12)
    b = np.maximum((1.0 - mean) * concentration, 1e-12)
    below = k <= n * mean
    # the upper tail is the lower tail of the failures
    k_small = np.where(below, k, n - k)
    first, second = np.where(below, a, b), np.where(below, b, a)
    log_term = (
        gammaln(n + 1.0)
        - gammaln(k_small + 1.0)
        - gammaln(n - k_small + 1.0)
        + betaln(k_small + first, n - k_small + second)
        - betaln(first, second)
    )
    term = np.exp(log_term)
    small = np.minimum(_sum(k_small, n, first, second, term), 1.0)
    large = np.minimum(1.0 - small + term, 1.0)
    lower, upper = np.where(below, small, large), np.where(below, large, small)
    wide = n > LARGE_TRIALS
    if wide.any():
        low, high = _continuous(k[wide], n[wide], mean[wide], concentration[wide])
        lower[wide], upper[wide] = low, high
    nothing = n <= 0
    return np.where(nothing, 1.0, lower), np.where(nothing, 1.0, upper)


def _sum(k: Floats, n: Floats, a: Floats, b: Floats, term: Floats) -> Floats:
    """P(X <= k), from its last term downwards."""
    if len(k) <= _FEW:
        return np.array(
            [
                _sum_one(*row)
                for row in zip(k.tolist(), n.tolist(), a.tolist(), b.tolist(), term.tolist(), strict=True)
            ],
            dtype=np.float64,
        )
    total = term.copy()
    left = np.flatnonzero((k > 0) & (n <= LARGE_TRIALS) & (term > 0))
    j, nn, aa, bb, t, s = k[left], n[left], a[left], b[left], term[left], term[left]
    while len(left):
        # P(j-1) / P(j) = j (n - j + b) / ((n - j + 1) (j - 1 + a))
        t = t * (j * (nn - j + bb) / ((nn - j + 1.0) * (j - 1.0 + aa)))
        s = s + t
        j = j - 1.0
        on = (j > 0) & (t > _ENOUGH * s)
        if not on.all():
            total[left[~on]] = s[~on]
            left, j, nn, aa, bb, t, s = left[on], j[on], nn[on], aa[on], bb[on], t[on], s[on]
    return total


def _sum_one(k: float, n: float, a: float, b: float, term: float) -> float:
    """The same for one element in plain floats: the same operations in the same order, so the same bits."""
    total = t = term
    j = k
    if n > LARGE_TRIALS or term <= 0:
        return total
    while j > 0:
        t = t * (j * (n - j + b) / ((n - j + 1.0) * (j - 1.0 + a)))
        total = total + t
        j = j - 1.0
        if t <= _ENOUGH * total:
            break
    return total


def _matched(n: Floats, mean: Floats, concentration: Floats) -> tuple[Floats, Floats]:
    """The beta distribution of the same mean and variance as the observed rate."""
    inverse = 1.0 / (concentration + 1.0)
    total = 1.0 / (inverse + (1.0 - inverse) / np.maximum(n, 1.0)) - 1.0
    total = np.maximum(total, 1e-6)
    return mean * total, (1.0 - mean) * total


def _continuous(k: Floats, n: Floats, mean: Floats, concentration: Floats) -> tuple[Floats, Floats]:
    a, b = _matched(n, mean, concentration)
    lower = np.asarray(betainc(a, b, np.minimum((k + 0.5) / n, 1.0)), dtype=np.float64)
    upper = np.asarray(betaincc(a, b, np.maximum((k - 0.5) / n, 0.0)), dtype=np.float64)
    return lower, upper


def proportion_interval(
    trials: Floats, mean: Floats, concentration: Floats, alpha: float
) -> tuple[Floats, Floats]:
    """The equal-tailed predictive interval of the observed rate, shape (m,) each, within 0..1.

    By the beta distribution of the same mean and variance, widened by half a trial on either side: for showing; decisions
    are taken by `proportion_tails`. Without trials it is 0..1.
    """
    a, b = _matched(trials, mean, concentration)
    half = 0.5 / np.maximum(trials, 1.0)
    lower = np.maximum(betaincinv(a, b, alpha / 2.0) - half, 0.0)
    upper = np.minimum(1.0 - betaincinv(b, a, alpha / 2.0) + half, 1.0)
    known = trials > 0
    return np.where(known, lower, 0.0), np.where(known, upper, 1.0)
