"""An expectation that was moved: on the metric's link scale, and what was seen tested against it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.gauges import degrees_of
from auditor.detection.proportions import PROPORTIONS, concentration_of
from auditor.detection.signals import LATENCY_OFFSET
from auditor.detection.tails.count import outer_count_tails
from auditor.detection.tails.elementary import exact_exp, exact_log
from auditor.detection.tails.gauge import gauge_tails

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.detection.tested import Shown, Test
    from auditor.detection.windows import Floats

THROUGHPUT: Final = "throughput"


def offset_of(name: str) -> float:
    """What is added to a gauge, or a count, before its logarithm."""
    if name == THROUGHPUT:
        return 0.0
    return 1.0 if name == "cache_size" else LATENCY_OFFSET


def link_of(name: str, value: Floats) -> Floats:
    """A metric's values, rates as fractions, on its link scale: logit or logarithm."""
    if name in PROPORTIONS:
        return exact_log(value) - exact_log(1.0 - value)
    return exact_log(value + offset_of(name))


def moved_by(name: str, expected: Floats, shift: Floats) -> Floats:
    """Expectations, rates as fractions, moved by so much on the link scale."""
    if name in PROPORTIONS:
        return expected / (expected + (1.0 - expected) * exact_exp(-shift))
    offset = offset_of(name)
    return np.maximum((expected + offset) * exact_exp(shift) - offset, 0.0)


def tails_against(
    name: str,
    shown: Shown,
    expected: Floats,
    newest: Floats,
    test: Test,
    of_rate: Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats]],
) -> tuple[Floats, Floats]:
    """Both tails of what a test looked at, had `expected` been expected of it.

    Parameters
    ----------
    name
        The metric.
    shown
        What the test looked at; arrays of shape (m,).
    expected
        On the metric's own scale, shape (m,).
    newest
        The operations behind the newest window of each, shape (m,).
    test
        Which it was.
    of_rate
        Gives the tails of a rate; arguments as of `proportion_tails`.
    """
    value, variance = shown.value, shown.variance
    if name in PROPORTIONS:
        return of_rate(value * shown.weight, shown.weight, expected, concentration_of(expected, variance))
    if name == THROUGHPUT:
        mean = np.maximum(expected * shown.windows, 1e-9)
        return outer_count_tails(value * shown.windows, mean, 1.0 / np.expm1(variance))
    degrees = degrees_of(name, newest, test)
    return gauge_tails(link_of(name, value), link_of(name, expected), np.sqrt(variance), degrees)


def with_expected(
    before: Callable[[Test, int], Shown],
    row: int,
    at: np.typing.NDArray[np.intp],
    nearest: Mapping[Test, Floats],
    test: Test,
    asked: int,
) -> Shown:
    """What a span's test of a row looked at, with the `nearest` expectations of one row's windows `at`."""
    shown = before(test, asked)
    if asked != row:
        return shown
    expected = shown.expected.copy()
    expected[at] = nearest[test]
    return replace(shown, expected=expected)
