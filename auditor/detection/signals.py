"""The signals of a block: what is learned and tested, taken out of the windows' columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.tails.elementary import bare_log
from auditor.detection.windows import COLUMNS

if TYPE_CHECKING:
    from auditor.detection.windows import Floats, WindowBlock


class Kind(IntEnum):
    """How a signal is modelled on its link scale."""

    PROPORTION = 0
    COUNT = 1
    GAUGE = 2


SIGNALS: Final = (
    "hit_rate",
    "error_rate",
    "eviction_rate",
    "throughput",
    "avg_hit_response_time_ms",
    "avg_miss_response_time_ms",
    "avg_response_time_ms",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "cache_size",
    "get_share",
    "sets_per_miss",
)
"""Everything that has a learned normal. The last two are never tested: they turn expected rates into counts."""

AT: Final = {name: i for i, name in enumerate(SIGNALS)}

KINDS: Final = np.array(
    [Kind.PROPORTION] * 3 + [Kind.COUNT] + [Kind.GAUGE] * 6 + [Kind.PROPORTION] + [Kind.GAUGE], dtype=np.int8
)

LATENCY_OFFSET: Final = 0.001
"""Milliseconds added before a logarithm, so that a latency of nought has one."""

_RATE: Final = COLUMNS.index("hit_rate")
_SIZE: Final = COLUMNS.index("avg_cache_size")
_MEASURED: Final = [
    COLUMNS.index("avg_cache_size" if name == "cache_size" else name) for name in SIGNALS[4:10]
]
"""The columns of the gauges."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of n windows.

    Parameters
    ----------
    value
        Shape (signals, n). For a proportion the successes, for a count the count, for a gauge the logarithm of its
        value; NaN where unknown.
    weight
        Shape (signals, n). For a proportion the trials; for a gauge the operations behind the value; for a
        count 1. Nought where the window says nothing of the signal.
    """

    value: Floats
    weight: Floats

    def masked(self, keep: np.typing.NDArray[np.bool_]) -> Signals:
        """The same with windows outside `keep` saying nothing."""
        if keep.all():
            return self
        return Signals(np.where(keep, self.value, np.nan), np.where(keep, self.weight, 0.0))

    def followed_by(self, other: Signals) -> Signals:
        """The windows of both, one after the other."""
        return Signals(
            np.concatenate([self.value, other.value], axis=1),
            np.concatenate([self.weight, other.weight], axis=1),
        )

    def slice(self, start: int, stop: int) -> Signals:
        """The windows at positions start..stop-1."""
        return Signals(
            np.ascontiguousarray(self.value[:, start:stop]), np.ascontiguousarray(self.weight[:, start:stop])
        )


def signals_of(block: WindowBlock) -> Signals:
    """Take the signals out of a block; absent minutes say only that nothing was counted."""
    columns = block.values
    if len(block) == 1 and block.present[0]:
        window = columns[:, 0].tolist()
        if math.isfinite(sum(window)) and min(window) >= 0.0:
            return _of_one(*window)
    known = np.isfinite(columns)
    counted, hits, misses, sets, evictions, errors = columns[:6]
    rate = columns[_RATE]
    gets = hits + misses
    total = np.where(known[0], counted, gets)
    hits = np.where(known[1], hits, rate / 100.0 * total)
    gets = np.where(np.isfinite(gets), gets, np.where(known[_RATE], total, np.nan))
    misses = gets - hits
    # a minute without misses sets nothing, and so has nothing to evict for; one with misses and no sets does not report its sets
    idle = (misses == 0.0) & (evictions == 0.0)
    of_operations = np.where(idle, 0.0, np.fmax(total, evictions))
    value, weight = np.empty((2, len(SIGNALS), len(block)))
    value[0], weight[0] = hits, gets
    value[1], weight[1] = errors, np.fmax(total, errors)
    value[2], weight[2] = evictions, np.where(sets > 0.0, np.fmax(sets, evictions), of_operations)
    value[3], weight[3] = np.where(block.present, total, 0.0), 1.0
    value[4:10] = columns[_MEASURED]
    value[4:9] += LATENCY_OFFSET
    value[9] = np.where(known[_SIZE], columns[_SIZE], columns[_SIZE + 1]) + 1.0
    weight[4], weight[5], weight[6:9] = hits, misses, np.where(np.isfinite(gets), gets, total)
    weight[9] = 1.0
    value[10] = (sets + 0.5) / (misses + 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        value[4:11] = bare_log(value[4:11])
    value[11], weight[11] = value[10], misses
    value[10], weight[10] = gets, np.fmax(total, gets)
    told = np.isfinite(value) & (weight > 0.0)
    return Signals(np.where(told, value, np.nan), np.where(told, weight, 0.0))


def _of_one(
    total: float,
    hits: float,
    misses: float,
    sets: float,
    evictions: float,
    errors: float,
    average: float,
    _p50: float,
    p95: float,
    p99: float,
    _most: float,
    size: float,
    _most_size: float,
    _rate: float,
    hit_ms: float,
    miss_ms: float,
) -> Signals:
    """`signals_of` of one window of which everything is known, in plain floats."""
    gets = hits + misses
    misses = gets - hits
    idle = misses == 0.0 and evictions == 0.0
    trials = max(sets, evictions) if sets > 0.0 else 0.0 if idle else max(total, evictions)
    logs = bare_log(
        np.array(
            [
                *(latency + LATENCY_OFFSET for latency in (hit_ms, miss_ms, average, p95, p99)),
                size + 1.0,
                (sets + 0.5) / (misses + 0.5),
            ]
        )
    ).tolist()
    value = [hits, errors, evictions, total, *logs[:6], gets, logs[6]]
    weight = [
        gets,
        max(total, errors),
        trials,
        1.0,
        hits,
        misses,
        gets,
        gets,
        gets,
        1.0,
        max(total, gets),
        misses,
    ]
    for at, behind in enumerate(weight):
        if not behind > 0.0:
            value[at] = math.nan
    return Signals(*np.array([value, weight])[:, :, None])
