"""Rows of a file onto the regular grid that they were meant for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auditor.detection.windows import Floats

DAY_SECONDS: Final = 86_400
WEEK_SECONDS: Final = 7 * DAY_SECONDS
WEEKLY_FROM_SECONDS: Final = DAY_SECONDS // 4
"""Intervals from here on have too few points a day for a daily shape: the week repeats instead."""
STEPS_LOOKED_AT: Final = 100
"""Steps that tell the interval; a fixed number, so that more rows change nothing of what is known of the first."""
MOST_SLOTS_A_POINT: Final = 1000
"""Slots of the grid for each point, beyond which the rows are no regular series."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Distinct points in the order of time.

    Parameters
    ----------
    slot
        Shape (n,): whole intervals since the first point, rising.
    value
        Shape (n,): what was measured, finite.
    seconds
        The interval, above 0.
    period
        Intervals after which the shape repeats, at least 1: those of a day, or of a week where the interval is six hours or more.
    row
        Shape (rows,): which point each row of the input is, -1 where it has no value.
    """

    slot: NDArray[np.int64]
    value: Floats
    seconds: float
    period: int
    row: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.value)


def lay_out(timestamps: Floats, values: Floats) -> Grid:
    """Put rows in any order, with gaps and duplicates, onto a grid of their most common step.

    Parameters
    ----------
    timestamps
        Seconds, shape (rows,), finite.
    values
        Shape (rows,); what is not finite is no point.

    Returns
    -------
    grid
        The interval is the median of the first hundred steps. Of rows that fall on one slot the first of the input counts.

    Raises
    ------
    ValueError
        If the timestamps are so far apart, measured by that interval, that they are no regular series.
    """
    order = np.argsort(timestamps, kind="stable")
    known = order[np.isfinite(values[order])]
    row = np.full(len(timestamps), -1, dtype=np.int64)
    at = timestamps[known]
    steps = np.diff(at)
    steps = steps[steps > 0][:STEPS_LOOKED_AT]
    if not len(steps):
        row[known] = 0
        first = np.sort(known)[:1]
        return Grid(np.zeros(len(first), dtype=np.int64), values[first], 60.0, DAY_SECONDS // 60, row)
    seconds = float(np.median(steps))
    slot = np.rint((at - at[0]) / seconds).astype(np.int64)
    if slot[-1] > MOST_SLOTS_A_POINT * (len(at) + STEPS_LOOKED_AT):
        raise ValueError(
            f"the timestamps span {slot[-1]} intervals of {seconds:g} s for {len(at)} points: that is no regular series"
        )
    fresh = np.append(True, slot[1:] != slot[:-1])
    point = np.cumsum(fresh) - 1
    row[known] = point
    # sorted by time alone: of equal slots the first row of the input is to count
    first_row = np.full(int(point[-1]) + 1, len(timestamps), dtype=np.int64)
    np.minimum.at(first_row, point, known) if len(first_row) != len(known) else first_row.__setitem__(
        point, known
    )
    repeats = DAY_SECONDS if seconds < WEEKLY_FROM_SECONDS else WEEK_SECONDS
    period = max(round(repeats / seconds), 1)
    return Grid(slot[fresh], values[first_row], seconds, period, row)
