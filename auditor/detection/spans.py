"""The spans that end with each window: sums over its last few, added in one order so that no split into blocks shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.tails.gauge import normal_tails
from auditor.detection.tested import LEAD, LEAST_KNOWN, SPANS

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

Mask = np.typing.NDArray[np.bool_]

NEAR: Final = 1.5
"""Deviations within which a span is not looked at more closely."""
FAR: Final = 2.0
"""Deviations within which tails are taken to be the normal's: what is no further out rejects nothing, and is learned from only as something that the
largest of an hour exceeds."""
FEW: Final = 2.0
_LEAST: Final = np.array([float(LEAST_KNOWN[test]) for test in SPANS])[:, None, None]


def span_sums(values: Floats, lead: int) -> Floats:
    """Sums over the last 4 and the last 15 windows, for windows `lead`.. along the last axis, shape (2, ..., n).

    Windows before the first given count as nothing; `lead` is at most 14. Two, four and eight neighbours are added first, always the same
    ones, whatever stands beside them.
    """
    if lead < LEAD:
        values = np.concatenate([np.zeros((*values.shape[:-1], LEAD - lead)), values], axis=-1)
    rows = values.reshape(-1, values.shape[-1])
    count = rows.shape[1] - LEAD
    sums = np.empty((2, len(rows), count))
    # row by row, in room that a processor has at hand
    two, four, eight = (np.empty(rows.shape[1] - shorter) for shorter in (1, 3, 7))
    for row, few, quarter in zip(rows, sums[0], sums[1], strict=True):
        np.add(row[1:], row[:-1], out=two)
        np.add(two[2:], two[:-2], out=four)
        np.add(four[4:], four[:-4], out=eight)
        few[:] = four[11:]
        np.add(eight[7:], four[3 : 3 + count], out=quarter)
        np.add(quarter, two[1 : 1 + count], out=quarter)
        np.add(quarter, row[:count], out=quarter)
    return sums.reshape(2, *values.shape[:-1], count)


def newest_sums(values: Floats) -> tuple[Floats, Floats]:
    """`span_sums` of the newest of 15 windows, which come first; rows of numbers that are summed up."""
    two = values[0:14:2] + values[1:14:2]
    four = two[0:6:2] + two[1:6:2]
    return four[0], (four[0] + four[1]) + four[2] + two[6] + values[14]


def enough_known(there: Mask, said: Floats) -> Mask:
    """Where a span says enough, shape (2, rows, n): its newest window `there` and so many of its windows, `said`."""
    return there & (said >= _LEAST)


def worth_tails(far: Mask, z: Floats, window_z: Floats, enough: Mask) -> tuple[Mask, Floats, Floats]:
    """Where spans are worth exact tails, `far` out and the newest window on the same side, and tails to be put right there."""
    aside = enough & (z * window_z > 0.0)
    near = aside & (np.abs(z) > NEAR)
    low = np.where(enough, 1.0, np.nan)
    high = low.copy()
    low[near], high[near] = normal_tails(z[near])
    return aside & far, low, high


def far_below(count: Floats, expected: Floats, deviation: Floats) -> Mask:
    """Where a count is more than `FAR` deviations below what is expected, the deviation taken as a difference or as a factor.

    Where it is large beside the expectation nothing is so far below as a difference, for no count is below nought; as a factor more
    counts are: e / (1 + d) is never less than e - d e. Where so `FEW` are expected that nothing at all is no surprise, factors say nothing: no
    mixture of Poisson counts is nought less often than the Poisson of its mean.
    """
    reach = FAR * deviation
    by_factor = (count * (expected + reach) < expected * expected) & (expected >= FEW)
    return by_factor | (count < expected - reach)
