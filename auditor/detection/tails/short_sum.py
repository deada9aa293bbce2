"""Sums of beta-binomial probabilities from an outcome on the lower side of the mean downwards, until they add nothing more.

Neighbouring probabilities have a ratio of four factors. Terms are added in one fixed order, counted from an element's own
start, so that an element's sum never depends, to the last bit, on its neighbours or on which of the two loops took it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from auditor.detection.tails.long_sum import long_sum

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

_Number = TypeVar("_Number", float, "Floats")

_ENOUGH: Final = 1e-17
"""A term below this share of the sum so far can add nothing more to it."""
_ENOUGH_LOG: Final = 40.0
_LONG: Final = 1024.0
"""More terms than this are not added one by one."""
_STEPS: Final = 16
"""Terms between two looks at whether an element is done."""
_STEP: Final = np.arange(_STEPS + 1.0)[:, None]
_AT_ONCE: Final = 8 * _STEPS
_COUNT: Final = np.arange(_AT_ONCE + 1.0)
_ROWS: Final = 1024
"""Elements whose terms fit into the processor's nearer memory together."""


def summed(k: Floats, n: Floats, a: Floats, b: Floats, term: Floats) -> Floats:
    """P(X <= k), shape (m,), on the lower side of the mean, given its last term P(X = k)."""
    total = term.copy()
    more = (k > 0) & (term > 0)
    long = more & (k > _LONG) & ~((a >= 1.0) & (_fallen(k, n, a, b) > _ENOUGH_LOG))
    if long.any():
        at = np.flatnonzero(long)
        total[at] = long_sum(k[at], n[at], a[at], b[at])
        more &= ~long
    left = np.flatnonzero(more)
    for start in range(0, len(left), _ROWS):
        at = left[start : start + _ROWS]
        total[at] = _sum_many(k[at], n[at], a[at], b[at], term[at])
    return total


def _fallen(k: _Number, n: _Number, a: _Number, b: _Number) -> _Number:
    """By how much the log-probability falls, at least, over the longest sum taken term by term (for a of 1 and more).

    From its slope at k and the least curvature on the way. It is not concave where b is below 1: there the probability falls
    off like a power, and hardly ends.
    """
    slope = 1.0 - k * (n - k + b) / ((n - k + 1.0) * (k - 1.0 + a))
    rest = n - k + 1.0 + _LONG * (b >= 1.0)
    bend = (a - 1.0) / (k * (a + k)) + (b - 1.0) / (rest * (b + rest))
    return slope * _LONG + bend * (0.5 * _LONG * _LONG)


def _sum_many(k: Floats, n: Floats, a: Floats, b: Floats, term: Floats) -> Floats:
    """All elements together, from the last term downwards: P(j - 1) / P(j) = j (n - j + b) / ((n - j + 1) (j - 1 + a))."""
    total = np.empty_like(term)
    at = np.arange(len(k))
    j, rest, t, s = k, n - k, term.copy(), term.copy()
    while len(at):
        falling = np.maximum(j - _STEP, 0.0)
        rising = rest + _STEP
        ratios, below = rising[:-1] + b, falling[1:] + a
        ratios *= falling[:-1]
        below *= rising[1:]
        ratios /= below
        for ratio in ratios:
            t *= ratio
            s += t
        j, rest = falling[-1], rising[-1]
        on = t > _ENOUGH * s
        if not on.all():
            total[at] = s
            at, j, rest, a, b, t, s = at[on], j[on], rest[on], a[on], b[on], t[on], s[on]
    return total


def summed_of_one(k: float, n: float, a: float, b: float, term: float) -> float:
    """`summed` of one element, its terms side by side: the same operations in the same order, so the same bits."""
    if not (k > 0 and term > 0):
        return term
    if k > _LONG and not (a >= 1.0 and _fallen(k, n, a, b) > _ENOUGH_LOG):
        return float(long_sum(*(np.array([v]) for v in (k, n, a, b)))[0])
    if k <= _STEPS:
        return _few_summed(k, n, a, b, term)
    start, steps, t, s = k, _AT_ONCE, term, term
    while True:
        falling = np.maximum(start - _COUNT[: steps + 1], 0.0)
        rising = (n - start) + _COUNT[: steps + 1]
        ratios = (falling[:-1] * (rising[:-1] + b)) / (rising[1:] * (falling[1:] + a))
        ratios[0] = t * ratios[0]
        terms = np.multiply.accumulate(ratios)
        first = float(terms[0])
        terms[0] = s + first
        sums = np.add.accumulate(terms)
        terms[0] = first
        looks = slice(_STEPS - 1, None, _STEPS)
        for last, so_far in zip(terms[looks].tolist(), sums[looks].tolist(), strict=True):
            if not last > _ENOUGH * so_far:
                return float(so_far)
        t, s = last, so_far
        start = start - steps


def _few_summed(k: float, n: float, a: float, b: float, term: float) -> float:
    """All there is to add, before the first look."""
    total, rest = term, n - k
    while k > 0.0:
        rest_after, k_after = rest + 1.0, k - 1.0
        term = term * ((k * (rest + b)) / (rest_after * (k_after + a)))
        total = total + term
        rest, k = rest_after, k_after
    return total
