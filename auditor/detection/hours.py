"""The history that relearning reads: one summary of each signal for each hour, the last four weeks of them.

A summary is four numbers on the signal's link scale and how surprising each test has found the hour's windows, so that four weeks
of twelve signals fit in 161 kB, 215 kB as JSON.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.signals import KINDS, SIGNALS, Kind, Signals
from auditor.detection.tails.elementary import exact_exp, exact_log
from auditor.detection.tested import Test

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

HOURS_KEPT: Final = 28 * 24
MINUTES: Final = 60
LEAST_WINDOWS: Final = 10
"""Windows of an hour below which it says nothing of a signal."""

_Counts = np.typing.NDArray[np.intp]
_LONG: Final = 100
"""Elements from which it is quicker to seek a median than to put all in order."""
WILD: Final = 4.0
"""Robust deviations beyond which a value says nothing of the centre."""
TO_SIGMA: Final = 1.4826
_P: Final = Kind.PROPORTION == KINDS
_C: Final = Kind.COUNT == KINDS
_G: Final = Kind.GAUGE == KINDS


class Part(IntEnum):
    """The numbers of a summary."""

    LEVEL = 0
    """The link of the pooled rate, of the mean count, or the median of a gauge's logarithms."""
    SPREAD = 1
    """Variance of single windows about the hour on the link scale: beyond counting noise for rates and counts (may
    come out below nought), in total for gauges."""
    WEIGHT = 2
    """Mean trials, or operations behind a gauge, of a window."""
    COUNT = 3
    """Windows that said something."""


PEAK_STEP: Final = 0.125
EVEN_PEAKS: Final = 128
PEAK_RATIO: Final = 1.03
"""Peaks are kept to an eighth up to 16 and from there to 3 %, up to 665: p = 1e-289, about where floating point ends."""
UNKNOWN_PEAK: Final = 255
_PEAKS: Final = np.append(
    PEAK_STEP * np.arange(EVEN_PEAKS),
    PEAK_STEP * EVEN_PEAKS * PEAK_RATIO ** np.arange(UNKNOWN_PEAK - EVEN_PEAKS),
)
_BETWEEN: Final = (_PEAKS[1:] + _PEAKS[:-1]) / 2.0


@dataclass(frozen=True, slots=True)
class History:
    """Summaries of consecutive hours.

    Parameters
    ----------
    first_hour
        Hours since 1970 of the first row.
    parts
        float32 array of shape (hours, signals, 4), by `Part`; NaN where an hour says nothing of a signal.
    peaks
        uint8 array of shape (hours, signals, tests): the largest surprise of each test, by its rung on the scale of `PEAK_RATIO`; 255 where nothing was judged.
    """

    first_hour: int
    parts: np.typing.NDArray[np.float32]
    peaks: np.typing.NDArray[np.uint8]

    @classmethod
    def empty(cls) -> History:
        """No hours at all."""
        return cls(
            0,
            np.zeros((0, len(SIGNALS), len(Part)), dtype=np.float32),
            np.zeros((0, len(SIGNALS), len(Test)), dtype=np.uint8),
        )

    @property
    def last_hour(self) -> int:
        """Hours since 1970 of the last row."""
        return self.first_hour + len(self.parts) - 1

    def with_hours(self, hour: int, parts: Floats, peaks: Floats) -> History:
        """The history with more hours, the first of them `hour`; hours left out between are rows that say nothing.

        `parts` has shape (hours, signals, 4), `peaks` (hours, signals, tests) with NaN where nothing was judged.
        """
        rows, rungs = parts.astype(np.float32), _on_rungs(peaks)
        missing = hour - self.last_hour - 1
        if not len(self.parts) or missing >= HOURS_KEPT:
            return History(hour, rows, rungs)
        gap = np.full((missing, *rows.shape[1:]), np.nan, dtype=np.float32)
        nothing = np.full((missing, *rungs.shape[1:]), UNKNOWN_PEAK, dtype=np.uint8)
        joined = np.concatenate([self.parts, gap, rows])[-HOURS_KEPT:]
        peaked = np.concatenate([self.peaks, nothing, rungs])[-HOURS_KEPT:]
        return History(hour + len(rows) - len(joined), joined, peaked)

    def surprises(self) -> Floats:
        """The peaks as numbers, shape (hours, signals, tests); NaN where nothing was judged."""
        return np.append(_PEAKS, np.nan)[self.peaks]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `from_json` reads back bit for bit."""
        return {
            "first_hour": self.first_hour,
            "parts": base64.b64encode(self.parts.astype("<f4").tobytes()).decode(),
            "peaks": base64.b64encode(self.peaks.tobytes()).decode(),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> History:
        """The history that `as_json` wrote."""
        flat = np.frombuffer(base64.b64decode(stored["parts"]), dtype="<f4")
        peaks = np.frombuffer(base64.b64decode(stored["peaks"]), dtype=np.uint8)
        return cls(
            int(stored["first_hour"]),
            flat.reshape(-1, len(SIGNALS), len(Part)).astype(np.float32),
            peaks.reshape(-1, len(SIGNALS), len(Test)),
        )


def _on_rungs(peaks: Floats) -> np.typing.NDArray[np.uint8]:
    rungs = np.searchsorted(_BETWEEN, np.nan_to_num(peaks))
    return np.where(np.isfinite(peaks), rungs, UNKNOWN_PEAK).astype(np.uint8)


def summarise_hours(signals: Signals) -> Floats:
    """Summarise the windows of each hour, up to 60.

    Parameters
    ----------
    signals
        Arrays of shape (signals, hours, windows), those that must not be learned from already masked.

    Returns
    -------
    parts
        Shape (hours, signals, 4), by `Part`; NaN throughout for a signal with fewer than ten windows.

    Notes
    -----
    Overdispersion is estimated by moments (Williams, 1982, Applied Statistics 31:144, equation for the beta-binomial's
    rho = p(1-p)omega^2 and its analogue for counts), every window's square clipped at 16 times its expectation. A
    straight line within the hour is taken out of counts first, so that the daily shape is not noise.
    """
    known = signals.weight > 0
    count = known.sum(axis=-1)
    parts = np.full((*count.shape, len(Part)), np.nan)
    value = np.where(known, signals.value, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        level_p, spread_p = _of_proportions(value[_P], signals.weight[_P])
        level_c, spread_c = _of_counts(value[_C], known[_C])
        level_g, spread_g = _of_gauges(signals.value[_G], known[_G])
        parts[_P, :, Part.LEVEL], parts[_P, :, Part.SPREAD] = level_p, spread_p
        parts[_C, :, Part.LEVEL], parts[_C, :, Part.SPREAD] = level_c, spread_c
        parts[_G, :, Part.LEVEL], parts[_G, :, Part.SPREAD] = level_g, spread_g
        parts[..., Part.WEIGHT] = np.ascontiguousarray(signals.weight).sum(axis=-1) / count
    parts[..., Part.COUNT] = count
    parts[count < LEAST_WINDOWS] = np.nan
    return np.ascontiguousarray(np.swapaxes(parts, 0, 1))


def _of_proportions(successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    pooled = (successes.sum(axis=-1) + 0.5) / (trials.sum(axis=-1) + 1.0)
    p = pooled[..., None]
    variance = trials * p * (1 - p)
    square = np.minimum((successes - trials * p) ** 2, 16.0 * variance * np.maximum(1.0, variance / 4.0))
    information = (trials * np.maximum(trials - 1.0, 0.0)).sum(axis=-1) * (pooled * (1 - pooled)) ** 2
    spread = np.where(information > 0, (square - variance).sum(axis=-1) / information, np.nan)
    return exact_log(pooled) - exact_log(1 - pooled), spread


def _of_counts(counts: Floats, known: np.typing.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    number = known.sum(axis=-1)
    mean = counts.sum(axis=-1) / number
    at = np.where(known, np.arange(counts.shape[-1], dtype=np.float64), 0.0)
    centred = np.where(known, at - (at.sum(axis=-1) / number)[..., None], 0.0)
    slope = (centred * counts).sum(axis=-1) / (centred**2).sum(axis=-1)
    fitted = np.maximum(mean[..., None] + slope[..., None] * centred, 0.25 * mean[..., None])
    square = np.minimum((counts - fitted) ** 2, 16.0 * fitted * np.maximum(1.0, fitted / 4.0))
    excess = np.where(known, square - fitted, 0.0).sum(axis=-1)
    squares = np.where(known, fitted**2, 0.0).sum(axis=-1)
    spread = np.where(squares > 0, excess / squares, np.nan)
    return exact_log(mean + 0.5 / MINUTES), spread


def _of_gauges(logs: Floats, known: np.typing.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    number = known.sum(axis=-1)
    level = median(np.where(known, logs, np.nan), axis=-1)
    deviation = np.abs(logs - level[..., None])
    bound = np.maximum(4.0 * 1.4826 * median(deviation, axis=-1), 1e-4)
    square = np.where(known, np.minimum(deviation, bound[..., None]) ** 2, 0.0).sum(axis=-1)
    enough = number >= 2
    return np.where(enough, level, np.nan), np.where(enough, square / np.maximum(number - 1, 1), np.nan)


def median(values: Floats, axis: int = 0) -> Floats:
    """The median along an axis of what is known; NaN where nothing is."""
    lanes = np.ascontiguousarray(np.moveaxis(values, axis, -1))
    count = np.count_nonzero(np.isfinite(lanes), axis=-1)
    most = int(count.max(initial=0))
    if lanes.shape[-1] >= _LONG and most and ((count == most) | (count == 0)).all():
        parted = np.partition(lanes, most // 2, axis=-1)
        high = parted[..., most // 2]
        low = high if most % 2 else parted[..., : most // 2].max(axis=-1)
        return np.where(count > 0, (low + high) / 2.0, np.nan)
    return _middle(np.moveaxis(np.sort(lanes, axis=-1), -1, 0), 0, count)


def _middle(ordered: Floats, first: _Counts | int, count: _Counts) -> Floats:
    """The median of `count` elements from `first` on of what is in rising order along the first axis; NaN of none."""
    low, high = first + np.maximum(count - 1, 0) // 2, first + np.minimum(count // 2, len(ordered) - 1)
    low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (low, high))
    return np.where(count > 0, (low + high) / 2.0, np.nan)


def robust_centre(values: Floats) -> Floats:
    """The median along the first axis of what is within four robust deviations of the median of all.

    Without the second look, a tenth of the values wild on one side would move it by a seventh of a deviation.
    """
    return _centre(np.sort(values, axis=0))


def robust_centres_without_each(values: Floats) -> Floats:
    """`robust_centre` of all rows but one, for each row along the first axis; shape as `values`."""
    number = len(values)
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    others = np.array([[at for at in range(number) if at != rank] for rank in range(number)])
    centres = np.empty_like(values)
    np.put_along_axis(centres, order, _centre(ordered[others.T]), axis=0)
    return centres


def _centre(ordered: Floats) -> Floats:
    """`robust_centre` of what is in rising order: what is near enough lies together there."""
    count = np.isfinite(ordered).sum(axis=0)
    first = _middle(ordered, 0, count)
    away = np.abs(ordered - first)
    deviation = _nearest(ordered, first) if (count == len(ordered)).all() else median(away)
    near = away <= np.maximum(WILD * TO_SIGMA * deviation, 1e-9)
    far_below = (~near & (ordered < first)).sum(axis=0)
    return _middle(ordered, far_below, near.sum(axis=0))


def _nearest(ordered: Floats, centre: Floats) -> Floats:
    """The median of how far elements in rising order, all of them known, are from a centre: those nearest to it lie together."""
    below, above = centre - ordered, ordered - centre
    low, high = (
        np.maximum(below[: len(ordered) + 1 - number], above[number - 1 :]).min(axis=0)
        for number in ((len(ordered) - 1) // 2 + 1, len(ordered) // 2 + 1)
    )
    return np.asarray((low + high) / 2.0)


def counting_variance(level: Floats, weight: Floats) -> Floats:
    """Variance on the link scale that counting alone gives a window, shape (..., signals); 0 for gauges.

    `level` and `weight` have the signals on their last axis. For a proportion 1/(n p q), for a count 1/mean.
    """
    p = 1.0 / (1.0 + exact_exp(-level))
    mean = exact_exp(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(_P, 1.0 / (weight * p * (1 - p)), np.where(_C, 1.0 / mean, 0.0))
