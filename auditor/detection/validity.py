"""The identities that every window satisfies, whatever the cache does; a window that breaks one is the collector's fault."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.windows import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.windows import Floats, WindowBlock

Mask = np.typing.NDArray[np.bool_]

PARTS: Final = ("hits", "misses", "sets", "evictions", "errors")
RATE_ROUNDING: Final = 0.051
"""Percentage points by which a stored hit rate may differ from its counts: half of the coarsest rounding in the wild."""
LATENCY_ROUNDING: Final = 0.011
"""Milliseconds by which rounding alone may put neighbouring percentiles out of order."""
HISTOGRAM_ERROR: Final = 0.021
"""Relative error of a percentile that was read from a histogram."""
SIZE_ROUNDING: Final = 1.0


def broken_identities(block: WindowBlock) -> tuple[Mask, dict[int, tuple[str, ...]]]:
    """Which windows contradict themselves, and why.

    Returns
    -------
    broken
        Shape (n,): windows that are there and break at least one identity.
    reasons
        For each of their positions the sentences that name the identity and the numbers.

    Notes
    -----
    What is unknown (NaN) breaks nothing. Infinite, negative and fractional counts do.
    """
    broken = np.zeros(len(block), dtype=np.bool_)
    found: list[tuple[Mask, Callable[[int], str]]] = []
    with np.errstate(invalid="ignore"):
        for check in (_ranges, _counts, _rate, _order):
            for mask, sentence in check(block):
                wrong = mask & block.present
                if wrong.any():
                    broken |= wrong
                    found.append((wrong, sentence))
    reasons = {
        int(i): tuple(sentence(int(i)) for wrong, sentence in found if wrong[i])
        for i in np.flatnonzero(broken)
    }
    return broken, reasons


Checks = list[tuple[Mask, "Callable[[int], str]"]]


def _number(value: float) -> str:
    return f"{value:.6g}"


def _ranges(block: WindowBlock) -> Checks:
    checks: Checks = []
    for name in COLUMNS:
        column = block.columns[name]

        def say(i: int, name: str = name, column: Floats = column) -> str:
            return f"{name} is {_number(column[i])}, which no count, time or size can be."

        wrong = np.isinf(column) | (column < 0)
        if name in ("total_operations", *PARTS):
            wrong |= np.isfinite(column) & (column != np.floor(column))
        checks.append((wrong, say))
    return checks


def _counts(block: WindowBlock) -> Checks:
    column = block.columns
    total = column["total_operations"]
    gets = column["hits"] + column["misses"]
    parts = [column[name] for name in PARTS]
    added = parts[0] + parts[1] + parts[2] + parts[3] + parts[4]
    checks: Checks = [
        (
            gets > total,
            lambda i: (
                f"hits + misses is {_number(gets[i])}, more than total_operations, {_number(total[i])}."
            ),
        ),
        (
            added != total,
            lambda i: (
                f"hits + misses + sets + evictions + errors is {_number(added[i])}, total_operations {_number(total[i])}."
            ),
        ),
    ]
    # NaN differs from everything: an identity with an unknown side says nothing
    known = np.isfinite(added) & np.isfinite(total)
    checks[1] = (checks[1][0] & known & ~(gets > total), checks[1][1])
    for name in PARTS:
        part = column[name]

        def say(i: int, name: str = name, part: Floats = part) -> str:
            return f"{name} is {_number(part[i])}, more than total_operations, {_number(total[i])}."

        checks.append(((part > total) & ~known & ~(gets > total), say))
    return checks


def _rate(block: WindowBlock) -> Checks:
    rate = block.columns["hit_rate"]
    hits = block.columns["hits"]
    gets = hits + block.columns["misses"]
    counted = np.where(gets > 0, 100.0 * hits / np.where(gets > 0, gets, 1.0), np.nan)
    return [
        (rate > 100.0 + RATE_ROUNDING, lambda i: f"hit_rate is {_number(rate[i])} %, more than 100 %."),
        (
            np.abs(rate - counted) > RATE_ROUNDING,
            lambda i: f"hit_rate is {_number(rate[i])} %, hits / (hits + misses) is {_number(counted[i])} %.",
        ),
    ]


def _order(block: WindowBlock) -> Checks:
    column = block.columns
    checks: Checks = []
    latencies = (
        "p50_response_time_ms",
        "p95_response_time_ms",
        "p99_response_time_ms",
        "max_response_time_ms",
    )
    pairs = list(pairwise(latencies))
    pairs += [(name, latencies[-1]) for name in latencies[:2]]
    pairs += [
        (name, latencies[-1])
        for name in COLUMNS
        if name.startswith("avg_") and name.endswith("response_time_ms")
    ]
    for low_name, high_name in pairs:
        low, high = column[low_name], column[high_name]

        def say(
            i: int, names: tuple[str, str] = (low_name, high_name), at: tuple[Floats, Floats] = (low, high)
        ) -> str:
            return f"{names[0]} is {_number(at[0][i])}, more than {names[1]}, {_number(at[1][i])}."

        checks.append((low > high * (1.0 + HISTOGRAM_ERROR) + LATENCY_ROUNDING, say))
    size, most = column["avg_cache_size"], column["max_cache_size"]
    checks.append(
        (
            size > most + SIZE_ROUNDING,
            lambda i: f"avg_cache_size is {_number(size[i])}, more than max_cache_size, {_number(most[i])}.",
        )
    )
    return checks
