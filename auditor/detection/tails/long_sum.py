"""Sums of beta-binomial probabilities with too many terms to add one by one: ends exactly, the middle as an integral.

The first 64 terms and the last 32 are added as they are. Between them the probabilities are a smooth function of the outcome, and
their sum is its integral with the Euler-Maclaurin corrections by central differences (Hildebrand, 1974, Introduction to
Numerical Analysis, section 5.8). The integral is taken by Gauss-Legendre over the logit of the outcome, from where
the probabilities still count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.tails.beta_binomial import split_term
from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

_HEAD: Final = 64
_FOOT: Final = 32
_REACH: Final = 3
"""Neighbours on either side that the corrections look at."""
_NEGLIGIBLE: Final = 42.0
"""exp(-42) = 6e-19 of the largest term is nothing."""
_HALVINGS: Final = 24
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_ROWS: Final = 128


def long_sum(k: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """P(X <= k), shape (m,), for k of some hundreds or more on the lower side of the mean."""
    parts = [
        _long_sum(k[at : at + _ROWS], n[at : at + _ROWS], a[at : at + _ROWS], b[at : at + _ROWS])
        for at in range(0, len(k), _ROWS)
    ]
    return np.concatenate(parts)


def _long_sum(k: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    top, bottom = k - _HEAD, np.full(len(k), float(_FOOT))
    head = _downwards(k, n, a, b, _HEAD + _REACH)
    foot = _downwards(bottom + _REACH, n, a, b, _FOOT + _REACH)
    total = _added(head[: _HEAD + 1])
    # both ends of the integral are whole in the sums beside it, and half in the integral
    total = total - 0.5 * head[_HEAD] + _end(head, _HEAD)
    total = total + _added(foot[_REACH:]) - 0.5 * foot[_REACH] - _end(foot, _REACH)
    return total + _integral(bottom, top, n, a, b)


def _downwards(k: Floats, n: Floats, a: Floats, b: Floats, steps: int) -> Floats:
    """P(X = k), P(X = k - 1), ..., P(X = k - steps), shape (steps + 1, m)."""
    exponent, square = split_term(k, n, a, b)
    term = exact_exp(exponent) * np.sqrt(square)
    terms = [term]
    for step in range(steps):
        j = k - step
        term = term * (j * (n - j + b) / ((n - j + 1.0) * (j - 1.0 + a)))
        terms.append(term)
    return np.stack(terms)


def _added(terms: Floats) -> Floats:
    total = terms[-1]
    for term in terms[-2::-1]:
        total = total + term
    return total


def _end(terms: Floats, at: int) -> Floats:
    """The Euler-Maclaurin correction at an upper end, from the terms about it (in falling order of the outcome)."""
    by_one = terms[at - 1] - terms[at + 1]
    by_two = terms[at - 2] - terms[at + 2]
    by_three = terms[at - 3] - terms[at + 3]
    first, third = by_one, by_two - 2.0 * by_one
    fifth = by_three - 4.0 * by_two + 5.0 * by_one
    return 0.5 * (first / 12.0 - 11.0 / 720.0 * third + 191.0 / 60480.0 * fifth)


def _integral(bottom: Floats, top: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """Of the probability, continued between whole outcomes, from bottom to top."""

    def log_density(u: Floats) -> Floats:
        x = n / (1.0 + exact_exp(-u))
        exponent, square = split_term(x, n, a, b)
        return exponent + 0.5 * exact_log(square)

    low, high = exact_log(bottom / (n - bottom)), exact_log(top / (n - top))
    end = high
    least = log_density(high) - _NEGLIGIBLE
    start, inside = low, high
    # the density rises once and falls at most once on its way to the top: one crossing, if any
    for _ in range(_HALVINGS):
        middle = 0.5 * (start + inside)
        counts = log_density(middle) > least
        start, inside = np.where(counts, start, middle), np.where(counts, middle, inside)
    start = np.where(log_density(low) > least, low, start)
    half = 0.5 * (end - start)
    u = (start + half)[:, None] + half[:, None] * _NODES
    x = n[:, None] / (1.0 + exact_exp(-u))
    wide = [np.repeat(v, len(_NODES)) for v in (n, a, b)]
    exponent, square = split_term(x.ravel(), *wide)
    density = (exact_exp(exponent) * np.sqrt(square)).reshape(x.shape) * x * (1.0 - x / n[:, None])
    total = np.zeros(len(n))
    for node, weight in enumerate(_WEIGHTS.tolist()):
        total = total + weight * density[:, node]
    return total * half
