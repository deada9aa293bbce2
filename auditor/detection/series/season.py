"""What the same time of day has been on the days before, and how far apart those were."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.series.filters import trailing_median

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.detection.windows import Floats

DAYS: Final = 14
"""Periods that the shape is the median of."""
SMOOTH_FROM: Final = 200
"""Points a period from which the two points on either side of each are taken with it."""
SLOTS_AT_ONCE: Final = 8192
"""Of which fourteen arrays stay in the processor's cache."""
TO_SIGMA: Final = 1.48


def seasonal(values: Floats, period: int) -> tuple[Floats, Floats]:
    """The median of the last fourteen periods at each slot, and 1.48 times the median deviation from it.

    Parameters
    ----------
    values
        Shape (slots,), NaN where there is no point.
    period
        Slots after which the shape repeats.

    Returns
    -------
    shape, spread
        Shape (slots,) each, NaN where no earlier period has a point at that slot.
    """
    count = len(values)
    periods = -(-count // period)
    padded = np.full(periods * period, np.nan)
    padded[:count] = values
    rows = (_of_five(padded) if period >= SMOOTH_FROM else padded).reshape(periods, period)
    shape, spread = np.full_like(rows, np.nan), np.full_like(rows, np.nan)
    holes = np.asarray(np.isnan(rows).any(axis=1))
    at_once = max(SLOTS_AT_ONCE // period, 1)
    for first, last in pairwise([1, *range(DAYS, periods, at_once), periods]):
        if first < DAYS or holes[first - DAYS : last - 1].any():
            for day in range(first, last):
                past = rows[max(0, day - DAYS) : day]
                if np.isnan(past).any():
                    shape[day], spread[day] = _with_holes(past)
                else:
                    shape[day] = np.median(past, axis=0)
                    spread[day] = TO_SIGMA * np.median(np.abs(past - shape[day]), axis=0)
        else:
            past_days = [rows[first - back : last - back] for back in range(1, DAYS + 1)]
            shape[first:last] = _middle(past_days)
            spread[first:last] = TO_SIGMA * _middle([np.abs(one - shape[first:last]) for one in past_days])
    return shape.ravel()[:count], spread.ravel()[:count]


def _of_five(values: Floats) -> Floats:
    """The median of each point and its two neighbours on either side, of those that are there."""
    padded = np.concatenate([values, [np.nan, np.nan]])
    found = trailing_median(padded, 5)[2:]
    found[:2] = np.nan
    holes = np.flatnonzero(np.isnan(found))
    around = np.concatenate([[np.nan, np.nan], padded])
    found[holes] = _nan_median(np.stack([around[holes + shift] for shift in range(5)]))
    return found


def _with_holes(past: Floats) -> tuple[Floats, Floats]:
    shape = _nan_median(past)
    return shape, TO_SIGMA * _nan_median(np.abs(past - shape))


def _nan_median(values: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=0))


def _middle(columns: list[Floats]) -> Floats:
    """The median across `DAYS` arrays without NaN, by a sorting network: elementwise, so many at once."""
    work = list(columns)
    for low, high, wanted in _NETWORK:
        smaller = np.minimum(work[low], work[high]) if wanted != "high" else work[low]
        if wanted != "low":
            work[high] = np.maximum(work[low], work[high])
        work[low] = smaller
    half = len(work) // 2
    return np.asarray(0.5 * (work[half - 1] + work[half]))


def _comparators(count: int) -> Iterator[tuple[int, int]]:
    """Batcher's odd-even merge exchange (Knuth, The Art of Computer Programming, vol. 3, 5.2.2, algorithm M)."""
    top = 1 << ((count - 1).bit_length() - 1)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            yield from ((i, i + d) for i in range(count - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1


def _for_the_middle(count: int) -> list[tuple[int, int, str]]:
    """The comparators that the two middle places depend on, each with the side of it that is wanted further on."""
    needed, kept = {count // 2 - 1, count // 2}, []
    for low, high in reversed(list(_comparators(count))):
        sides = needed & {low, high}
        if sides:
            kept.append((low, high, "both" if len(sides) == 2 else "low" if low in sides else "high"))
            needed |= {low, high}
    return kept[::-1]


_NETWORK: Final = _for_the_middle(DAYS)
