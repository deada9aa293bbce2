"""Beta-binomial tails against exact arithmetic, and the laws that every window test owes."""

from __future__ import annotations

import math

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc, betaincc

from auditor.detection.tails.proportion import LEAST_MEAN, proportion_interval, proportion_tails

mp.mp.dps = 50


def array(value: float) -> np.typing.NDArray[np.float64]:
    return np.array([value], dtype=np.float64)


def tails(k: float, n: float, mean: float, concentration: float) -> tuple[float, float]:
    lower, upper = proportion_tails(array(k), array(n), array(mean), array(concentration))
    return float(lower[0]), float(upper[0])


def exact(k: int, n: int, mean: float, concentration: float) -> tuple[mp.mpf, mp.mpf]:
    """Both tails, every term added, in 50 digits: C(n, j) B(j + a, n - j + b) / B(a, b)."""
    a, b = mp.mpf(mean * concentration), mp.mpf((1.0 - mean) * concentration)
    term = mp.beta(a, n + b) / mp.beta(a, b)
    lower = upper = mp.mpf(0)
    for j in range(n + 1):
        lower += term if j <= k else 0
        upper += term if j >= k else 0
        term = term * (n - j) * (j + a) / ((j + 1) * (n - j - 1 + b)) if j < n else term
    return lower, upper


def same(found: float, right: mp.mpf) -> None:
    if right > mp.mpf(10) ** -300:
        assert abs(mp.mpf(found) / right - 1) < 1e-11, (found, right)
    else:
        assert 0 <= found < 1e-299


@pytest.mark.parametrize("concentration", [0.5, 1.0, 3.0, 40.0, 1e4, 1e9])
@pytest.mark.parametrize("mean", [1e-6, 0.03, 0.5, 0.75, 0.999])
@pytest.mark.parametrize("n", [1, 2, 7, 60, 400])
def test_both_tails_are_exact_at_every_number_of_trials(n: int, mean: float, concentration: float) -> None:
    for k in sorted({0, 1, n // 3, n // 2, round(n * mean), n - 1, n}):
        lower, upper = tails(k, n, mean, concentration)
        right = exact(k, n, mean, concentration)
        same(lower, right[0])
        same(upper, right[1])


def test_the_beta_binomial_of_a_fair_pair_is_uniform() -> None:
    # a = b = 1: every outcome of 0..n has probability 1 / (n + 1)
    for n in (1, 10, 5000, 10**7):
        for k in (0, n // 4, n):
            lower, upper = tails(k, n, 0.5, 2.0)
            assert lower == pytest.approx((k + 1) / (n + 1), rel=1e-10)
            assert upper == pytest.approx((n - k + 1) / (n + 1), rel=1e-10)


@pytest.mark.parametrize(
    ("k", "n", "mean", "concentration"),
    [
        # sums of every term below k in 64-bit mantissas from a first term in 40 digits; both ways of adding are met
        (64697, 657154, 0.1, 1e9),
        (12000, 20000, 0.75, 3e3),
        (700, 20000, 0.05, 2.5),
        (150_000, 1_000_000, 0.5, 1.5),
    ],
)
def test_a_hundred_thousand_trials_are_as_exact(k: int, n: int, mean: float, concentration: float) -> None:
    a, b = mp.mpf(mean * concentration), mp.mpf((1.0 - mean) * concentration)
    log_last = mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)
    log_last += mp.loggamma(k + a) + mp.loggamma(n - k + b) - mp.loggamma(n + a + b)
    log_last += mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)
    j = np.arange(k, 0, -1).astype(np.longdouble)
    ratios = j * (n - j + np.longdouble(b)) / ((n - j + 1) * (j - 1 + np.longdouble(a)))
    total = 1 + np.cumprod(ratios)[::-1].sum()
    right = mp.exp(log_last) * mp.mpf(str(total))
    same(tails(k, n, mean, concentration)[0], right)
    # the failures' upper tail is the same number; 1 - mean is exact for none of these but the half
    assert tails(n - k, n, 1.0 - mean, concentration)[1] == pytest.approx(float(right), rel=1e-9)


def test_an_infinite_concentration_is_the_binomial() -> None:
    for n, k, mean in ((50, 3, 0.2), (50, 30, 0.2), (900, 700, 0.75)):
        # pbinom(k, n, mean) in R; here as the regularised incomplete beta function, in 50 digits
        right = mp.betainc(n - k, k + 1, 0, 1 - mp.mpf(mean), regularized=True)
        rest = mp.betainc(k, n - k + 1, 0, mp.mpf(mean), regularized=True)
        same(tails(k, n, mean, math.inf)[0], right)
        same(tails(k, n, mean, math.inf)[1], rest)
    n, k, mean = 1_000_000, 253_000, 0.25
    lower, upper = tails(k, n, mean, math.inf)
    assert lower == pytest.approx(betaincc(k + 1, n - k, mean), rel=1e-10)
    assert upper == pytest.approx(betainc(k, n - k + 1, mean), rel=1e-10)


def test_no_trials_are_no_evidence() -> None:
    assert tails(0, 0, 0.7, 40.0) == (1.0, 1.0)
    low, high = proportion_interval(array(0), array(0.7), array(40.0), 0.01)
    assert (float(low[0]), float(high[0])) == (0.0, 1.0)


def test_what_is_not_known_has_no_tail() -> None:
    for arguments in (
        (math.nan, 5, 0.5, 9),
        (1, math.nan, 0.5, 9),
        (1, 5, math.nan, 9),
        (1, 5, 0.5, math.nan),
    ):
        assert all(math.isnan(tail) for tail in tails(*arguments))
        many = [np.full(50, argument, dtype=np.float64) for argument in arguments]
        assert all(np.isnan(tail).all() for tail in proportion_tails(*many))
        if not math.isnan(arguments[0]):
            for some in (many, [column[:1] for column in many]):
                bounds = proportion_interval(some[1], some[2], some[3], 0.01)
                assert all(np.isnan(bound).all() for bound in bounds)


def test_averages_are_rounded_and_outcomes_kept_within_the_trials() -> None:
    assert tails(2.6, 10.4, 0.3, 20) == tails(3, 10, 0.3, 20)
    assert tails(2.5, 10, 0.3, 20) == tails(2, 10, 0.3, 20)
    assert tails(12, 10, 0.3, 20) == tails(10, 10, 0.3, 20)
    assert tails(-1, 10, 0.3, 20) == tails(0, 10, 0.3, 20)


def test_a_certain_rate_leaves_room_for_an_exception() -> None:
    lower, upper = tails(1, 100, 0.0, 50.0)
    assert lower == pytest.approx(1.0, abs=1e-12)
    assert 0 < upper < 1000 * LEAST_MEAN
    assert tails(99, 100, 1.0, 50.0)[0] == pytest.approx(upper, rel=0.2)


trials = st.one_of(st.integers(0, 60), st.integers(0, 3000), st.integers(0, 10**7))
means = st.one_of(st.floats(1e-6, 1 - 1e-6), st.sampled_from([0.0, 1e-9, 0.5, 1.0]))
concentrations = st.one_of(st.floats(0.3, 1e6), st.sampled_from([1.0, 2.0, 1e12, math.inf]))
cases = trials.flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), means, concentrations))


@settings(max_examples=60, deadline=None)
@given(st.lists(cases, min_size=7, max_size=30), st.floats(1e-9, 0.4))
def test_an_element_depends_on_nothing_but_itself_to_the_last_bit(
    rows: list[tuple[int, int, float, float]], alpha: float
) -> None:
    k, n, mean, concentration = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    lower, upper = proportion_tails(k, n, mean, concentration)
    low, high = proportion_interval(n, mean, concentration, alpha)
    back = proportion_tails(k[::-1], n[::-1], mean[::-1], concentration[::-1])
    assert back[0][::-1].tolist() == lower.tolist()
    for i, row in enumerate(rows):
        assert tails(*row) == (lower[i], upper[i])
        one = proportion_interval(array(row[1]), array(row[2]), array(row[3]), alpha)
        assert (one[0][0], one[1][0]) == (low[i], high[i])


@settings(max_examples=150, deadline=None)
@given(cases)
def test_the_tails_share_the_outcome_and_nothing_else(case: tuple[int, int, float, float]) -> None:
    k = case[0]
    lower, upper = tails(*case)
    assert 0 <= lower <= 1
    assert 0 <= upper <= 1
    # P(X <= k) + P(X >= k) = 1 + P(X = k); without trials both are 1 by decision
    assert lower + upper >= 1 - 1e-12
    if k > 0:
        assert lower + upper - 1 == pytest.approx(lower - tails(k - 1, *case[1:])[0], abs=1e-10)


@settings(max_examples=150, deadline=None)
@given(cases, st.integers(1, 500))
def test_a_worse_window_never_has_a_larger_p(case: tuple[int, int, float, float], step: int) -> None:
    k, n, mean, concentration = case
    lower, upper = tails(*case)
    worse = min(k + step, n)
    worse_lower, worse_upper = tails(worse, n, mean, concentration)
    assert worse_lower >= lower * (1 - 1e-10)
    assert worse_upper <= upper * (1 + 1e-10)


@settings(max_examples=150, deadline=None)
@given(cases.filter(lambda case: 1e-3 < case[2] < 1 - 1e-3))
def test_successes_and_failures_are_one_test(case: tuple[int, int, float, float]) -> None:
    k, n, mean, concentration = case
    # a mean whose complement has all its digits
    mean = round(mean * 2**20) / 2**20
    assert tails(k, n, mean, concentration) == pytest.approx(
        tails(n - k, n, 1.0 - mean, concentration)[::-1], rel=1e-11, abs=1e-300
    )


@pytest.mark.parametrize("n", [1, 5, 200, 20_000, 1_000_000])
def test_p_values_are_uniform_or_conservative_under_the_model(n: int) -> None:
    rng = np.random.default_rng(n)
    draws = 20_000 if n < 10_000 else 3000
    a, b = 30.0, 10.0
    k = rng.binomial(n, rng.beta(a, b, draws)).astype(np.float64)
    whole = np.full(draws, float(n))
    lower, upper = proportion_tails(k, whole, np.full(draws, a / (a + b)), np.full(draws, a + b))
    for p in (lower, upper):
        for level in (20 / draws, 0.03, 0.1, 0.5):
            bound = level + 4 * math.sqrt(level * (1 - level) / draws)
            assert (p <= level).mean() <= bound
            if n >= 20_000:
                assert (p <= level).mean() >= level - 4 * math.sqrt(level * (1 - level) / draws) - 0.0005


@settings(max_examples=60, deadline=None)
@given(trials.filter(bool), means, concentrations, st.floats(1e-10, 0.4))
def test_the_interval_holds_exactly_what_the_test_accepts(
    n: int, mean: float, concentration: float, alpha: float
) -> None:
    low, high = proportion_interval(array(n), array(mean), array(concentration), alpha)
    lowest, highest = round(float(low[0]) * n), round(float(high[0]) * n)
    level = 0.5 * alpha
    nearly = 1 + 1e-9
    assert 0 <= lowest <= n
    assert 0 <= highest <= n
    assert tails(lowest, n, mean, concentration)[0] * nearly > level
    assert tails(highest, n, mean, concentration)[1] * nearly > level
    if lowest > 0:
        assert tails(lowest - 1, n, mean, concentration)[0] <= level * nearly
    if highest < n:
        assert tails(highest + 1, n, mean, concentration)[1] <= level * nearly
