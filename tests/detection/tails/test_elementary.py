"""An element's logarithm and exponential depend on that element alone, to the last bit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.windows import Floats

RNG = np.random.default_rng(20)
MANY = np.concatenate(
    [RNG.normal(0, 1, 3000), RNG.uniform(-745, 709, 1000), [0.0, -0.0, 1.0, np.nan, np.inf, -np.inf]]
)


def bits(values: Floats) -> list[int]:
    return [int(number) for number in np.ascontiguousarray(values).view(np.int64)]


def views(values: Floats) -> list[Floats]:
    """The same values laid out in every way that numpy treats differently."""
    spread = np.zeros(3 * len(values))
    spread[::3] = values
    raw = np.zeros(8 * len(values) + 1, dtype=np.uint8)
    unaligned = raw[1:].view(np.float64)
    unaligned[:] = values
    return [values[::-1].copy()[::-1], spread[::3], unaligned]


@pytest.mark.parametrize(
    ("function", "values"), [(exact_exp, MANY), (exact_log, np.abs(MANY)), (exact_log, np.exp(MANY / 2))]
)
def test_neither_place_nor_length_nor_layout_changes_a_bit(
    function: Callable[[Floats], Floats], values: Floats
) -> None:
    whole = bits(function(values))
    assert [bits(function(values[i : i + 1]))[0] for i in range(len(values))] == whole
    assert [bits(function(values[i : i + 1][::-1]))[0] for i in range(len(values))] == whole
    assert [bits(np.atleast_1d(function(value)))[0] for value in values] == whole
    for view in views(values):
        assert bits(function(view)) == whole


@settings(deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=70), st.data())
def test_any_part_of_an_array_gives_the_same_bits_as_the_whole(
    values: list[float], data: st.DataObject
) -> None:
    whole = np.array(values)
    start = data.draw(st.integers(0, len(values) - 1))
    stop = data.draw(st.integers(start + 1, len(values)))
    # NaN may carry any payload and sign: it is NaN all the same
    for function in (exact_exp, exact_log):
        np.testing.assert_array_equal(function(whole[start:stop]), function(whole)[start:stop])


def test_they_are_the_elementary_functions() -> None:
    for value in (1e-300, 0.3, 1.0, 17.5, 1e300):
        assert exact_log(value) == pytest.approx(math.log(value), rel=1e-15, abs=0)
    for value in (-700.0, -1.0, 0.0, 1e-9, 700.0):
        assert exact_exp(value) == pytest.approx(math.exp(value), rel=1e-15, abs=0)


def test_what_lies_beyond_the_range_has_its_limit_and_no_warning() -> None:
    assert exact_exp([-1e4, 1e4]).tolist() == [0.0, math.inf]
    assert exact_log([0.0, math.inf]).tolist() == [-math.inf, math.inf]
    for nothing in (exact_log(-1.0), exact_log(math.nan), exact_exp(math.nan)):
        assert math.isnan(nothing)
