"""The probability of one outcome of the beta-binomial, to full precision at any number of trials.

Differences of large log-gammas would lose a digit for every tenfold of the trials. Stirling's formula is taken apart instead:
what is left of it are deviances, none of them negative, and small corrections (Loader, 2000, Fast and Accurate
Computation of Binomial Probabilities; here carried over from the binomial to the beta-binomial).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import gammaln

from auditor.detection.tails.elementary import exact_log

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

_SERIES_FROM: Final = 10.0
"""From here on six terms of Stirling's series are exact to 1e-15 (Abramowitz and Stegun 6.1.41)."""
_SERIES: Final = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_HALF_LOG_TWO_PI: Final = 0.5 * math.log(2.0 * math.pi)
_ABOVE_MINUS_ONE: Final = -1.0 + 2.0**-53


def stirling_error(x: Floats) -> Floats:
    """The error of Stirling's formula: ln Γ(x + 1) - (x + 1/2) ln x + x - ln(2 π) / 2.

    x is at least 0, of any shape; 0 of 0, where it is not asked for.
    """
    inverse = 1.0 / np.maximum(x, _SERIES_FROM)
    square = inverse * inverse
    series = _SERIES[-1] * square
    for coefficient in _SERIES[-2:0:-1]:
        series = (series + coefficient) * square
    series = (series + _SERIES[0]) * inverse
    small = x < _SERIES_FROM
    if small.any():
        y = np.maximum(x[small], 1e-300)
        exact = gammaln(y + 1.0) - (y + 0.5) * exact_log(y) + y - _HALF_LOG_TWO_PI
        series[small] = np.where(x[small] > 0, exact, 0.0)
    return series


def _stirling_error_of_one(x: float) -> float:
    if x >= _SERIES_FROM:
        inverse = 1.0 / x
        square = inverse * inverse
        return (
            ((((_S5 * square + _S4) * square + _S3) * square + _S2) * square + _S1) * square + _S0
        ) * inverse
    if x <= 0.0:
        return 0.0
    known = _SMALL.get(x)
    return _small_stirling_error(x) if known is None else known


def _small_stirling_error(x: float) -> float:
    y = max(x, 1e-300)
    return float(gammaln(y + 1.0)) - (y + 0.5) * float(np.log(y)) + y - _HALF_LOG_TWO_PI


_S0, _S1, _S2, _S3, _S4, _S5 = _SERIES
_SMALL: Final = {float(x): _small_stirling_error(float(x)) for x in range(1, int(_SERIES_FROM))}
"""Of counts, which most of what is asked for is."""


def split_term(k: Floats, n: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """P(X = k) as `exp(exponent) * sqrt(square)`; the last axis is summed over nowhere, so every element stands alone.

    k may lie anywhere in 0..n, not only on whole numbers: the gamma functions' continuation. a, b above 0, up to 1e30, where
    nothing distinguishes it from the binomial. Shapes are all alike.
    """
    rest = n - k
    total = a + b
    after, after_a, after_b = total + n, a + k, b + rest
    # how far the outcome lies from what the posterior mean says, in trials: +, -, -, + for k, n - k, a, b
    away = (k * b - rest * a) / after
    m, w = after_a / after, after_b / after
    exponent = away * 0.0
    for x, y, sign in ((k, n * m, 1.0), (rest, n * w, -1.0), (a, total * m, -1.0), (b, total * w, 1.0)):
        t = np.maximum(sign * away / y, _ABOVE_MINUS_ONE)
        exponent = exponent - (x * np.log1p(t) - sign * away)
    error = stirling_error(np.stack([n, k, rest, after_a, after_b, after, a, b, total]))
    exponent = exponent + ((error[0] - error[1]) - error[2])
    exponent = exponent + ((error[3] - error[6]) + (error[4] - error[7]) - (error[5] - error[8]))
    two_pi = 2.0 * math.pi
    of_k = np.where(k > 0, two_pi * k, 1.0)
    of_rest = np.where(rest > 0, two_pi * rest, 1.0)
    square = (a / after_a) * (b / after_b) * (after / total) * (two_pi * n / of_k / of_rest)
    return exponent, square


def term_of_one(k: float, n: float, a: float, b: float) -> float:
    """P(X = k) of one element with finite arguments and n above 0.

    `split_term` in plain floats, ten times as quick for one: the same operations in the same order, and the same routines for the
    transcendental ones, so the same bits.
    """
    rest = n - k
    total = a + b
    after, after_a, after_b = total + n, a + k, b + rest
    away = (k * b - rest * a) / after
    m, w = after_a / after, after_b / after
    pairs = ((k, n * m, 1.0), (rest, n * w, -1.0), (a, total * m, -1.0), (b, total * w, 1.0))
    logs = np.log1p(np.array([max(sign * away / y, _ABOVE_MINUS_ONE) for _, y, sign in pairs])).tolist()
    exponent = 0.0
    for (x, _, sign), log in zip(pairs, logs, strict=True):
        exponent = exponent - (x * log - sign * away)
    error = _stirling_error_of_one
    exponent = exponent + ((error(n) - error(k)) - error(rest))
    exponent = exponent + (
        (error(after_a) - error(a)) + (error(after_b) - error(b)) - (error(after) - error(total))
    )
    two_pi = 2.0 * math.pi
    of_k = two_pi * k if k > 0 else 1.0
    of_rest = two_pi * rest if rest > 0 else 1.0
    square = (a / after_a) * (b / after_b) * (after / total) * (two_pi * n / of_k / of_rest)
    return float(np.exp(exponent)) * math.sqrt(square)
