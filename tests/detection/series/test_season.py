"""The season and the blocks against plain definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.series.blocks import Blocks
from auditor.detection.series.season import DAYS, seasonal


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 90), st.booleans())
def test_the_season_is_the_median_of_the_last_fourteen_periods(seed: int, periods: int, holes: bool) -> None:
    rng = np.random.default_rng(seed)
    period = 24
    values = rng.normal(size=periods * period)
    if holes:
        values[rng.random(len(values)) < 0.05] = np.nan
    shape, spread = (part.reshape(periods, period) for part in seasonal(values, period))
    rows = values.reshape(periods, period)
    assert np.isnan(shape[0]).all()
    for day in (1, periods // 2, periods - 1):
        past = rows[max(0, day - DAYS) : day, 5]
        known = past[np.isfinite(past)]
        if day and len(known):
            np.testing.assert_allclose(shape[day, 5], np.median(known), rtol=1e-14)
            wanted = 1.48 * np.median(np.abs(known - np.median(known)))
            np.testing.assert_allclose(spread[day, 5], wanted, rtol=1e-12, atol=1e-15)


def test_half_of_the_blocks_have_their_largest_beyond_one() -> None:
    rng = np.random.default_rng(3)
    size = np.abs(rng.normal(size=60 * 2000))
    blocks = Blocks.of(len(size), 1440)
    calibrated = blocks.calibrated(size, blocks.calibration(size))
    largest = calibrated.reshape(-1, 60).max(axis=1)[500:]
    assert 0.45 < (largest > 1.0).mean() < 0.55


def test_one_wild_block_in_ten_moves_the_scale_by_little() -> None:
    rng = np.random.default_rng(4)
    residual = rng.normal(size=60 * 480)
    blocks = Blocks.of(len(residual), 1440)
    clean = blocks.scale(residual, 12.0)[-1]
    for block in range(0, 480, 10):
        residual[60 * block : 60 * block + 60] *= 100.0
    assert blocks.scale(residual, 12.0)[-1] < 1.35 * clean
