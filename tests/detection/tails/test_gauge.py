"""Student's t tails against exact arithmetic and tables, and their laws."""

from __future__ import annotations

import math

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtr

from auditor.detection.tails.gauge import gauge_interval, gauge_tails

mp.mp.dps = 40


def array(value: float) -> np.typing.NDArray[np.float64]:
    return np.array([value], dtype=np.float64)


def tails(x: float, location: float, scale: float, degrees: float) -> tuple[float, float]:
    lower, upper = gauge_tails(array(x), array(location), array(scale), array(degrees))
    return float(lower[0]), float(upper[0])


@pytest.mark.parametrize("degrees", [1.0, 4.5, 18.0, 104.0, 10_004.0])
@pytest.mark.parametrize("z", [0.1, 1.0, 4.0, 9.0, 30.0])
def test_both_tails_are_exact_deep_into_either(z: float, degrees: float) -> None:
    # pt(-z, degrees) in R; here I_{v / (v + z^2)}(v / 2, 1 / 2) / 2 in 40 digits
    v = mp.mpf(degrees)
    right = mp.betainc(v / 2, mp.mpf(1) / 2, 0, v / (v + mp.mpf(z) ** 2), regularized=True) / 2
    for found in (tails(-z, 0.0, 1.0, degrees)[0], tails(z, 0.0, 1.0, degrees)[1]):
        assert abs(mp.mpf(found) / right - 1) < 1e-11
    assert tails(z, 0.0, 1.0, degrees)[0] == pytest.approx(float(1 - right), rel=1e-14)


def test_one_degree_is_the_cauchy_and_no_end_of_them_the_normal() -> None:
    assert tails(1.0, 0.0, 1.0, 1.0) == pytest.approx((0.75, 0.25), rel=1e-15)
    # pnorm(-8) in R: 6.220960574271785e-16; here erfc(8 / sqrt 2) / 2 in 40 digits
    right = float(mp.erfc(8 / mp.sqrt(2)) / 2)
    assert tails(8.0, 0.0, 1.0, math.inf)[1] == pytest.approx(right, rel=1e-13)
    assert tails(8.0, 0.0, 1.0, 1e6)[1] == pytest.approx(right, rel=2e-3)


def test_location_and_scale_are_taken_out() -> None:
    assert tails(5.0, 3.0, 0.5, 7.0) == tails(4.0, 0.0, 1.0, 7.0)


def test_what_is_not_known_has_no_tail() -> None:
    for at in range(4):
        arguments = [1.0, 0.0, 1.0, 5.0]
        arguments[at] = math.nan
        assert all(math.isnan(tail) for tail in tails(*arguments))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-50, 50),
            st.floats(-10, 10),
            st.floats(1e-4, 10),
            st.one_of(st.floats(0.5, 1e6), st.just(math.inf)),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_an_element_depends_on_nothing_but_itself_to_the_last_bit(
    rows: list[tuple[float, float, float, float]],
) -> None:
    x, location, scale, degrees = (np.array(column) for column in zip(*rows, strict=True))
    lower, upper = gauge_tails(x, location, scale, degrees)
    low, high = gauge_interval(location, scale, degrees, 1e-5)
    for i, row in enumerate(rows):
        assert tails(*row) == (lower[i], upper[i])
        one = gauge_interval(array(row[1]), array(row[2]), array(row[3]), 1e-5)
        assert (one[0][0], one[1][0]) == (low[i], high[i])
    assert np.all(lower + upper == pytest.approx(1.0, abs=1e-14))


@settings(max_examples=100, deadline=None)
@given(st.floats(-20, 20), st.floats(0, 5), st.floats(1.0, 1e6))
def test_a_worse_window_never_has_a_larger_p_and_sides_mirror(z: float, more: float, degrees: float) -> None:
    lower, upper = tails(z, 0.0, 1.0, degrees)
    assert tails(-z, 0.0, 1.0, degrees) == (upper, lower)
    assert tails(z + more, 0.0, 1.0, degrees)[1] <= upper * (1 + 1e-9)
    assert tails(z + more, 0.0, 1.0, degrees)[0] >= lower * (1 - 1e-9)


@settings(max_examples=100, deadline=None)
@given(st.floats(1.0, 1e6), st.floats(1e-9, 0.5))
def test_the_interval_ends_where_the_tails_reach_the_level(degrees: float, alpha: float) -> None:
    low, high = gauge_interval(array(2.0), array(0.25), array(degrees), alpha)
    assert tails(float(low[0]), 2.0, 0.25, degrees)[0] == pytest.approx(alpha / 2, rel=1e-6)
    assert tails(float(high[0]), 2.0, 0.25, degrees)[1] == pytest.approx(alpha / 2, rel=1e-6)


def test_p_values_are_uniform_under_the_model() -> None:
    rng = np.random.default_rng(5)
    draws = 40_000
    for degrees in (4.0, 30.0):
        x = 1.0 + 0.2 * rng.standard_t(degrees, draws)
        for p in gauge_tails(x, np.ones(draws), np.full(draws, 0.2), np.full(draws, degrees)):
            for level in (0.001, 0.01, 0.1, 0.5):
                assert abs((p <= level).mean() - level) <= 4 * math.sqrt(level * (1 - level) / draws)


@settings(max_examples=200, deadline=None)
@given(st.floats(0.0, 300.0), st.floats(0.5, 2000.0))
def test_the_larger_tail_has_the_bits_of_its_own_integral(z: float, degrees: float) -> None:
    assert tails(z, 0.0, 1.0, degrees)[0] == float(stdtr(degrees, z))
    assert tails(-z, 0.0, 1.0, degrees)[0] == float(stdtr(degrees, -z))
