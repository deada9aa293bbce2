"""Predictive intervals: what a window, or a span, may come to without being strange."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.gauges import degrees_of
from auditor.detection.proportions import PROPORTIONS, concentration_of
from auditor.detection.signals import LATENCY_OFFSET
from auditor.detection.tails.count import count_interval
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tails.gauge import gauge_interval
from auditor.detection.tails.proportion import proportion_interval
from auditor.detection.tested import ROW, Test

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.tested import Tested
    from auditor.detection.windows import Floats

MOST_REACH: Final = math.log(1000.0)
"""A gauge's interval is told up to a thousandfold; a test that knows as little as that rejects nothing anyone would believe."""


def interval_of(tested: Tested, name: str, alpha: float, scale: float) -> Callable[[], tuple[Floats, Floats]]:
    """What gives each window's predictive interval when it is asked for.

    Parameters
    ----------
    tested, name
        The windows and the metric.
    alpha
        The share of windows outside, half on either side; the window's test at alpha / 2 rejects exactly what lies outside.
    scale
        What the metric's own scale is multiplied by.

    Returns
    -------
    bounds
        Gives lower and upper of shape (n,), NaN where not tested. It keeps no more of `tested` than the windows' own numbers.
    """
    return partial(
        _bounds, name, alpha, scale, tested.expected, tested.weight, tested.variance, tested.centre
    )


def _bounds(
    name: str,
    alpha: float,
    scale: float,
    *of_metrics: Floats,
) -> tuple[Floats, Floats]:
    expected, weight, variance, centre = (numbers[ROW[name]] for numbers in of_metrics)
    there = np.isfinite(expected)
    mean = np.where(there, expected, 0.5)
    degrees = degrees_of(name, weight, Test.WINDOW)
    lower, upper = _interval(name, alpha, mean, weight, variance, centre, degrees)
    return np.where(there, lower * scale, np.nan), np.where(there, upper * scale, np.nan)


def shown_interval(tested: Tested, name: str, alpha: float, i: int, test: Test) -> tuple[float, float]:
    """The predictive interval of what a test of window i looked at, the window or a span, on the scale of `Tested.value`."""
    one = slice(i, i + 1)
    row, shown = ROW[name], tested.shown(test, name)
    number = np.maximum(shown.windows[one], 1.0) if name == "throughput" else np.ones(1)
    lower, upper = _interval(
        name,
        alpha,
        shown.expected[one] * number,
        shown.weight[one],
        shown.variance[one],
        tested.centre[row, one],
        degrees_of(name, tested.weight[row, one], test),
    )
    return float((lower / number)[0]), float((upper / number)[0])


def _interval(
    name: str, alpha: float, mean: Floats, weight: Floats, variance: Floats, centre: Floats, degrees: Floats
) -> tuple[Floats, Floats]:
    if name in PROPORTIONS:
        return proportion_interval(weight, mean, concentration_of(mean, variance), alpha)
    if name == "throughput":
        return count_interval(mean, 1.0 / np.expm1(variance), alpha)
    offset = 1.0 if name == "cache_size" else LATENCY_OFFSET
    low, high = gauge_interval(centre, np.sqrt(variance), degrees, alpha)
    low, high = np.maximum(low, centre - MOST_REACH), np.minimum(high, centre + MOST_REACH)
    return np.maximum(exact_exp(low) - offset, 0.0), exact_exp(high) - offset
