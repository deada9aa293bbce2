"""Sums of beta-binomial probabilities with too many terms to add one by one: ends exactly, the middle as an integral.

The first 64 terms and the last 32 are added as they are. Between them the probabilities are a smooth function of the outcome, and
their sum is its integral with the Euler-Maclaurin corrections by central differences (Hildebrand, 1974, Introduction to
Numerical Analysis, section 5.8). The integral is taken by Gauss-Legendre over the logit of the outcome, from where
the probabilities count.
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
_WIDTHS: Final = 0.5 ** np.arange(15.0)
"""Shares of the whole range that the integral is tried with: the smallest that leaves nothing out is at most twice too wide."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_ROWS: Final = 64


def long_sum(k: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """P(X <= k), shape (m,), for k of some hundreds or more on the lower side of the mean."""
    parts = [
        _long_sum(k[at : at + _ROWS], n[at : at + _ROWS], a[at : at + _ROWS], b[at : at + _ROWS])
        for at in range(0, len(k), _ROWS)
    ]
    return np.concatenate(parts)


def _long_sum(k: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    top, bottom = k - _HEAD, np.full(len(k), float(_FOOT))
    low, high = exact_log(bottom / (n - bottom)), exact_log(top / (n - top))
    grid = high - _WIDTHS[:, None] * (high - low)
    outcomes = np.vstack([k, bottom + _REACH, top, n / (1.0 + exact_exp(-grid))])
    exponent, square = _terms(outcomes, n, a, b)
    first, foot_first = exact_exp(exponent[:2]) * np.sqrt(square[:2])
    log_density = exponent[2:] + 0.5 * exact_log(square[2:])
    start = high - _width(log_density[1:] < log_density[0] - _NEGLIGIBLE) * (high - low)

    head = _downwards(first, k, n, a, b, _HEAD + _REACH)
    foot = _downwards(foot_first, bottom + _REACH, n, a, b, _FOOT + _REACH)
    # both ends of the integral are whole in the sums beside it, and half in the integral
    of_head = _added(head[: _HEAD + 1]) - 0.5 * head[_HEAD] + _correction(head, _HEAD)
    of_foot = _added(foot[_REACH:]) - 0.5 * foot[_REACH] - _correction(foot, _REACH)
    total: Floats = of_head + of_foot + _integral(start, high, n, a, b)
    return total


def _terms(outcomes: Floats, n: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """`split_term` of outcomes of shape (s, m)."""
    whole = [np.ascontiguousarray(np.broadcast_to(v, outcomes.shape)) for v in (n, a, b)]
    return split_term(outcomes, *whole)


def _width(nothing: np.typing.NDArray[np.bool_]) -> Floats:
    """The smallest share of the range beyond which, at it and at every larger one tried, there is nothing; 1 where none is."""
    beyond = np.logical_and.accumulate(nothing, axis=0).sum(axis=0)
    width: Floats = _WIDTHS[np.maximum(beyond - 1, 0)]
    return width


def _downwards(first: Floats, k: Floats, n: Floats, a: Floats, b: Floats, steps: int) -> Floats:
    """P(X = k), P(X = k - 1), ..., P(X = k - steps), shape (steps + 1, m), from the first of them."""
    j = k - np.arange(steps, dtype=np.float64)[:, None]
    ratios = j * (n - j + b) / ((n - j + 1.0) * (j - 1.0 + a))
    terms: Floats = np.multiply.accumulate(np.vstack([first, ratios]), axis=0)
    return terms


def _added(terms: Floats) -> Floats:
    """The sum over the first axis, one after the other from the last."""
    total: Floats = np.add.accumulate(terms[::-1], axis=0)[-1]
    return total


def _correction(terms: Floats, at: int) -> Floats:
    """The Euler-Maclaurin correction at an upper end, from the terms about it (in falling order of the outcome)."""
    by_one = terms[at - 1] - terms[at + 1]
    by_two = terms[at - 2] - terms[at + 2]
    by_three = terms[at - 3] - terms[at + 3]
    third = by_two - 2.0 * by_one
    fifth = by_three - 4.0 * by_two + 5.0 * by_one
    correction: Floats = 0.5 * (by_one / 12.0 - 11.0 / 720.0 * third + 191.0 / 60480.0 * fifth)
    return correction


def _integral(start: Floats, end: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """Of the probability, continued between whole outcomes, from one logit to the other."""
    half = 0.5 * (end - start)
    x = n / (1.0 + exact_exp(-((start + half) + half * _NODES[:, None])))
    exponent, square = _terms(x, n, a, b)
    density: Floats = exact_exp(exponent) * np.sqrt(square) * x * (1.0 - x / n)
    total: Floats = _added(density * _WEIGHTS[:, None]) * half
    return total
