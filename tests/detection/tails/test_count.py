"""Negative binomial and Poisson tails against exact arithmetic, and their laws."""

from __future__ import annotations

import math

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.tails.count import (
    _lower_of_one,
    _upper_of_one,
    count_interval,
    count_tails,
    outer_count_tails,
    outer_tails_of_one,
)

mp.mp.dps = 45


def array(value: float) -> np.typing.NDArray[np.float64]:
    return np.array([value], dtype=np.float64)


def tails(k: float, mean: float, size: float) -> tuple[float, float]:
    lower, upper = count_tails(array(k), array(mean), array(size))
    return float(lower[0]), float(upper[0])


def exact(k: int, mean: float, size: float) -> tuple[mp.mpf, mp.mpf]:
    """Both tails, term by term in 45 digits: Γ(j + r) / (Γ(r) j!) (r / (r + m))^r (m / (r + m))^j; Poisson for r infinite."""
    m = mp.mpf(mean)
    if math.isinf(size):
        term, share, r = mp.exp(-m), mp.mpf(0), mp.mpf(0)
    else:
        r = mp.mpf(size)
        term, share = (r / (r + m)) ** r, m / (r + m)
    lower = mp.mpf(0)
    for j in range(k):
        lower += term
        term *= m / (j + 1) if math.isinf(size) else share * (j + r) / (j + 1)
    below, at, upper, j = lower, term, mp.mpf(0), k
    while j < mean or term > upper * mp.mpf(10) ** -25:
        upper += term
        term *= m / (j + 1) if math.isinf(size) else share * (j + r) / (j + 1)
        j += 1
    return below + at, upper


@pytest.mark.parametrize("size", [0.3, 1.0, 20.0, 1e4, 1e8, math.inf])
@pytest.mark.parametrize("mean", [0.001, 0.8, 12.0, 250.0])
def test_both_tails_are_exact_deep_into_either(mean: float, size: float) -> None:
    mean = min(mean, 200.0 * size)  # the exact sum of a heavier tail has too many terms
    deviation = math.sqrt(mean + mean * mean / size)
    for k in sorted({max(0, round(mean + away * deviation)) for away in (-30, -8, -2, 0, 1, 6, 25)}):
        for found, right in zip(tails(k, mean, size), exact(k, mean, size), strict=True):
            if right > mp.mpf(10) ** -250:
                assert abs(mp.mpf(found) / right - 1) < 1e-11, (k, found, right)


def test_the_geometric_is_its_powers() -> None:
    # size 1: P(X >= k) = (m / (1 + m))^k
    for k in (0, 1, 7, 300):
        assert tails(k, 4.0, 1.0)[1] == pytest.approx(0.8**k, rel=1e-12)


def test_nothing_where_nothing_is_expected_is_no_surprise() -> None:
    assert tails(0, 0.0, 5.0) == (1.0, 1.0)
    assert tails(0, 0.0, math.inf) == (1.0, 1.0)
    assert tails(1, 0.0, 5.0) == (1.0, 0.0)


def test_what_is_not_known_has_no_tail_and_no_interval() -> None:
    for arguments in ((math.nan, 3.0, 2.0), (3.0, math.nan, 2.0), (3.0, 3.0, math.nan)):
        assert all(math.isnan(tail) for tail in tails(*arguments))
    low, high = count_interval(np.array([math.nan, 2.0]), np.array([1.0, 2.0]), 0.1)
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == (0.0, 6.0)


def test_a_fraction_is_rounded() -> None:
    assert tails(3.4, 2.0, 5.0) == tails(3, 2.0, 5.0)
    assert tails(-0.4, 2.0, 5.0) == tails(0, 2.0, 5.0)


sizes = st.one_of(st.floats(0.05, 1e9), st.just(math.inf))
cases = st.floats(1e-3, 1e5).flatmap(
    lambda mean: st.tuples(st.integers(0, math.ceil(4 * mean) + 5), st.just(mean), sizes)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(cases, min_size=7, max_size=30), st.floats(1e-9, 0.4))
def test_an_element_depends_on_nothing_but_itself_to_the_last_bit(
    rows: list[tuple[int, float, float]], alpha: float
) -> None:
    k, mean, size = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    lower, upper = count_tails(k, mean, size)
    low, high = count_interval(mean, size, alpha)
    back = count_tails(k[::-1], mean[::-1], size[::-1])
    assert back[0][::-1].tolist() == lower.tolist()
    for i, row in enumerate(rows):
        assert tails(*row) == (lower[i], upper[i])
        one = count_interval(array(row[1]), array(row[2]), alpha)
        assert (one[0][0], one[1][0]) == (low[i], high[i])
        # what seeks one interval's bounds reads the same tails
        assert (_lower_of_one(*row), _upper_of_one(*row)) == (lower[i], upper[i])


@settings(max_examples=150, deadline=None)
@given(cases, st.integers(1, 500))
def test_a_worse_window_never_has_a_larger_p_and_the_tails_share_the_outcome(
    case: tuple[int, float, float], step: int
) -> None:
    k, mean, size = case
    lower, upper = tails(*case)
    worse_lower, worse_upper = tails(k + step, mean, size)
    assert worse_lower >= lower * (1 - 1e-10)
    assert worse_upper <= upper * (1 + 1e-10)
    assert lower + upper >= 1 - 1e-12
    if k > 0:
        assert lower + upper - 1 == pytest.approx(lower - tails(k - 1, mean, size)[0], abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-4, 1e6), sizes, st.floats(1e-10, 0.4))
def test_the_interval_holds_exactly_what_the_test_accepts(mean: float, size: float, alpha: float) -> None:
    low, high = (float(bound[0]) for bound in count_interval(array(mean), array(size), alpha))
    level = 0.5 * alpha
    assert tails(low, mean, size)[0] > level
    assert tails(high, mean, size)[1] > level
    assert tails(high + 1, mean, size)[1] <= level
    if low > 0:
        assert tails(low - 1, mean, size)[0] <= level


@pytest.mark.parametrize("mean", [0.2, 3.0, 400.0, 1e6])
def test_p_values_are_uniform_or_conservative_under_the_model(mean: float) -> None:
    rng = np.random.default_rng(11)
    draws, size = 40_000, 25.0
    k = rng.negative_binomial(size, size / (size + mean), draws).astype(np.float64)
    for p in count_tails(k, np.full(draws, mean), np.full(draws, size)):
        for level in (0.001, 0.01, 0.1, 0.5):
            noise = 4 * math.sqrt(level * (1 - level) / draws)
            assert (p <= level).mean() <= level + noise
            if mean == 1e6:
                assert (p <= level).mean() >= level - noise


def test_just_below_the_mean_of_a_nearly_poisson_count_both_ways_are_exact() -> None:
    # where the incomplete beta function by itself is off in the ninth digit
    case = (28, 28.95463124654157, 1e8)
    right = exact(*case)[1]
    for found in (tails(*case)[1], _upper_of_one(*case)):
        assert abs(mp.mpf(found) / right - 1) < 1e-11


@settings(max_examples=100, deadline=None)
@given(st.lists(cases, min_size=1, max_size=12))
def test_of_the_outer_tails_the_smaller_is_exact_and_the_larger_promises_no_more_than_it_is(
    rows: list[tuple[int, float, float]],
) -> None:
    k, mean, size = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    lower, upper = count_tails(k, mean, size)
    low, high = outer_count_tails(k, mean, size)
    assert np.minimum(low, high).tolist() == np.minimum(lower, upper).tolist()
    assert np.all(np.maximum(low, high) <= np.maximum(lower, upper) * (1.0 + 1e-9))
    assert np.all(np.maximum(low, high) >= 0.5)
    assert ((low <= high) == (lower <= upper)).all() or np.isclose(lower, upper).any()
    for i, row in enumerate(rows):
        assert outer_tails_of_one(*row) == (low[i], high[i])
