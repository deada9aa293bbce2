"""Calibration by block maxima: what the estimate owes, and what it may not do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.tails.calibrated import LEAST_BLOCKS, inflated, inflation_from_block_maxima


def maxima(blocks: int, factor: float, *, seed: int = 1, block: int = 60) -> np.typing.NDArray[np.float64]:
    """The largest -ln p of each block, where -ln p runs `factor` times too fast."""
    u = np.random.default_rng(seed).uniform(size=(blocks, block))
    largest: np.typing.NDArray[np.float64] = -factor * np.log(np.minimum(u, 1.0 - u)).min(axis=1)
    return largest


def test_a_model_that_is_right_is_left_alone_but_for_a_hundredth() -> None:
    found = [inflation_from_block_maxima(maxima(168, 1.0, seed=seed)) for seed in range(200)]
    assert min(found) == 1.0
    assert np.mean(found) < 1.02
    assert max(found) < 1.15


@pytest.mark.parametrize("factor", [1.5, 2.5])
def test_tails_that_run_ahead_are_found_more_fully_the_longer_the_history(factor: float) -> None:
    day, week, month = (
        np.mean([inflation_from_block_maxima(maxima(blocks, factor, seed=seed)) for seed in range(100)])
        for blocks in (24, 168, 720)
    )
    assert 1.0 < day < week < month
    assert month == pytest.approx(factor, rel=0.03)


def test_the_length_of_a_block_is_taken_into_account() -> None:
    found = np.mean(
        [inflation_from_block_maxima(maxima(720, 2.0, seed=seed, block=15), block=15) for seed in range(50)]
    )
    assert found == pytest.approx(2.0, rel=0.05)


def test_calibrated_p_values_are_uniform_in_the_tail_again() -> None:
    factor = inflation_from_block_maxima(maxima(720, 1.8))
    u = np.random.default_rng(9).uniform(size=200_000)
    too_good = u**1.8
    assert (too_good <= 1e-3).mean() > 0.01
    assert (inflated(too_good, factor) <= 1e-3).mean() < 0.0016


def test_too_short_a_history_says_nothing() -> None:
    assert inflation_from_block_maxima(np.full(LEAST_BLOCKS - 1, 80.0)) == 1.0
    assert inflation_from_block_maxima(np.zeros(0)) == 1.0
    assert (
        inflation_from_block_maxima(np.append(np.full(LEAST_BLOCKS - 1, 80.0), [math.nan, math.inf])) == 1.0
    )


def test_a_tenth_of_the_blocks_may_hold_anything() -> None:
    quiet = maxima(168, 1.0)
    spoilt = quiet.copy()
    spoilt[:17] = 1e6
    assert inflation_from_block_maxima(spoilt) <= 1.0 + quiet.max() / 7.0
    assert inflation_from_block_maxima(spoilt) < 2.0


@given(
    st.lists(st.floats(0.0, 1e3), max_size=200).map(np.array),
    st.floats(0.0, 1e3),
)
def test_it_is_never_below_one_and_grows_with_the_maxima(
    values: np.typing.NDArray[np.float64], more: float
) -> None:
    found = inflation_from_block_maxima(values)
    assert found >= 1.0
    assert inflation_from_block_maxima(values + more) >= found


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50), st.floats(1.0, 20.0))
def test_inflating_keeps_order_ends_and_position(values: list[float], factor: float) -> None:
    p = np.array(values)
    slowed = inflated(p, factor)
    assert np.all((slowed >= p * (1 - 1e-13)) & (slowed <= 1.0))
    assert [inflated(p[i : i + 1], factor)[0] for i in range(len(p))] == slowed.tolist()
    order = np.argsort(p)
    assert np.all(np.diff(slowed[order]) >= -1e-15)


def test_inflating_is_a_division_of_minus_log_p() -> None:
    p = np.array([0.0, 1e-300, 1e-12, 0.04, 1.0, math.nan])
    np.testing.assert_allclose(inflated(p, 2.0), [0.0, 1e-150, 1e-6, 0.2, 1.0, math.nan], rtol=1e-13)
    assert inflated(p, 1.0).tolist()[:5] == p.tolist()[:5]


@pytest.mark.parametrize("inflation", [0.99, 0.0, -1.0, math.inf, math.nan])
def test_an_inflation_that_would_sharpen_or_erase_the_tails_is_refused(inflation: float) -> None:
    with pytest.raises(ValueError, match="at least 1 and finite"):
        inflated(np.array([0.5]), inflation)
