"""What lasts, against plain definitions and over a fault of days."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.series.blocks import Blocks
from auditor.detection.series.features import describe
from auditor.detection.series.grid import lay_out
from auditor.detection.series.lasting import LASTING, Lasting, OffSeason

Floats = np.typing.NDArray[np.float64]
DAY = 288
ORDINARY_DAYS, FAULT_DAYS = 10, 4


def outage() -> Floats:
    """Ten ordinary days of five-minute points, and four at a fifth of their level."""
    rng = np.random.default_rng(2)
    at = np.arange((ORDINARY_DAYS + FAULT_DAYS) * DAY)
    value = 100.0 + 30.0 * np.sin(2 * np.pi * at / DAY) + rng.normal(0.0, 3.0, len(at))
    value[ORDINARY_DAYS * DAY :] *= 0.2
    return np.asarray(value)


def features(value: Floats) -> dict[str, Floats]:
    return describe(lay_out(300.0 * np.arange(len(value), dtype=np.float64), value)).features


def test_a_fault_of_four_days_is_as_strange_in_its_last_hour_as_ordinary_points_never_are() -> None:
    found = features(outage())
    ordinary, last = slice(5 * DAY, ORDINARY_DAYS * DAY), slice(-12, None)
    for name in LASTING:
        assert found[name][last].min() > found[name][ordinary].max(), name
    # the scales that follow within a day have taken it for usual: so there is something to hold
    assert found["seas_e"][last].max() < 1.5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(0, 3))
def test_what_is_usual_is_the_median_of_the_blocks_with_a_season(seed: int, number: int, late: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = Blocks(12 * number, 12)
    known = np.arange(blocks.count) >= 12 * late - 3
    off = OffSeason(rng.normal(size=blocks.count), known, np.zeros(blocks.count))
    lasting = Lasting(blocks, 1.0, off, np.full(blocks.count, 0.1))
    of_blocks = rng.random(blocks.whole)
    found = blocks.rows(lasting._median_before(of_blocks))
    first = max(late, 1)
    assert (found == found[:, :1]).all()
    for block in range(number):
        past = of_blocks[first:block]
        # the window is full at first with the earliest block of all
        padded = np.concatenate([np.full(max(15 - len(past), 0), past[0]), past[-15:]]) if len(past) else past
        assert found[block, 0] == (np.median(padded) if len(past) else np.inf)


def test_nothing_is_held_before_there_is_a_season() -> None:
    found = features(outage()[: DAY - 1])
    for name in LASTING:
        assert found[name].max() < 1.0, name
