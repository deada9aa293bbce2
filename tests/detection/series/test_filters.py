"""The filters against scipy's, and that nothing later changes them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from auditor.detection.series.filters import (
    decayed_mean_before,
    ewma,
    trailing_maximum,
    trailing_mean,
    trailing_minimum,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = np.typing.NDArray[np.float64]
SERIES = st.tuples(st.integers(0, 2**31), st.integers(1, 300)).map(
    lambda told: np.random.default_rng(told[0]).normal(3.0, 5.0, told[1])
)


@given(SERIES, st.sampled_from([1.0, 0.3, 0.25, 1 / 60, 1 / 1440]))
def test_the_weighted_mean_is_scipys(values: Floats, alpha: float) -> None:
    expected, _ = lfilter([alpha], [1.0, alpha - 1.0], values, zi=[(1.0 - alpha) * values[0]])
    np.testing.assert_allclose(ewma(values, alpha), expected, rtol=1e-12, atol=1e-12)


@given(SERIES, st.sampled_from([1, 3, 15]))
def test_the_mean_of_the_last_is_scipys(values: Floats, width: int) -> None:
    expected = lfilter(np.full(width, 1.0 / width), [1.0], values)
    np.testing.assert_allclose(trailing_mean(values, width), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("half_life", [0.04, 0.3, 1.0, 168.0])
def test_the_decayed_mean_is_that_of_all_before(half_life: float) -> None:
    values = np.random.default_rng(2).normal(size=200)
    found = decayed_mean_before(values, half_life)
    assert np.isnan(found[0])
    for at in (1, 2, 31, 32, 33, 199):
        weight = 0.5 ** (np.arange(at)[::-1] / half_life)
        assert found[at] == pytest.approx(float((weight * values[:at]).sum() / weight.sum()), rel=1e-9)


@pytest.mark.parametrize("width", [3, 7, 15, 61])
@pytest.mark.parametrize("filtered", [trailing_mean, trailing_maximum, trailing_minimum])
def test_a_series_shorter_than_the_filter_is_as_a_longer_one_began(
    filtered: Callable[[Floats, int], Floats], width: int
) -> None:
    values = np.random.default_rng(8).normal(size=70)
    of_all = filtered(values, width)
    for length in range(1, len(values)):
        np.testing.assert_array_equal(filtered(values[:length], width), of_all[:length])


@settings(max_examples=50)
@given(SERIES, st.integers(1, 299), st.floats(-1e6, 1e6))
def test_no_later_point_changes_a_bit(values: Floats, at: int, other: float) -> None:
    changed = values.copy()
    changed[at:] = other
    filters: list[Callable[[Floats], Floats]] = [
        partial(ewma, alpha=0.3),
        partial(trailing_mean, width=7),
        partial(decayed_mean_before, half_life=3.0),
    ]
    for filtered in filters:
        np.testing.assert_array_equal(filtered(values)[:at], filtered(changed)[:at])
        np.testing.assert_array_equal(filtered(values)[:at], filtered(values[:at]))
