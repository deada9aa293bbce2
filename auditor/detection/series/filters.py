"""Causal filters: the value at a point is of that point and those before it, and no later point changes a bit of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, minimum_filter1d
from scipy.signal import lfilter

if TYPE_CHECKING:
    from auditor.detection.windows import Floats


def ewma(values: Floats, alpha: float) -> Floats:
    """The exponentially weighted mean that starts at the first value; alpha is the weight of the newest, 0..1."""
    found, _ = lfilter([alpha], [1.0, alpha - 1.0], values, zi=[(1.0 - alpha) * values[0]])
    return np.asarray(found)


def lagged(values: Floats, by: int = 1) -> Floats:
    """The values `by` points earlier; before the first, the first."""
    by = min(by, len(values))
    return np.concatenate([np.full(by, values[0]), values[: len(values) - by]])


def trailing_median(values: Floats, width: int) -> Floats:
    """The median of the last `width` (odd) values; before the first, the first."""
    return np.asarray(median_filter(values, size=width, mode="nearest", origin=(width - 1) // 2))


def trailing_mean(values: Floats, width: int) -> Floats:
    """The mean of the last `width` values; before the first, nought."""
    return np.asarray(lfilter(np.full(width, 1.0 / width), [1.0], values))


def trailing_maximum(values: Floats, width: int) -> Floats:
    """The largest of the last `width` values."""
    return np.asarray(maximum_filter1d(values, width, origin=(width - 1) // 2, mode="nearest"))


def trailing_minimum(values: Floats, width: int) -> Floats:
    """The smallest of the last `width` values."""
    return np.asarray(minimum_filter1d(values, width, origin=(width - 1) // 2, mode="nearest"))


def decayed_mean_before(values: Floats, half_life: float) -> Floats:
    """The mean of all earlier values, an older one counting half after `half_life`; NaN at the first."""
    kept = 0.5 ** (1.0 / half_life)
    above = lfilter([0.0, 1.0], [1.0, -kept], values)
    below = lfilter([0.0, 1.0], [1.0, -kept], np.ones(len(values)))
    found = np.full(len(values), np.nan)
    found[1:] = above[1:] / below[1:]
    return found


def falling_maximum(values: Floats, points: float) -> Floats:
    """The largest value so far, where a value loses one for every so many `points` since."""
    height = np.arange(len(values)) / points
    return np.maximum.accumulate(values + height) - height
