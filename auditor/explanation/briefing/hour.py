"""The hour around an incident: columns of one-minute windows, drawn together into steps of five minutes."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.diagnosis.figures import known
from auditor.explanation.briefing.figures import at, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STEP_MINUTES: Final = 5
MOST_STEPS: Final = 24
MINUTE: Final = "minute"
Column = list[float | None]
Window = dict[str, float]


def hour_steps(columns: Mapping[str, Sequence[float | None]] | None) -> dict[str, Any] | None:
    """`{from, step_minutes, columns}` with one entry a step; None where there are no windows.

    Parameters
    ----------
    columns
        "minute" (since 1970) and any of the columns of `cache_metrics_1min`, one entry a window, in any order;
        None and NaN mean unknown. Of more than two hours the last two are taken.

    Returns
    -------
    steps
        Steps begin at multiples of five minutes. Rates are pooled over a step, in percent; traffic is the mean of
        its windows in operations a minute, the average response time is weighted by the operations, the p95 is the median of its
        windows', the size the last one known. A column that is unknown throughout is left out; a step without windows is null.
    """
    windows = _windows(columns or {})
    if not windows:
        return None
    last = max(windows) // STEP_MINUTES
    first = max(min(windows) // STEP_MINUTES, last - MOST_STEPS + 1)
    steps = [
        [windows[minute] for minute in range(STEP_MINUTES * i, STEP_MINUTES * (i + 1)) if minute in windows]
        for i in range(first, last + 1)
    ]
    drawn = {name: [rounded(draw(step)) if step else None for step in steps] for name, draw in _DRAWN.items()}
    return {
        "from": at(STEP_MINUTES * first),
        "step_minutes": STEP_MINUTES,
        "columns": {
            name: column for name, column in drawn.items() if any(entry is not None for entry in column)
        },
    }


def _windows(columns: Mapping[str, Sequence[float | None]]) -> dict[int, Window]:
    """What is known of each minute."""
    names = [name for name in columns if name != MINUTE]
    found: dict[int, Window] = {}
    for i, minute in enumerate(columns.get(MINUTE, ())):
        if known(minute):
            values = {name: columns[name][i] for name in names if i < len(columns[name])}
            found[int(minute)] = {name: value for name, value in values.items() if known(value)}
    return found


def _share(part: str, *whole: str) -> Callable[[list[Window]], float | None]:
    """One count as percent of others, pooled over the windows that know all of them."""

    def draw(step: list[Window]) -> float | None:
        sure = [window for window in step if {part, *whole} <= window.keys()]
        total = sum(window[name] for window in sure for name in whole)
        return 100.0 * sum(window[part] for window in sure) / total if total > 0.0 else None

    return draw


def _traffic(step: list[Window]) -> float | None:
    values = [window["total_operations"] for window in step if "total_operations" in window]
    return statistics.fmean(values) if values else None


def _average_latency(step: list[Window]) -> float | None:
    sure = [window for window in step if {"avg_response_time_ms", "total_operations"} <= window.keys()]
    weight = sum(window["total_operations"] for window in sure)
    if weight <= 0.0:
        return None
    return sum(window["avg_response_time_ms"] * window["total_operations"] for window in sure) / weight


def _middle(name: str) -> Callable[[list[Window]], float | None]:
    def draw(step: list[Window]) -> float | None:
        values = [window[name] for window in step if name in window]
        return statistics.median(values) if values else None

    return draw


def _last(name: str) -> Callable[[list[Window]], float | None]:
    def draw(step: list[Window]) -> float | None:
        return next((window[name] for window in reversed(step) if name in window), None)

    return draw


_DRAWN: Final[Mapping[str, Callable[[list[Window]], float | None]]] = {
    "hit_rate": _share("hits", "hits", "misses"),
    "error_rate": _share("errors", "total_operations"),
    "eviction_rate": _share("evictions", "sets"),
    "throughput": _traffic,
    "avg_response_time_ms": _average_latency,
    "p95_response_time_ms": _middle("p95_response_time_ms"),
    "cache_size": _last("avg_cache_size"),
}
