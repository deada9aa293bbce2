"""`auditor baseline`: what is normal for a cache."""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from auditor.commands.asking import asked
from auditor.commands.printing import as_json, table
from auditor.database import queries
from auditor.errors import BadInput
from auditor.settings import read_settings

if TYPE_CHECKING:
    from auditor.detection.judgement import LearnedBaseline

Row = dict[str, Any]
_PERCENT: Final = ("hit_rate", "error_rate", "eviction_rate", "get_share")


def learn(cache: str, *, days: float, output_format: str = "text") -> None:
    """Learn a baseline from a cache's stored windows and store it, inactive.

    Raises
    ------
    BadInput
        If the cache has too few windows in that time.
    """
    from auditor.database.history import windows_between
    from auditor.detection.fold import judge

    settings = read_settings()

    def learned(dsn: str) -> tuple[Row, Row | None]:
        state = None
        baseline: LearnedBaseline | None = None
        start = int(time.time() // 60 - days * 1440)
        for _, block in windows_between(dsn, from_minute=start, caches=[cache]):
            judgement = judge(state, block, settings.policy)
            state = judgement.state
            baseline = judgement.baseline or baseline
        if state is None and next(windows_between(dsn, caches=[cache]), None) is None:
            raise BadInput(f"There is no cache {cache}: name one that has reported windows.")
        if baseline is None:
            least = settings.policy.learning_windows
            raise BadInput(
                f"The cache {cache} has fewer than {least} windows in the last {days:g} days: give --days more."
            )
        baseline = dataclasses.replace(baseline, reason=f"on request from {days:g} days")
        active = queries.list_baselines(dsn, implementation_type=cache, active_only=True)
        return queries.store_baseline(dsn, baseline), active[0] if active else None

    stored, active = asked(learned)
    if output_format == "json":
        print(as_json(stored))
        return
    print(
        f"Learned and stored, inactive: auditor baseline activate {str(stored['id'])[:8]} makes it current."
    )
    rows = [_line("learned", stored)]
    if active is not None:
        rows.append(_line("active", active))
    table(("", *_HEADER), rows)


def show(name: str, *, output_format: str = "text") -> None:
    """Print one baseline: what is normal, by signal and hour of the day.

    Raises
    ------
    BadInput
        If no baseline, or more than one, is named so.
    """
    row = asked(lambda dsn: queries.show_baseline(dsn, name))
    if output_format == "json":
        print(as_json(row))
        return
    state = "active" if row["is_active"] else "inactive"
    print(
        f"Baseline {row['id']} of {row['implementation_type']}, {state}, learned {row['reason'] or 'elsewhere'}."
    )
    table(("", *_HEADER), [_line("", row)])
    profile = row["profile"]
    if not profile:
        return
    table(
        ("signal", "normal", "varies by", "follows within", "daily shape", "Monday to Sunday"),
        [_signal(signal, facts) for signal, facts in profile["signals"].items()],
    )


def activate(name: str, *, output_format: str = "text") -> None:
    """Judge by a stored baseline from the next pull on.

    Raises
    ------
    BadInput
        If no baseline, or more than one, is named so.
    """
    row = asked(lambda dsn: queries.activate_baseline(dsn, name))
    if output_format == "json":
        print(as_json(row))
    else:
        print(
            f"{row['implementation_type']} is judged by baseline {row['id']} now, until the next daily relearning."
        )


def history(cache: str | None, *, limit: int, output_format: str = "text") -> None:
    """Print the baselines that were learned, by cache, newest first."""
    rows = asked(lambda dsn: queries.list_baselines(dsn, implementation_type=cache, limit=limit))
    if output_format == "json":
        print(as_json(rows))
    elif rows:
        table(
            ("id", "cache", *_HEADER),
            [(str(row["id"])[:8], *_line(row["implementation_type"], row)) for row in rows],
        )
    else:
        print("No baseline has been learned: the first is, an hour after a cache's first window.")


_HEADER: Final = (
    "learned (UTC)",
    "active",
    "hit rate",
    "avg ms",
    "p95 ms",
    "error rate",
    "windows",
    "reason",
)


def _line(label: str, row: Row) -> tuple[str, ...]:
    return (
        label,
        row["created_at"].astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
        "yes" if row["is_active"] else "",
        _figure(row["baseline_hit_rate"], " %"),
        _figure(row["baseline_avg_response_time_ms"]),
        _figure(row["baseline_p95_response_time_ms"]),
        _figure(row["baseline_error_rate"], " %"),
        str(row["sample_size"] or ""),
        row["reason"] or "",
    )


def _figure(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:.3g}{unit}"


def _signal(name: str, facts: Row) -> tuple[str, ...]:
    import math

    level, spread = facts["level"], math.sqrt(facts["drift"] + facts["spread"])
    if name in _PERCENT:
        share = 1 / (1 + math.exp(-level))
        normal, varies = f"{100 * share:.3g} %", f"{100 * share * (1 - share) * spread:.2g} pp"
    else:
        normal, varies = f"{math.exp(level):.4g}", f"{100 * math.expm1(spread):.2g} %"
    follows = "does not" if facts["half_life"] is None else f"{facts['half_life']:g} h"
    season, week = facts["season"], facts["week"]
    return (
        name,
        normal,
        varies,
        follows,
        "" if season is None else _sparkline(season),
        "" if week is None else _sparkline(_by_weekday(week)),
    )


def _by_weekday(week: str | list[float]) -> list[float]:
    """The mean of each day from Monday on, of the shape of a week that is counted from 1970-01-01, a Thursday."""
    from auditor.detection.seasons import read_week

    days: list[float] = read_week(week).reshape(7, 24).mean(axis=1).tolist()
    return days[4:] + days[:4]


def _sparkline(values: list[float]) -> str:
    low, high = min(values), max(values)
    bars = "▁▂▃▄▅▆▇█"
    return "".join(bars[min(7, int(8 * (value - low) / (high - low or 1)))] for value in values)
