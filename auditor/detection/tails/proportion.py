"""Tails of the overdispersed proportion: the beta-binomial, summed term by term from the small side.

Reference: Johnson, Kemp and Kotz (2005), Univariate Discrete Distributions, 3rd ed., section 6.2.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.tails.beta_binomial import split_term
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tails.long_sum import long_sum

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

LEAST_MEAN: Final = 1e-15
"""A rate of exactly nought or one would make a single exception impossible; it is taken to be this far off."""
BINOMIAL: Final = 1e30
"""Concentrations are cut here: no double can tell the result from a binomial's."""
_ENOUGH: Final = 1e-17
"""A term below this share of the sum so far can add nothing more to it."""
_ENOUGH_LOG: Final = 40.0
_LONG: Final = 512.0
"""More terms than this are not added one by one."""
_STEPS: Final = 16
"""Terms between two looks at whether an element is done: counted from its own start, so that its neighbours do not matter."""
_FEW: Final = 24
"""Elements up to which it is quicker to go through each one's terms at once than through all elements term by term."""


def proportion_tails(
    successes: Floats, trials: Floats, mean: Floats, concentration: Floats
) -> tuple[Floats, Floats]:
    """P(X <= k) and P(X >= k) of the beta-binomial.

    Parameters
    ----------
    successes, trials
        k and n, shape (m,), rounded to the nearest whole number (of averages and the like; halves to the even one); k is then taken
        into 0..n. n = 0 is no evidence: both tails are 1.
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
    The tail on the far side of the mean is the sum of its own terms (`long_sum` where there are very many), the other one its complement:
    no 1 - cdf is taken where it would cancel. Relative error against 60-digit arithmetic: below 1e-11 up to 10^6 trials and
    below 1e-10 up to 10^7, for p down to 1e-300. Every element is summed by itself in one fixed order: to the last bit its
    value does not depend on what else is in the array.
    """
    n = np.maximum(np.rint(trials), 0.0)
    k = np.minimum(np.maximum(np.rint(successes), 0.0), n)
    rate = np.clip(mean, LEAST_MEAN, 1.0 - LEAST_MEAN)
    total = np.minimum(concentration, BINOMIAL)
    a, b = rate * total, (1.0 - rate) * total
    below = k <= n * rate
    # the upper tail is the lower tail of the failures
    k_small = np.where(below, k, n - k)
    first, second = np.where(below, a, b), np.where(below, b, a)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        exponent, square = split_term(k_small, n, first, second)
        term = exact_exp(exponent) * np.sqrt(square)
        small = np.minimum(_sum(k_small, n, first, second, term), 1.0)
        large = np.minimum((1.0 - small) + term, 1.0)
    nothing = n == 0
    return (
        np.where(nothing, 1.0, np.where(below, small, large)),
        np.where(nothing, 1.0, np.where(below, large, small)),
    )


def _sum(k: Floats, n: Floats, a: Floats, b: Floats, term: Floats) -> Floats:
    """P(X <= k) on the lower side of the mean, given its last term."""
    total = term.copy()
    more = (k > 0) & (term > 0)
    long = more & (_terms(k, n, a, b) > _LONG)
    if long.any():
        at = np.flatnonzero(long)
        total[at] = long_sum(k[at], n[at], a[at], b[at])
        more &= ~long
    at = np.flatnonzero(more)
    if len(at) <= _FEW:
        for i in at.tolist():
            total[i] = _sum_one(float(k[i]), float(n[i]), float(a[i]), float(b[i]), float(term[i]))
    else:
        total[at] = _sum_many(k[at], n[at], a[at], b[at], term[at])
    return total


def _terms(k: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """About how many terms count: k at most, fewer where they fall off like a normal tail of this slope and curvature."""
    slope = np.maximum(1.0 - k * (n - k + b) / ((n - k + 1.0) * (k - 1.0 + a)), 0.0)
    bend = a / (k * (a + k)) + b / ((n - k + 1.0) * (b + n - k))
    reach = 2.0 * _ENOUGH_LOG / (slope + np.sqrt(slope * slope + 2.0 * _ENOUGH_LOG * bend))
    return np.where(a >= 1.0, np.minimum(k, reach), k)


def _sum_many(k: Floats, n: Floats, a: Floats, b: Floats, term: Floats) -> Floats:
    """All elements together, from the last term downwards: P(j - 1) / P(j) = j (n - j + b) / ((n - j + 1) (j - 1 + a))."""
    total = np.empty_like(term)
    at = np.arange(len(k))
    j, rest, a, b, t, s = k.copy(), n - k, a, b, term.copy(), term.copy()
    while len(at):
        for _ in range(_STEPS):
            up, below = rest + 1.0, np.maximum(j - 1.0, 0.0)
            t = t * ((j * (rest + b)) / (up * (below + a)))
            s = s + t
            j, rest = below, up
        on = t > _ENOUGH * s
        if not on.all():
            total[at] = s
            at, j, rest, a, b, t, s = at[on], j[on], rest[on], a[on], b[on], t[on], s[on]
    return total


def _sum_one(k: float, n: float, a: float, b: float, term: float) -> float:
    """The same for one element, its terms side by side: the same operations in the same order, so the same bits."""
    start, steps, t, s = k, 4 * _STEPS, term, term
    while True:
        j = np.maximum(start - np.arange(steps), 0.0)
        rest = (n - start) + np.arange(steps)
        ratios = (j * (rest + b)) / ((rest + 1.0) * (np.maximum(j - 1.0, 0.0) + a))
        ratios[0] = t * ratios[0]
        terms = np.multiply.accumulate(ratios)
        first = terms[0]
        terms[0] = s + first
        sums = np.add.accumulate(terms)
        terms[0] = first
        done = np.flatnonzero(terms[_STEPS - 1 :: _STEPS] <= _ENOUGH * sums[_STEPS - 1 :: _STEPS])
        if len(done):
            return float(sums[_STEPS - 1 + _STEPS * done[0]])
        t, s = float(terms[-1]), float(sums[-1])
        start, steps = start - steps, min(2 * steps, 256)
