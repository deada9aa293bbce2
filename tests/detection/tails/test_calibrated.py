"""Tails as a cache has shown them: what the estimates owe, and what they may not do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.tails.calibrated import (
    EXCEEDING,
    MOST_SURPRISE,
    Tail,
    model_threshold,
    multiplicity_of,
    slowed,
    tail_from_block_maxima,
    tail_levels,
    tails_from_block_maxima,
)

Floats = np.typing.NDArray[np.float64]
TESTS = 60
PROMISED = 1e-3


def maxima(hours: int, factor: float = 1.0, *, seed: int = 1) -> Floats:
    """The largest surprise of each hour, of sixty independent tests whose -ln p runs `factor` times too fast."""
    u = np.random.default_rng(seed).uniform(size=hours)
    return np.asarray(-factor * np.log(-np.expm1(np.log(u) / TESTS)))


def level_at(tail: Tail, probability: float) -> float:
    return float(tail_levels(np.array([tail.threshold, tail.scale, tail.shape]), probability))


def achieved(tail: Tail, factor: float) -> float:
    """How often an hour of `maxima` exceeds the level that was to be exceeded with `PROMISED`."""
    return -math.expm1(TESTS * math.log1p(-math.exp(-level_at(tail, PROMISED) / factor)))


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.5, 3.0])
def test_a_month_of_hours_gives_levels_that_keep_their_promise(factor: float) -> None:
    rates = [
        achieved(tail_from_block_maxima(maxima(672, factor, seed=seed), model_threshold(TESTS), 1.2), factor)
        for seed in range(100)
    ]
    assert 0.5 * PROMISED < np.median(rates) < 1.5 * PROMISED
    assert np.mean(rates) < 2.0 * PROMISED


def test_a_power_law_of_surprises_is_believed_as_far_as_it_has_been_seen() -> None:
    u = np.random.default_rng(4).uniform(size=672)
    heavy = tail_from_block_maxima(3.0 * u**-0.4, model_threshold(TESTS), 1.2)
    assert 0.1 < heavy.shape < 0.5
    exponential = tail_from_block_maxima(maxima(672), model_threshold(TESTS), 1.2)
    assert exponential.shape < 0.1


def test_without_hours_the_level_is_the_prior_s_and_with_few_near_it() -> None:
    threshold = model_threshold(TESTS)
    prior = Tail(threshold, 1.2, 0.0)
    assert tail_from_block_maxima(np.zeros(0), threshold, 1.2) == prior
    assert tail_from_block_maxima(np.array([math.nan, math.inf]), threshold, 1.2) == prior
    few = tail_from_block_maxima(np.full(3, 80.0), threshold, 1.2)
    assert few.threshold < threshold + 3 / 27 * 80


@given(st.integers(0, 2**31), st.integers(18, 32) | st.integers(1, 700))
def test_tails_fitted_together_are_those_of_each_alone(seed: int, hours: int) -> None:
    rng = np.random.default_rng(seed)
    peaks = rng.exponential(3.0, size=(hours, 5)) * [1.0, 0.1, 40.0, 1.0, 1.0]
    peaks[:, 2] **= 2
    peaks[:, 3] = peaks[:, 3].round()
    peaks[rng.random(peaks.shape) < [0.0, 0.5, 0.1, 0.0, 1.0]] = np.nan
    threshold, scale = np.array([4.0, 3.0, 2.0, 1.0, 5.0]), np.array([1.2, 1.7, 1.2, 1.2, 1.7])
    found = tails_from_block_maxima(peaks.T, threshold, scale)
    for at, tail in enumerate(found.tolist()):
        alone = _plainly_fitted(peaks[:, at], float(threshold[at]), float(scale[at]))
        assert tail == pytest.approx(alone, rel=1e-12)


def _plainly_fitted(maxima: Floats, threshold: float, scale: float) -> tuple[float, float, float]:
    """`tail_from_block_maxima` as its notes have it: quantile, L-moments of what is beyond it, blended with what was believed."""
    known = sorted(value for value in maxima.tolist() if math.isfinite(value))
    if not known:
        return threshold, scale, 0.0
    seen = known[math.ceil((len(known) - 1) * 0.8)]
    excess = [value - seen for value in known if value > seen]
    number = len(excess)
    mean, shape = math.fsum(excess) / number if excess else scale, 0.0
    if number >= 5:
        ranked = math.fsum(rank * value for rank, value in enumerate(excess)) / (number * (number - 1))
        shape = min(max(2.0 - mean / (2.0 * ranked - mean), 0.0), 0.5) if 2.0 * ranked > mean else 0.0
    trust, in_scale = len(known) / (len(known) + 24.0), number / (number + 8.0)
    shape *= number / (number + 80.0)
    scale = (in_scale * mean + (1.0 - in_scale) * scale) * (1.0 - shape)
    return trust * seen + (1.0 - trust) * threshold, max(scale, 0.1), shape


def test_the_model_s_threshold_is_what_a_fifth_of_the_hours_exceeds() -> None:
    exceeded = maxima(100_000) > model_threshold(TESTS)
    assert exceeded.mean() == pytest.approx(EXCEEDING, abs=0.005)
    assert model_threshold(1) == pytest.approx(math.log(5), rel=1e-14)


@given(st.floats(0.0, 20.0), st.floats(0.1, 10.0), st.floats(0.0, 0.5), st.floats(1e-9, 0.2))
def test_levels_and_rarity_undo_each_other(
    threshold: float, scale: float, shape: float, probability: float
) -> None:
    tail = Tail(threshold, scale, shape)
    level = level_at(tail, probability)
    assert threshold <= level <= MOST_SURPRISE
    if level < MOST_SURPRISE:
        rarity = float(tail.rarity(np.array([level]))[0])
        assert rarity == pytest.approx(-math.log(probability), rel=1e-6)
    assert level_at(tail, probability / 2) >= level


@given(st.lists(st.floats(0.0, 600.0), max_size=200).map(np.array), st.floats(1.0, 100.0))
def test_more_surprising_hours_never_lower_the_level(values: Floats, more: float) -> None:
    def level(surprises: Floats) -> float:
        return level_at(tail_from_block_maxima(surprises, 5.0, 1.2), PROMISED)

    assert level(values + more) >= level(values) - 1e-9


def test_independent_tests_are_counted_and_equal_ones_are_one() -> None:
    rng = np.random.default_rng(7)
    independent = rng.exponential(size=(5000, 10)).max(axis=1)
    assert multiplicity_of(independent, 3.0) == pytest.approx(10, rel=0.15)
    assert multiplicity_of(rng.exponential(size=5000), 12.0) == pytest.approx(1.0, abs=0.2)
    assert multiplicity_of(np.zeros(0), 12.0) == 12.0
    assert multiplicity_of(np.zeros(500), 12.0) >= 1.0


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50), st.floats(10.0, 60.0))
def test_slowing_keeps_order_ends_and_position(values: list[float], level: float) -> None:
    p = np.array(values)
    found = slowed(p, level, 10.0)
    assert np.all((found >= p * (1 - 1e-13)) & (found <= 1.0))
    assert [slowed(p[i : i + 1], level, 10.0)[0] for i in range(len(p))] == found.tolist()
    assert np.all(np.diff(found[np.argsort(p)]) >= -1e-15)


def test_what_is_at_the_level_is_seen_at_the_nominal_one() -> None:
    p = np.array([0.0, math.exp(-20.0), math.exp(-10.0), 1.0, math.nan])
    np.testing.assert_allclose(
        slowed(p, 20.0, 10.0), [0.0, math.exp(-10.0), math.exp(-5.0), 1.0, math.nan], rtol=1e-13
    )
    assert slowed(p, 9.0, 10.0) is p
