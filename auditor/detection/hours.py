"""The history that relearning reads: one summary of each signal for each hour, the last four weeks of them.

A summary is five numbers on the signal's link scale, so that four weeks of twelve signals fit in 160 kB.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.signals import KINDS, SIGNALS, Kind, Signals
from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

HOURS_KEPT: Final = 28 * 24
MINUTES: Final = 60

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
    PEAK = 4
    """The largest -ln p of a window in the hour; NaN where nothing was judged."""


@dataclass(frozen=True, slots=True)
class History:
    """Summaries of consecutive hours.

    Parameters
    ----------
    first_hour
        Hours since 1970 of the first row.
    parts
        float32 array of shape (hours, signals, 5); NaN where an hour says nothing of a signal.
    """

    first_hour: int
    parts: np.typing.NDArray[np.float32]

    @classmethod
    def empty(cls) -> History:
        """No hours at all."""
        return cls(0, np.zeros((0, len(SIGNALS), len(Part)), dtype=np.float32))

    @property
    def last_hour(self) -> int:
        """Hours since 1970 of the last row."""
        return self.first_hour + len(self.parts) - 1

    def with_hour(self, hour: int, parts: Floats) -> History:
        """The history with one more hour; hours left out between are rows that say nothing."""
        row = parts.astype(np.float32)[None]
        if not len(self.parts):
            return History(hour, row)
        missing = hour - self.last_hour - 1
        if missing >= HOURS_KEPT:
            return History(hour, row)
        gap = np.full((missing, *row.shape[1:]), np.nan, dtype=np.float32)
        joined = np.concatenate([self.parts, gap, row])[-HOURS_KEPT:]
        return History(hour - len(joined) + 1, joined)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `from_json` reads back bit for bit."""
        return {
            "first_hour": self.first_hour,
            "parts": base64.b64encode(self.parts.astype("<f4").tobytes()).decode(),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> History:
        """The history that `as_json` wrote."""
        flat = np.frombuffer(base64.b64decode(stored["parts"]), dtype="<f4")
        return cls(int(stored["first_hour"]), flat.reshape(-1, len(SIGNALS), len(Part)).astype(np.float32))


def summarise_hour(signals: Signals, peaks: Floats) -> Floats:
    """Summarise up to 60 windows of an hour.

    Parameters
    ----------
    signals
        The hour's windows, those that must not be learned from already masked.
    peaks
        Shape (signals,): the largest -ln p of the hour's windows.

    Returns
    -------
    parts
        Shape (signals, 5), by `Part`; NaN throughout for a signal with fewer than ten windows.

    Notes
    -----
    Overdispersion is estimated by moments (Williams, 1982, Applied Statistics 31:144, equation for the beta-binomial's
    rho = p(1-p)omega^2 and its analogue for counts), every window's square clipped at 16 times its expectation. A
    straight line within the hour is taken out of counts first, so that the daily shape is not noise.
    """
    parts = np.full((len(SIGNALS), len(Part)), np.nan)
    known = signals.weight > 0
    count = known.sum(axis=1)
    value = np.where(known, signals.value, 0.0)
    total_weight = signals.weight.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        level_p, spread_p = _of_proportions(value[_P], signals.weight[_P])
        level_c, spread_c = _of_counts(value[_C], known[_C])
        level_g, spread_g = _of_gauges(signals.value[_G], known[_G])
        parts[_P, Part.LEVEL], parts[_P, Part.SPREAD] = level_p, spread_p
        parts[_C, Part.LEVEL], parts[_C, Part.SPREAD] = level_c, spread_c
        parts[_G, Part.LEVEL], parts[_G, Part.SPREAD] = level_g, spread_g
        parts[:, Part.WEIGHT] = total_weight / count
    parts[:, Part.COUNT] = count
    parts[:, Part.PEAK] = peaks
    parts[count < 10] = np.nan
    return parts


def _of_proportions(successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    pooled = (successes.sum(axis=1) + 0.5) / (trials.sum(axis=1) + 1.0)
    p = pooled[:, None]
    variance = trials * p * (1 - p)
    square = np.minimum((successes - trials * p) ** 2, 16.0 * variance * np.maximum(1.0, variance / 4.0))
    information = (trials * np.maximum(trials - 1.0, 0.0)).sum(axis=1) * (pooled * (1 - pooled)) ** 2
    spread = np.where(information > 0, (square - variance).sum(axis=1) / information, np.nan)
    return exact_log(pooled) - exact_log(1 - pooled), spread


def _of_counts(counts: Floats, known: np.typing.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    number = known.sum(axis=1)
    mean = counts.sum(axis=1) / number
    at = np.where(known, np.arange(counts.shape[1], dtype=np.float64), 0.0)
    centred = np.where(known, at - (at.sum(axis=1) / number)[:, None], 0.0)
    slope = (centred * counts).sum(axis=1) / (centred**2).sum(axis=1)
    fitted = np.maximum(mean[:, None] + slope[:, None] * centred, 0.25 * mean[:, None])
    square = np.minimum((counts - fitted) ** 2, 16.0 * fitted * np.maximum(1.0, fitted / 4.0))
    excess = np.where(known, square - fitted, 0.0).sum(axis=1)
    squares = np.where(known, fitted**2, 0.0).sum(axis=1)
    spread = np.where(squares > 0, excess / squares, np.nan)
    return exact_log(mean + 0.5 / MINUTES), spread


def _of_gauges(logs: Floats, known: np.typing.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    level = np.full(len(logs), np.nan)
    spread = np.full(len(logs), np.nan)
    for i, (row, there) in enumerate(zip(logs, known, strict=True)):
        values = row[there]
        if len(values) < 2:
            continue
        level[i] = np.median(values)
        deviation = np.abs(values - level[i])
        bound = max(4.0 * 1.4826 * float(np.median(deviation)), 1e-4)
        spread[i] = (np.minimum(deviation, bound) ** 2).sum() / (len(values) - 1)
    return level, spread


def counting_variance(level: Floats, weight: Floats) -> Floats:
    """Variance on the link scale that counting alone gives a window, shape (..., signals); 0 for gauges.

    `level` and `weight` have the signals on their last axis. For a proportion 1/(n p q), for a count 1/mean.
    """
    p = 1.0 / (1.0 + exact_exp(-level))
    mean = exact_exp(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(_P, 1.0 / (weight * p * (1 - p)), np.where(_C, 1.0 / mean, 0.0))
