"""The demo from end to end on the embedded database, for every fault it shows: found, as soon, under which cause, with what else."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from auditor.demo.faults import FAULTS, NO_FAULT
from auditor.demo.run import DemoPlan, run_demo
from auditor.demo.tell import Silent
from auditor.logs import configure_logging
from auditor.settings import read_settings

if TYPE_CHECKING:
    from auditor.demo.outcome import Outcome

QUICK: Final = ("key_change", "backend_slow", "silence", NO_FAULT)
SEEDS: Final = (1, 2, 3)


def main(quick: bool = False) -> list[dict[str, Any]]:
    """Run the demo for each kind of fault and each seed; print a table and the rows as one line of JSON."""
    configure_logging("ERROR")
    rows = []
    print(
        f"{'fault':20} {'seed':>4}  {'found':5}  {'cause':20} {'right':5}  {'delay':>5}  {'other pages':>11}"
    )
    for kind in QUICK if quick else FAULTS:
        for seed in SEEDS[:1] if quick else SEEDS:
            plan = DemoPlan(kind, seed=seed, days=1.0 if quick else 3.0, pace=None)
            row = _row(asyncio.run(run_demo(plan, read_settings(), Silent())), seed)
            rows.append(row)
            print(
                f"{kind:20} {seed:4}  {_yes(row['found']):5}  {row['cause'] or '-':20} {_yes(row['right']):5}"
                f"  {row['delay_windows'] or '-':>5}  {row['other_pages']:11}",
                flush=True,
            )
    faults = [row for row in rows if row["fault"] != NO_FAULT]
    print(
        f"{sum(row['found'] for row in faults)} of {len(faults)} found,"
        f" {sum(row['right'] for row in faults)} with the right cause,"
        f" {sum(row['other_pages'] for row in rows)} other pages in {len(rows)} runs"
    )
    print(json.dumps(rows))
    return rows


def _row(outcome: Outcome, seed: int) -> dict[str, Any]:
    return {
        "fault": outcome.kind,
        "seed": seed,
        "found": outcome.found,
        "cause": outcome.cause,
        "right": outcome.cause == outcome.kind if outcome.kind != NO_FAULT else not outcome.found,
        "delay_windows": outcome.delay_windows,
        "other_pages": outcome.other_pages,
    }


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


if __name__ == "__main__":
    main()
