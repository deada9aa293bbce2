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

from auditor.detection.episodes import Episodes
from auditor.detection.medians import median
from auditor.detection.policy import HISTORY_DAYS
from auditor.detection.signals import KINDS, SIGNALS, Kind, Signals
from auditor.detection.tails.elementary import exact_exp, exact_log
from auditor.detection.tested import Test

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

HOURS_KEPT: Final = HISTORY_DAYS * 24
MINUTES: Final = 60
LEAST_WINDOWS: Final = 10
"""Windows of an hour below which it says nothing of a signal."""

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
_SURPRISES: Final = np.append(_PEAKS, np.nan)


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
    episodes
        What was found strange in them, and in the hour that is being gathered.
    """

    first_hour: int
    parts: np.typing.NDArray[np.float32]
    peaks: np.typing.NDArray[np.uint8]
    episodes: Episodes

    @classmethod
    def empty(cls) -> History:
        """No hours at all."""
        return cls(
            0,
            np.zeros((0, len(SIGNALS), len(Part)), dtype=np.float32),
            np.zeros((0, len(SIGNALS), len(Test)), dtype=np.uint8),
            Episodes.none(),
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
            return History(hour, rows, rungs, self.episodes)
        gap = np.full((missing, *rows.shape[1:]), np.nan, dtype=np.float32)
        nothing = np.full((missing, *rungs.shape[1:]), UNKNOWN_PEAK, dtype=np.uint8)
        joined = np.concatenate([self.parts, gap, rows])[-HOURS_KEPT:]
        peaked = np.concatenate([self.peaks, nothing, rungs])[-HOURS_KEPT:]
        return History(hour + len(rows) - len(joined), joined, peaked, self.episodes)

    def without(self, first: int, last: int) -> History:
        """The history in which the hours from `first` to `last` say nothing, and nothing was judged in them."""
        rows = slice(max(first - self.first_hour, 0), max(last - self.first_hour + 1, 0))
        parts, peaks = self.parts.copy(), self.peaks.copy()
        parts[rows], peaks[rows] = np.nan, UNKNOWN_PEAK
        return History(self.first_hour, parts, peaks, self.episodes)

    def moved(self, before: int, shift: Floats) -> History:
        """The history with the levels of the hours before `before` moved by `shift`, shape (signals,)."""
        parts = self.parts.copy()
        parts[: max(before - self.first_hour, 0), :, Part.LEVEL] += shift.astype(np.float32)
        return History(self.first_hour, parts, self.peaks, self.episodes)

    def surprises(self) -> Floats:
        """The peaks as numbers, shape (hours, signals, tests); NaN where nothing was judged."""
        # the hours of a test lie next to each other, for that is how they are read
        by_hour = np.ascontiguousarray(self.peaks.transpose(1, 2, 0))
        return _SURPRISES.take(by_hour).transpose(2, 0, 1)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `from_json` reads back bit for bit."""
        return {
            "first_hour": self.first_hour,
            "parts": base64.b64encode(self.parts.astype("<f4").tobytes()).decode(),
            "peaks": base64.b64encode(self.peaks.tobytes()).decode(),
            "episodes": self.episodes.as_json(),
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
            Episodes.from_json(stored.get("episodes")),
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


def counting_variances(level: Floats, weights: tuple[Floats, ...]) -> list[Floats]:
    """Variance on the link scale that counting alone gives a window of each of the weights, shape (..., signals); 0 for gauges.

    `level` and the weights have the signals on their last axis. For a proportion 1/(n p q), for a count 1/mean.
    """
    p = 1.0 / (1.0 + exact_exp(-level[..., _P]))
    variances = []
    with np.errstate(divide="ignore", invalid="ignore"):
        of_counts = 1.0 / exact_exp(level[..., _C])
        for weight in weights:
            variance = np.zeros_like(level)
            variance[..., _P] = 1.0 / (weight[..., _P] * p * (1 - p))
            variance[..., _C] = of_counts
            variances.append(variance)
    return variances
