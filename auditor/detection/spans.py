"""The spans that end with each window: sums over its last few, added in one order so that no split into blocks shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.tails.gauge import normal_tails
from auditor.detection.tested import LEAD, LEAST_KNOWN, SPANS, WIDTH

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

Mask = np.typing.NDArray[np.bool_]

NEAR: Final = 1.5
"""Deviations within which a span is not looked at more closely."""
FAR: Final = 2.0
"""Deviations within which tails are taken to be the normal's: what is no further out rejects nothing, and is learned from only as something that the
largest of an hour exceeds."""
FEW: Final = 2.0
_LAST: Final = [WIDTH[test] - 1 for test in SPANS]
_LEAST: Final = np.array([float(LEAST_KNOWN[test]) for test in SPANS])[:, None, None]


def span_sums(values: Floats, lead: int) -> Floats:
    """Sums over the last 4 and the last 15 windows, for windows `lead`.. along the last axis, shape (2, ..., n).

    Windows before the first given count as nothing; `lead` is at most 14. The newest comes first, then those before it.
    """
    if lead < LEAD:
        values = np.concatenate([np.zeros((*values.shape[:-1], LEAD - lead)), values], axis=-1)
    count = values.shape[-1] - LEAD
    sums = np.empty((2, *values.shape[:-1], count))
    if count == 1:
        added = np.add.accumulate(values[..., ::-1], axis=-1)
        sums[0, ..., 0], sums[1, ..., 0] = added[..., _LAST[0]], added[..., _LAST[1]]
        return sums
    total = values[..., LEAD:].copy()
    for back in range(1, LEAD + 1):
        total += values[..., LEAD - back : LEAD - back + count]
        if back == _LAST[0]:
            sums[0] = total
    sums[1] = total
    return sums


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
