"""The signals of a block: what is learned and tested, taken out of the windows' columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.tails.elementary import exact_log

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
        return Signals(np.where(keep, self.value, np.nan), np.where(keep, self.weight, 0.0))

    def slice(self, start: int, stop: int) -> Signals:
        """The windows at positions start..stop-1."""
        return Signals(
            np.ascontiguousarray(self.value[:, start:stop]), np.ascontiguousarray(self.weight[:, start:stop])
        )


def signals_of(block: WindowBlock) -> Signals:
    """Take the signals out of a block; absent minutes say only that nothing was counted."""
    column = block.columns
    total = _first_known(column["total_operations"], column["hits"] + column["misses"])
    gets = column["hits"] + column["misses"]
    hits = _first_known(column["hits"], column["hit_rate"] / 100.0 * total)
    gets = _first_known(gets, np.where(np.isfinite(column["hit_rate"]), total, np.nan))
    misses = gets - hits
    evictions = column["evictions"]
    sets = column["sets"]
    # a minute without misses sets nothing, and so has nothing to evict for; one with misses and no sets does not report its sets
    idle = (misses == 0) & (evictions == 0)
    of_operations = np.where(idle, 0.0, np.fmax(total, evictions))
    eviction_trials = np.where(sets > 0, np.fmax(sets, evictions), of_operations)
    proportions = (
        (hits, gets),
        (column["errors"], np.fmax(total, column["errors"])),
        (evictions, eviction_trials),
    )
    behind = _first_known(gets, total)
    gauges = (
        (column["avg_hit_response_time_ms"], hits),
        (column["avg_miss_response_time_ms"], misses),
        (column["avg_response_time_ms"], behind),
        (column["p95_response_time_ms"], behind),
        (column["p99_response_time_ms"], behind),
    )
    size = _first_known(column["avg_cache_size"], column["max_cache_size"])
    one = np.ones(len(block))
    pairs = [
        *proportions,
        (np.where(block.present, total, 0.0), one),
        *((exact_log(value + LATENCY_OFFSET), weight) for value, weight in gauges),
        (exact_log(size + 1.0), one),
        (gets, np.fmax(total, gets)),
        (exact_log((sets + 0.5) / (misses + 0.5)), misses),
    ]
    value = np.stack([pair[0] for pair in pairs])
    weight = np.stack([pair[1] for pair in pairs])
    known = np.isfinite(value) & (weight > 0)
    return Signals(np.where(known, value, np.nan), np.where(known, weight, 0.0))


def _first_known(first: Floats, second: Floats) -> Floats:
    return np.where(np.isfinite(first), first, second)
