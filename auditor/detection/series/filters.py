"""Causal filters: the value at a point is of that point and those before it, and no later point changes a bit of it.

scipy.signal has the linear ones too, but takes longer to import than a million points to be filtered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, minimum_filter1d

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

_ROW: Final = 32
_LEAST_LEFT: Final = 1e-100
"""Points that are summed up together, as many as leave more than this of the first: multiples of it are no trouble to a double."""


def ewma(values: Floats, alpha: float) -> Floats:
    """The exponentially weighted mean that starts at the first value; alpha is the weight of the newest, 0..1."""
    return _followed(alpha * values, 1.0 - alpha, float(values[0]))


def _followed(values: Floats, kept: float, before: float = 0.0) -> Floats:
    """y[t] = values[t] + kept y[t - 1], from y[-1] = `before`.

    In rows of a few points, each of which is summed up as multiples of what will be left of its first; what the row before ended with is
    added after.
    """
    count = len(values)
    length = _ROW if kept**_ROW > _LEAST_LEFT else 1
    rows = np.zeros((-(-count // length), length))
    rows.ravel()[:count] = values
    left = kept ** np.arange(float(length))
    rows /= left
    np.cumsum(rows, axis=1, out=rows)
    rows *= left
    over, carried = kept * float(left[-1]), [before]
    for end in rows[:-1, -1].tolist():
        carried.append(end + over * carried[-1])
    rows += np.array(carried)[:, None] * (kept * left)
    return rows.ravel()[:count]


def lagged(values: Floats, by: int = 1) -> Floats:
    """The values `by` points earlier; before the first, the first."""
    by = min(by, len(values))
    return np.concatenate([np.full(by, values[0]), values[: len(values) - by]])


def trailing_median(values: Floats, width: int) -> Floats:
    """The median of the last `width` (odd) values; before the first, the first."""
    return np.asarray(median_filter(values, size=width, mode="nearest", origin=(width - 1) // 2))


def trailing_mean(values: Floats, width: int) -> Floats:
    """The mean of the last `width` values; before the first, nought."""
    total = values.copy()
    for back in range(1, min(width, len(values))):
        total[back:] += values[:-back]
    return total / width


def trailing_maximum(values: Floats, width: int) -> Floats:
    """The largest of the last `width` values."""
    return np.asarray(maximum_filter1d(values, width, origin=(width - 1) // 2, mode="nearest"))


def trailing_minimum(values: Floats, width: int) -> Floats:
    """The smallest of the last `width` values."""
    return np.asarray(minimum_filter1d(values, width, origin=(width - 1) // 2, mode="nearest"))


def decayed_mean_before(values: Floats, half_life: float) -> Floats:
    """The mean of all earlier values, an older one counting half after `half_life`; NaN at the first."""
    kept = 0.5 ** (1.0 / half_life)
    found = np.full(len(values), np.nan)
    found[1:] = (_followed(values, kept) / _followed(np.ones(len(values)), kept))[:-1]
    return found


def falling_maximum(values: Floats, points: float) -> Floats:
    """The largest value so far, where a value loses one for every so many `points` since."""
    height = np.arange(len(values)) / points
    return np.maximum.accumulate(values + height) - height
