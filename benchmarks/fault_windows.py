"""What was lived through, as the collector would have written it: one row of columns a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.windows import COLUMNS, WindowBlock

if TYPE_CHECKING:
    from auditor.detection.windows import Floats
    from benchmarks.fault_cache import Lived
    from benchmarks.fault_condition import Condition
    from benchmarks.fault_load import Lookups

PERCENTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
Columns = dict[str, "Floats"]


def columns_of(start: int, minutes: int, lookups: Lookups, lived: Lived, condition: Condition) -> Columns:
    """Every column of `minutes` windows; a minute in which nothing happened has no operations."""
    asked = lookups.key > 0
    minute = np.minimum(lookups.at[asked] - start, minutes - 1e-9).astype(np.int64)
    hit = np.asarray(lived.hit, dtype=np.bool_)[asked]
    failed = ~hit & (lookups.wait[asked] < 0.0)
    timed = ~failed | condition.failed_is_miss
    miss = ~hit & timed
    latency = lookups.lookup_ms[asked] + np.where(hit, 0.0, lookups.backend_ms[asked])

    def count(which: np.typing.NDArray[np.bool_], weight: Floats | None = None) -> Floats:
        chosen = None if weight is None else weight[which]
        return np.bincount(minute[which], weights=chosen, minlength=minutes).astype(np.float64)

    def times(when: list[float]) -> Floats:
        at = np.minimum(np.asarray(when, dtype=np.float64) - start, minutes - 1e-9)
        return np.bincount(at.astype(np.int64), minlength=minutes).astype(np.float64)

    hits, misses, errors = count(hit), count(miss), count(failed)
    sets, evictions = times(lived.sets), times(lived.evictions)
    sizes = np.asarray(lived.size, dtype=np.float64)[asked]
    every = np.ones(len(minute), dtype=np.bool_)
    largest = np.full(minutes, -np.inf)
    np.maximum.at(largest, minute, sizes)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "total_operations": hits + misses + sets + evictions + errors,
            "hits": hits,
            "misses": misses,
            "sets": sets,
            "evictions": evictions,
            "errors": errors,
            "avg_response_time_ms": count(timed, latency) / (hits + misses),
            "avg_cache_size": count(every, sizes) / count(every),
            "max_cache_size": np.where(np.isfinite(largest), largest, np.nan),
            "hit_rate": 100.0 * hits / (hits + misses),
            "avg_hit_response_time_ms": count(hit, latency) / hits,
            "avg_miss_response_time_ms": count(miss, latency) / misses,
        }
    return columns | _percentiles(minute[timed], latency[timed], minutes)


def _percentiles(minute: np.typing.NDArray[np.int64], latency: Floats, minutes: int) -> Columns:
    ordered = latency[np.lexsort((latency, minute))]
    number = np.bincount(minute, minlength=minutes)
    first = np.concatenate([[0], np.cumsum(number)[:-1]])
    if not len(ordered):
        return {f"{name}_response_time_ms": np.full(minutes, np.nan) for name in PERCENTILES}
    return {
        f"{name}_response_time_ms": np.where(
            number > 0,
            ordered[np.minimum(first + ((number - 1) * share).astype(int), len(ordered) - 1)],
            np.nan,
        )
        for name, share in PERCENTILES.items()
    }


def joined(parts: list[Columns]) -> Columns:
    """Columns one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


def block_of(name: str, start: int, columns: Columns) -> WindowBlock:
    """The windows as the auditor pulls them; a minute without operations has no row."""
    there = columns["total_operations"] > 0
    minutes = start + np.arange(len(there))
    return WindowBlock.from_rows(
        name,
        minutes[there],
        {column: columns[column][there] for column in COLUMNS},
        first_minute=start,
        last_minute=start + len(there) - 1,
    )
