"""Rows in, rows out: the scores of a series of whatever kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.series.blocks import Blocks
from auditor.detection.series.features import describe
from auditor.detection.series.grid import WEEK_SECONDS, lay_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auditor.detection.series.grid import Grid
    from auditor.detection.series.model import Beside, Model
    from auditor.detection.windows import Floats

INTERVAL_SIZE: Final = 2.0
"""The calibrated residual at which an interval ends: of normal noise in one-minute points four standard deviations."""
LEARNING_BLOCKS: Final = 2
"""Blocks, of an hour or so, before anything is called strange."""
MOST_P: Final = 0.05
"""However generous the budget, and however long the interval, what is more common than this is not flagged."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One number for each row of the input, shape (rows,) each; NaN (and no flag) where the row has no value.

    Parameters
    ----------
    expected, lower, upper
        What the value should have been, and how far it could have been off; NaN where too little was known.
    score
        Above 0; higher is stranger.
    p_value
        How often a point of an ordinary series begins something as strange.
    flag
        Whether that is rarer than the budget allows.
    seconds
        The interval that was taken.
    """

    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats
    p_value: Floats
    flag: NDArray[np.bool_]
    seconds: float


def learning_points(grid: Grid) -> int:
    """How many points come before anything is called strange."""
    return LEARNING_BLOCKS * Blocks.of(len(grid), grid.period).size


def score_series(
    timestamps: Floats, values: Floats, model: Model, alarms_per_week: float, beside: Beside | None = None
) -> Scored:
    """Score a regular series without a unit, from each point's past alone.

    Parameters
    ----------
    timestamps, values
        Shape (rows,): seconds, finite; rows may be in any order and twice, and their values missing (NaN).
    model
        The weights.
    alarms_per_week
        The budget of false alarms, above 0.
    beside
        Begins what can be done meanwhile; see `Beside`.

    Raises
    ------
    ValueError
        If the timestamps are no regular series; see `lay_out`.
    """
    grid = lay_out(timestamps, values)
    if not len(grid):
        nothing = np.full(len(timestamps), np.nan)
        never = np.zeros(len(timestamps), dtype=np.bool_)
        return Scored(nothing, nothing, nothing, nothing, nothing, never, grid.seconds)
    described = describe(grid)
    score = model.scores(described.features, learning_points(grid), beside)
    p_value = model.p_values(score, grid.seconds)
    flag = p_value <= min(alarms_per_week * grid.seconds / WEEK_SECONDS, MOST_P)
    reach = described.reach_at(INTERVAL_SIZE)
    reach = np.where(np.isfinite(reach), reach, np.nan)
    lower, upper = described.expected - reach, described.expected + reach
    if len(grid) == len(grid.row) and np.array_equal(grid.row, np.arange(len(grid.row))):
        return Scored(described.expected, lower, upper, score, p_value, flag, grid.seconds)
    known = grid.row >= 0

    def by_row(of_points: Floats) -> Floats:
        return np.where(known, of_points[grid.row], np.nan)

    return Scored(
        expected=by_row(described.expected),
        lower=by_row(lower),
        upper=by_row(upper),
        score=by_row(score),
        p_value=by_row(p_value),
        flag=flag[grid.row] & known,
        seconds=grid.seconds,
    )
