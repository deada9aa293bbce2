"""Medians of what is known, and centres that a few wild values do not move, of many rows of numbers at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

_Counts = np.typing.NDArray[np.intp]
_LONG: Final = 100
"""Elements from which it is quicker to seek a median than to put all in order."""
_IN_A_BYTE: Final = 255
"""Flags that can be counted in a byte, which takes a fifth of the time."""
_CERTAIN: Final = 1.0 - 1e-9
"""Room for what rounding does to a bound."""
WILD: Final = 4.0
"""Robust deviations beyond which a value says nothing of the centre."""
TO_SIGMA: Final = 1.4826


def median(values: Floats, axis: int = 0) -> Floats:
    """The median along an axis of what is known; NaN where nothing is."""
    lanes = _lanes(values, axis)
    length = lanes.shape[-1]
    if not length:
        return np.full(lanes.shape[:-1], np.nan)
    known = np.isfinite(lanes)
    if not known.all():
        lanes.sort(axis=-1)
        return _middle(lanes, 0, known.sum(axis=-1))
    half = length // 2
    if length < _LONG:
        lanes.sort(axis=-1)
        return np.asarray((lanes[..., (length - 1) // 2] + lanes[..., half]) / 2.0)
    lanes.partition(half, axis=-1)
    high = lanes[..., half]
    low = high if length % 2 else lanes[..., :half].max(axis=-1)
    return np.asarray((low + high) / 2.0)


def robust_centre(values: Floats) -> Floats:
    """The median along the first axis of what is within four robust deviations of the median of all.

    Without the second look, a tenth of the values wild on one side would move it by a seventh of a deviation.
    """
    lanes = _lanes(values, 0)
    lanes.sort(axis=-1)
    return _centre(lanes)


def medians(values: Floats) -> tuple[Floats, Floats]:
    """`median` along the first axis, and for each row that of all other rows, shape as `values`."""
    rows = _Rows.of(values.reshape(len(values), -1))
    middle = rows.middle()
    return middle.reshape(values.shape[1:]), rows.without_each(middle).reshape(values.shape)


def robust_centres(values: Floats) -> tuple[Floats, Floats]:
    """`robust_centre` along the first axis, and for each row that of all other rows, shape as `values`.

    Where nothing is wild, these are medians.
    """
    rows = _Rows.of(values.reshape(len(values), -1))
    centre = rows.middle()
    without = rows.without_each(centre)
    wild = rows.may_be_wild()
    if wild.any():
        some = _Rows.of(rows.values[:, wild])
        centre[wild] = _centre(np.ascontiguousarray(some.ordered.T))
        without[:, wild] = _centres_without_each(some, centre[wild])
    return centre.reshape(values.shape[1:]), without.reshape(values.shape)


def _centres_without_each(rows: _Rows, centre: Floats) -> Floats:
    """`robust_centre` of all rows but each; `centre` is that of all.

    The median of the others is one of three, how far they are from it in the middle again one of three, so that what is near
    enough is found for nine cases and not for every row.
    """
    others, columns = rows.others, rows.values.shape[1]
    away = np.abs(rows.ordered[:, None] - others.median)
    distances = _Others.of(np.sort(away, axis=0), rows.count)
    bound = _bound(distances.median)
    case = others.case(rows.values)
    own = np.abs(rows.values - others.median.take(case))
    low, high = (where.take(case) for where in (distances.low, distances.high))
    case += 3 * columns * ((own > low).astype(np.intp) + (own > high))
    itself = own <= bound.take(case)
    near = away[:, None] <= bound
    below = (others.median - rows.ordered[:, None])[:, None] > bound
    number = _number(near).take(case) - itself
    first = _number(below).take(case) * columns + np.arange(columns)
    low, high = (
        _passing(rows, first + columns * (np.maximum(last, 0) >> 1), itself) for last in (number - 1, number)
    )
    without = np.where(number > 0, (low + high) / 2.0, np.nan)
    return np.where(rows.known, without, centre)


def _passing(rows: _Rows, at: _Counts, itself: np.typing.NDArray[np.bool_]) -> Floats:
    """What stands there in rising order, or next where the row itself is left out and stands no later."""
    left_out = itself & (rows.values <= rows.ordered.take(at))
    return rows.ordered.take(at + left_out * len(rows.count), mode="clip")


def _number(flags: np.typing.NDArray[np.bool_]) -> _Counts:
    """How many along the first axis."""
    if len(flags) > _IN_A_BYTE:
        return np.asarray(flags.sum(axis=0))
    return np.asarray(np.add.reduce(flags.view(np.uint8), axis=0, dtype=np.uint8).astype(np.intp))


@dataclass(frozen=True)
class _Rows:
    """Rows of something: `values`, `known` and, each column in rising order, `ordered` have shape (rows, columns)."""

    values: Floats
    known: np.typing.NDArray[np.bool_]
    ordered: Floats
    count: _Counts

    @classmethod
    def of(cls, values: Floats) -> _Rows:
        known = np.isfinite(values)
        return cls(values, known, np.sort(values, axis=0), _number(known))

    @cached_property
    def others(self) -> _Others:
        return _Others.of(self.ordered, self.count)

    def middle(self) -> Floats:
        columns = np.arange(len(self.count))
        low, high = np.maximum(self.count - 1, 0) // 2, np.minimum(self.count // 2, len(self.values) - 1)
        middle = (self.ordered[low, columns] + self.ordered[high, columns]) / 2.0
        return np.where(self.count > 0, middle, np.nan)

    def without_each(self, middle: Floats) -> Floats:
        without = self.others.median.take(self.others.case(self.values))
        if not self.known.all():
            np.copyto(without, middle, where=~self.known)
        return without

    def may_be_wild(self) -> np.typing.NDArray[np.bool_]:
        """Columns where something may be further than four deviations from the median of all rows, or of all rows but one.

        A deviation is no less than half of the shortest stretch with half of what it is of in it.
        """
        lowest, highest = self.others.median[2], self.others.median[0]
        largest = self.ordered[self.count - 1, np.arange(len(self.count))]
        furthest = np.maximum(largest - lowest, highest - self.ordered[0])
        steps = np.maximum(self.count - 2, 0) // 2
        stretch = np.empty(len(steps))
        for number in set(steps.tolist()):
            same = steps == number
            columns = self.ordered[:, same]
            stretch[same] = np.fmin.reduce(columns[number:] - columns[: len(columns) - number], axis=0)
        tame: np.typing.NDArray[np.bool_] = furthest <= WILD * TO_SIGMA * _CERTAIN * stretch / 2.0
        tame |= self.count <= 2
        return ~tame


@dataclass(frozen=True, slots=True)
class _Others:
    """The three medians, along the first axis, that what is left without one of `count` elements in rising order can have.

    The first without one that is at most `low`, the last without one above `high`, the second without one between.
    """

    low: Floats
    high: Floats
    median: Floats

    @classmethod
    def of(cls, ordered: Floats, count: _Counts) -> _Others:
        columns = ordered[0].size
        start = np.arange(columns).reshape(ordered.shape[1:])
        low = start + columns * (np.maximum(count - 2, 0) >> 1)
        high = start + columns * (np.maximum(count - 1, 0) >> 1)
        here, there = ordered.take(low), ordered.take(high)
        beyond = ordered.take(high + columns, mode="clip")
        median = np.empty((3, *start.shape))
        np.add(ordered.take(low + columns, mode="clip"), beyond, out=median[0])
        np.add(here, beyond, out=median[1])
        np.add(here, there, out=median[2])
        median /= 2.0
        if count.min() < 2:
            median[..., count < 2] = np.nan
        return cls(here, there, median)

    def case(self, values: Floats) -> _Counts:
        """Where in `median`, flat, that is which is left without each of the elements, shape (elements, columns)."""
        columns = values.shape[1]
        case = (values > self.low).astype(np.intp)
        case += values > self.high
        case *= columns
        case += np.arange(columns)
        return case


def _lanes(values: Floats, axis: int) -> Floats:
    """A copy with the axis as the last one, in C order."""
    order = list(range(values.ndim))
    order.append(order.pop(axis))
    return np.array(values.transpose(order), dtype=np.float64, order="C")


def _middle(ordered: Floats, first: _Counts | int, count: _Counts) -> Floats:
    """The median of `count` elements from `first` on of what is in rising order along the last axis; NaN of none."""
    length = ordered.shape[-1]
    start = np.arange(count.size).reshape(count.shape) * length + first
    low = ordered.take(start + np.maximum(count - 1, 0) // 2)
    high = ordered.take(start + np.minimum(count // 2, length - 1))
    return np.where(count > 0, (low + high) / 2.0, np.nan)


def _centre(ordered: Floats) -> Floats:
    """`robust_centre` of what is in rising order along the last axis: what is near enough lies together there."""
    count = np.isfinite(ordered).sum(axis=-1)
    first = _middle(ordered, 0, count)
    away = np.abs(ordered - first[..., None])
    deviation = nearest(ordered, first) if (count == ordered.shape[-1]).all() else median(away, -1)
    near = away <= _bound(deviation)[..., None]
    return _middle(ordered, near.argmax(axis=-1), near.sum(axis=-1))


def _bound(deviation: Floats) -> Floats:
    return np.maximum(WILD * TO_SIGMA * deviation, 1e-9)


def nearest(ordered: Floats, centre: Floats) -> Floats:
    """The median of how far elements in rising order, all of them known, are from a centre: those nearest to it lie together."""
    length = ordered.shape[-1]
    below, above = centre[..., None] - ordered, ordered - centre[..., None]
    low, high = (
        np.maximum(below[..., : length + 1 - number], above[..., number - 1 :]).min(axis=-1)
        for number in ((length - 1) // 2 + 1, length // 2 + 1)
    )
    return np.asarray((low + high) / 2.0)
