"""The identities that every window satisfies, whatever the cache does; a window that breaks one is the collector's fault."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.windows import COLUMNS

if TYPE_CHECKING:
    from auditor.detection.windows import Floats, WindowBlock

Mask = np.typing.NDArray[np.bool_]

PARTS: Final = ("hits", "misses", "sets", "evictions", "errors")
RATE_ROUNDING: Final = 0.051
"""Percentage points by which a stored hit rate may differ from its counts: half of the coarsest fraction in the wild."""
WHOLE_ROUNDING: Final = 1.0
"""The same where it is a whole number, for it may have been rounded, or cut, to one."""
LATENCY_ROUNDING: Final = 0.011
"""Milliseconds by which rounding alone may put neighbouring percentiles out of order."""
HISTOGRAM_ERROR: Final = 0.021
"""Relative error of a percentile that was read from a histogram."""
SIZE_ROUNDING: Final = 1.0
"""Entries by which rounding alone may put the average above the maximum."""

MOST_COUNTED: Final = 1e12
"""Operations that no cache does in a minute."""
_AT: Final = {name: i for i, name in enumerate(COLUMNS)}
_COUNTS: Final = COLUMNS[: 1 + len(PARTS)]
"""They come first among the columns."""
_RISING: Final = (
    "p50_response_time_ms",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "max_response_time_ms",
)
_AVERAGES: Final = ("avg_response_time_ms", "avg_hit_response_time_ms", "avg_miss_response_time_ms")
_PAIRS: Final = (*combinations(_RISING, 2), *((name, _RISING[-1]) for name in _AVERAGES))
"""Latencies of which the first is never more than the second."""
_LOW: Final = [_AT[low] for low, _ in _PAIRS]
_HIGH: Final = [_AT[high] for _, high in _PAIRS]


def broken_identities(block: WindowBlock) -> tuple[Mask, dict[int, tuple[str, ...]]]:
    """Which windows contradict themselves, and why.

    Every value that is known is finite and not negative, counts are whole; hits + misses + sets + evictions + errors
    is total_operations, and no more than that where some of them are unknown; hit_rate is what hits and misses say, percentiles
    rise to the maximum and no average lies above it, all to rounding and to a histogram's error.

    Returns
    -------
    broken
        Shape (n,): windows that are there and break at least one identity.
    reasons
        For each of their positions the sentences that name the identity and the numbers.

    Notes
    -----
    What is unknown (NaN) breaks nothing; infinity does, which stands for whatever is no number. A window is judged by itself.
    """
    values = block.values
    if len(block) == 1 and _plainly_right(*values[:, 0].tolist()):
        return np.zeros(1, dtype=np.bool_), {}
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        wrong = _wrong(values) & block.present
    if not wrong.any():
        return np.zeros(len(block), dtype=np.bool_), {}
    broken: Mask = np.any(wrong, axis=0)
    return broken, {
        int(i): _sentences(values[:, i], np.flatnonzero(wrong[:, i])) for i in np.flatnonzero(broken)
    }


def _plainly_right(*values: float) -> bool:
    """Whether one window with everything known breaks nothing, without a look at what roundings allow: most are, and it costs next to nothing."""
    (
        total,
        hits,
        misses,
        sets,
        evictions,
        errors,
        average,
        p50,
        p95,
        p99,
        most,
        size,
        most_size,
        rate,
        hit,
        miss,
    ) = values
    return (
        hits + misses + sets + evictions + errors == total <= MOST_COUNTED
        and min(values) >= 0.0
        and all(map(float.is_integer, (hits, misses, sets, evictions, errors)))
        and p50 <= p95 <= p99 <= most < math.inf
        and max(average, hit, miss) <= most
        and size <= most_size < math.inf
        and hits + misses > 0.0
        and abs(rate - 100.0 * hits / (hits + misses)) <= RATE_ROUNDING
    )


def _wrong(values: Floats) -> Mask:
    """Shape (identities, n): which identity each window breaks; comparisons with NaN are false."""
    wrong = np.empty((len(COLUMNS) + 5 + len(_PAIRS), values.shape[1]), dtype=np.bool_)
    others = iter(wrong[len(COLUMNS) :])
    impossible = np.less(values, 0.0, out=wrong[: len(COLUMNS)])
    infinite = np.isinf(values)
    impossible |= infinite
    if infinite.any():
        # what is no number is said once, and compared with nothing
        values = np.where(infinite, np.nan, values)
    counts = values[: len(_COUNTS)]
    impossible[: len(_COUNTS)] |= (counts - np.floor(counts) > 0.0) | (counts > MOST_COUNTED)
    total, parts = counts[0], counts[1:]
    known = ~np.isnan(parts)
    added = np.where(known, parts, 0.0).sum(axis=0)
    np.greater(added, total, out=next(others))
    np.logical_and(known.all(axis=0), added < total, out=next(others))
    rate = values[_AT["hit_rate"]]
    np.greater(rate, 100.0 + RATE_ROUNDING, out=next(others))
    away = np.abs(rate - _counted_rate(parts[0], parts[1]))
    np.greater(away, np.where(rate == np.floor(rate), WHOLE_ROUNDING, RATE_ROUNDING), out=next(others))
    high = values[_HIGH] * (1.0 + HISTOGRAM_ERROR) + LATENCY_ROUNDING
    np.greater(values[_LOW], high, out=wrong[-1 - len(_PAIRS) : -1])
    size = values[_AT["max_cache_size"]] + SIZE_ROUNDING
    np.greater(values[_AT["avg_cache_size"]], size, out=wrong[-1])
    return wrong


def _counted_rate(hits: Floats, misses: Floats) -> Floats:
    """In percent; NaN of no operations at all."""
    return 100.0 * hits / (hits + misses)


def _sentences(values: Floats, broken: np.typing.NDArray[np.intp]) -> tuple[str, ...]:
    """One window's reasons, in the order of the rows of `_wrong`."""
    number = {name: f"{value:.6g}" for name, value in zip(COLUMNS, values.tolist(), strict=True)}
    finite = dict(zip(COLUMNS, (~np.isinf(values)).tolist(), strict=True))
    known = [part for part in PARTS if not np.isnan(values[_AT[part]])]
    added = sum(float(values[_AT[part]]) for part in known)
    with np.errstate(invalid="ignore", divide="ignore"):
        counted = float(_counted_rate(values[_AT["hits"]], values[_AT["misses"]]))
    total = number["total_operations"]
    said = {name: f"{name} is {number[name]}, which no {_kind(name)} can be." for name in COLUMNS}
    said |= {name: f"{name} is no finite number." for name, value in finite.items() if not value}
    sentences = [
        *said.values(),
        f"{' + '.join(known)} is {added:.6g}, more than total_operations, {total}.",
        f"{' + '.join(known)} is {added:.6g}, less than total_operations, {total}.",
        f"hit_rate is {number['hit_rate']} %, more than 100 %.",
        f"hit_rate is {number['hit_rate']} %, hits / (hits + misses) is {counted:.6g} %.",
        *(f"{low} is {number[low]}, more than {high}, {number[high]}." for low, high in _PAIRS),
        f"avg_cache_size is {number['avg_cache_size']}, more than max_cache_size, {number['max_cache_size']}.",
    ]
    return tuple(sentences[row] for row in broken)


def _kind(name: str) -> str:
    if name in PARTS or name == "total_operations":
        return "count"
    return "time" if name.endswith("_ms") else "rate" if name == "hit_rate" else "size"
