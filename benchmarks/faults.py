"""Faults of every cause in a real LRU cache with a time to live, in traffic of 4 to 1200 lookups a minute, after two weeks of learning.

Every fault is graded against the fault-free twin of its world (`fault_truth`): whether it matters, since which window, whether it was
found, how many windows after that, under which cause, as how many incidents. What alarms in the weeks without a fault is false.
A delay of 1 is an alarm of the first window that could tell; those since the fault's beginning are in the JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import stats

from auditor.detection.policy import Policy
from benchmarks.fault_kinds import KINDS
from benchmarks.fault_load import SHAPES
from benchmarks.fault_run import Lifetime, Plan, live

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FULL: Final = Plan(learning_days=14, fault_days=3, each=2)
QUICK: Final = Plan(learning_days=2, fault_days=1, each=1)
SEEDS: Final = (4, 5, 6)
QUICK_SHAPES: Final = 3

_HEADER: Final = f"{'':22}{'faults':>7}{'material':>9}{'found':>6}{'delay':>6}{'p95':>5}{'right':>7}{'early':>6}{'incidents':>10}"
Row = dict[str, Any]


def main(quick: bool = False) -> dict[str, Any]:
    """Live through every shape and seed; print a table for each shape, the goals, and the sums as one line of JSON."""
    policy = Policy()
    shapes, seeds, plan = (SHAPES[:QUICK_SHAPES], SEEDS[:1], QUICK) if quick else (SHAPES, SEEDS, FULL)
    lives: list[Lifetime] = []
    for shape in shapes:
        of_shape = [live(shape, seed, plan, policy) for seed in seeds]
        lives += of_shape
        print(f"\n{shape.name}\n{_HEADER}")
        rows = [row for life in of_shape for row in life.faults]
        for kind in KINDS:
            _print_row(kind, [row for row in rows if row["kind"] == kind])
        _print_row("all", rows)
        print(_false_pages(of_shape, policy), flush=True)
    rows = [row for life in lives for row in life.faults]
    print(f"\nevery shape\n{_HEADER}")
    for kind in KINDS:
        _print_row(kind, [row for row in rows if row["kind"] == kind])
    _print_row("all", rows)
    print(_false_pages(lives, policy))
    summary: dict[str, Any] = {
        "policy": {"false_alarms_per_week": policy.false_alarms_per_week},
        "all": graded(rows),
        "cells": {
            shape.name: {
                kind: graded([row for row in rows if row["kind"] == kind and row["shape"] == shape.name])
                for kind in KINDS
            }
            for shape in shapes
        },
        "weeks": sum(life.weeks for life in lives),
        "pages": [page | {"shape": life.shape, "seed": life.seed} for life in lives for page in life.pages],
        "faults": rows,
    }
    print(json.dumps({name: summary[name] for name in ("all", "weeks")} | {"pages": len(summary["pages"])}))
    return summary


def graded(rows: Sequence[Row]) -> dict[str, float | int | None]:
    """What a set of faults came to; delays are windows since the fault was material, None where nothing was found."""
    material = [row for row in rows if row["material"] is not None]
    found = [row for row in material if row["found"]]
    return {
        "faults": len(rows),
        "material": len(material),
        "found": len(found),
        "delay_median": _quantile(found, "delay_beyond", np.median),
        "delay_p95": _quantile(found, "delay_beyond", _p95),
        "since_beginning_median": _quantile(found, "delay", np.median),
        "since_beginning_p95": _quantile(found, "delay", _p95),
        "right": sum(row["told"] == row["cause"] for row in found),
        "right_early": sum(row["told_early"] in (row["cause"], row["meanwhile"]) for row in found),
        "incidents": sum(row["incidents"] for row in found),
        "most_incidents": max((row["incidents"] for row in found), default=0),
        "unresolved": sum(row["unresolved"] for row in rows),
    }


def _p95(delays: Sequence[int]) -> float:
    """The least delay that 95 % are within."""
    return float(np.quantile(delays, 0.95, method="inverted_cdf"))


def _quantile(rows: Sequence[Row], name: str, of: Callable[[Sequence[int]], Any]) -> float | None:
    delays = [row[name] for row in rows]
    return float(of(delays)) if delays else None


def _print_row(name: str, rows: Sequence[Row]) -> None:
    sums = graded(rows)
    print(
        f"  {name:20}{sums['faults']:7}{sums['material']:9}{sums['found']:6}"
        f"{_number(sums['delay_median']):>6}{_number(sums['delay_p95']):>5}"
        f"{_share(sums['right'], sums['found']):>7}{_share(sums['right_early'], sums['found']):>6}"
        f"{_each(sums['incidents'], sums['found']):>10}"
    )


def _false_pages(lives: Sequence[Lifetime], policy: Policy) -> str:
    weeks, pages = sum(life.weeks for life in lives), sum(len(life.pages) for life in lives)
    low = stats.gamma.ppf(0.025, pages) / weeks if pages else 0.0
    high = stats.gamma.ppf(0.975, pages + 1) / weeks
    return (
        f"  {pages} false pages in {weeks:.1f} cache-weeks without a fault: {pages / weeks:.2f} a week"
        f" (95 %: {low:.2f} to {high:.2f}), the budget is {policy.false_alarms_per_week:g}"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _share(part: float | None, whole: float | None) -> str:
    return f"{100 * (part or 0) / whole:.0f} %" if whole else "-"


def _each(part: float | None, whole: float | None) -> str:
    return f"{(part or 0) / whole:.2f}" if whole else "-"


if __name__ == "__main__":
    main()
