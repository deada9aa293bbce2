"""Causal filters: the value at a point is of that point and those before it, and no later point changes a bit of it.

scipy.signal has the linear ones too, but takes longer to import than a million points to be filtered.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import bottleneck
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.windows import Floats

POINTS_AT_ONCE: Final = 65_536
"""Points that are filtered together: what is between stays in the processor's cache, and no page of memory is new."""
_MOST_IN_ROW: Final = 256
_LEAST_LEFT: Final = 1e-100
"""Points are summed up together as long as more than this is left of the first: multiples of it are no trouble to a double."""


def ewma(values: Floats, alpha: float) -> Floats:
    """The exponentially weighted mean that starts at the first value; alpha is the weight of the newest, 0..1."""
    return _followed(values, alpha, 1.0 - alpha, float(values[0]))


def _followed(values: Floats, weight: float, kept: float, before: float = 0.0) -> Floats:
    """y[t] = weight values[t] + kept y[t - 1], from y[-1] = `before`.

    In rows, each of which is summed up as multiples of what will be left of its first; what the row before ended with is added after.
    """
    count = len(values)
    length = _MOST_IN_ROW if kept**_MOST_IN_ROW > _LEAST_LEFT else _row_of(kept)
    rows = np.zeros((-(-count // length), length))
    rows.ravel()[:count] = values
    left = kept ** np.arange(float(length))
    rows *= weight / left
    np.cumsum(rows, axis=1, out=rows)
    rows *= left
    over, carried = kept * float(left[-1]), [before]
    for end in rows[:-1, -1].tolist():
        carried.append(end + over * carried[-1])
    rows += np.array(carried)[:, None] * (kept * left)
    return rows.ravel()[:count]


def _row_of(kept: float) -> int:
    return max(1, int(math.log(_LEAST_LEFT) / math.log(kept))) if kept > 0.0 else 1


def lagged(values: Floats, by: int = 1) -> Floats:
    """The values `by` points earlier; before the first, the first."""
    by = min(by, len(values))
    return np.concatenate([np.full(by, values[0]), values[: len(values) - by]])


def trailing_median(values: Floats, width: int) -> Floats:
    """The median of the last `width` values; before the first, the first."""
    if width == 3:
        return _in_parts(_middle_of_three, values, width)
    if width == 5:
        return _in_parts(_middle_of_five, values, width)
    padded = np.concatenate([np.full(width - 1, values[0]), values])
    return np.asarray(bottleneck.move_median(padded, width)[width - 1 :])


def _in_parts(filtered: Callable[[Floats], Floats], values: Floats, width: int) -> Floats:
    """What a filter over the last `width` points makes of all, a part at a time with the points before it."""
    found = np.empty(len(values))
    for start in range(0, len(values), POINTS_AT_ONCE):
        known = max(0, start - width)
        found[start : start + POINTS_AT_ONCE] = filtered(values[known : start + POINTS_AT_ONCE])[
            start - known :
        ]
    return found


def _middle_of_three(values: Floats) -> Floats:
    return _middle(values, lagged(values), lagged(values, 2))


def _middle(a: Floats, b: Floats, c: Floats) -> Floats:
    return np.asarray(np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c)))


def _middle_of_five(values: Floats) -> Floats:
    """Of two pairs neither the smaller of the smaller nor the larger of the larger can be the median: it is that of the three others."""
    a, b, c, d = (lagged(values, by) for by in range(1, 5))
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return _middle(low, high, values)


def trailing_mean(values: Floats, width: int) -> Floats:
    """The mean of the last `width` values; before the first, nought."""
    return _in_parts(lambda part: _over_last(np.add, part, width) / width, values, width)


def trailing_maximum(values: Floats, width: int) -> Floats:
    """The largest of the last `width` values."""
    return _in_parts(partial(_over_last, np.maximum, width=width), values, width)


def trailing_minimum(values: Floats, width: int) -> Floats:
    """The smallest of the last `width` values."""
    return _in_parts(partial(_over_last, np.minimum, width=width), values, width)


def _over_last(joined: np.ufunc, values: Floats, width: int) -> Floats:
    """Sum or extreme over the last `width` points, or as many as there are: of spans of one, two, four and so on, as `width` is made of them."""
    span, spans, reached, found = 1, values, 0, None
    while True:
        if width & span:
            found = spans if found is None else _with_earlier(joined, found, spans, reached)
            reached += span
        if 2 * span > width:
            return np.asarray(found)
        spans = _with_earlier(joined, spans, spans, span)
        span *= 2


def _with_earlier(joined: np.ufunc, found: Floats, other: Floats, by: int) -> Floats:
    """`found`, joined with what `other` was `by` points earlier, if there was something."""
    together = np.empty(len(found))
    together[:by] = found[:by]
    joined(found[by:], other[:-by], out=together[by:])
    return together


def decayed_mean_before(values: Floats, half_life: float) -> Floats:
    """The mean of all earlier values, an older one counting half after `half_life`; NaN at the first."""
    kept = 0.5 ** (1.0 / half_life)
    found = np.full(len(values), np.nan)
    found[1:] = (_followed(values, 1.0, kept) / _followed(np.ones(len(values)), 1.0, kept))[:-1]
    return found


def falling_maximum(values: Floats, points: float) -> Floats:
    """The largest value so far, where a value loses one for every so many `points` since."""
    height = np.arange(len(values)) / points
    found = values + height
    np.maximum.accumulate(found, out=found)
    found -= height
    return found
