"""Null calibration: how often caches with nothing wrong alarm, against the budget that was promised, from a cold start on.

An alarm is a minute at which a test rejects on enough operations, however small the effect; those within an hour of each other are one.
Incidents (observations of whatever severity) and pages are what is left of them once an effect has to matter.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import stats

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from benchmarks.null_traffic import NULLS, WEEK, healthy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.detection.windows import WindowBlock

BUDGETS: Final = (0.1, 1.0, 10.0)
WEEKS: Final = 4
"""Of each cache, the first of them from a cold start."""
CACHES: Final = 50
QUICK_CACHES: Final = 1
APART: Final = 60
LEAST_SHARE: Final = 0.2
"""Of the budget that has to be used: a detector that never speaks is deaf."""

Life = tuple[int, float, int, int, int, int]


def main(quick: bool = False) -> dict[str, Any]:
    """Live through every null at every budget; print a table."""
    caches = QUICK_CACHES if quick else CACHES
    worlds = [(null, 1000 * null + seed) for null, seed in product(range(len(NULLS)), range(caches))]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = [life for lives in pool.map(_lived, *zip(*worlds, strict=True)) for life in lives]
    rows = []
    print(
        f"{'':26}{'budget':>7}{'alarms a week':>15}{'95 %':>16}{'first day':>11}{'incidents':>11}{'pages':>8}"
    )
    for null, budget in product(range(len(NULLS)), BUDGETS):
        row = _row(null, budget, [life for life in found if life[:2] == (null, budget)])
        rows.append(row)
        print(
            f"{row['null']:26}{budget:7g}{row['alarms_a_week']:15.3f}{row['low']:9.3f} –{row['high']:6.3f}"
            f"{row['first_day']:11d}{row['incidents_a_week']:11.3f}{row['pages_a_week']:8.3f}"
            f"{'' if row['kept'] else '   over budget'}{'   deaf' if row['deaf'] else ''}"
        )
    kept = sum(row["kept"] and not row["deaf"] for row in rows)
    print(
        f"{kept} of {len(rows)} keep the budget and use a fifth of it, over {WEEKS * caches} cache-weeks each."
    )
    return {"rows": rows, "cache_weeks": WEEKS * caches}


def _lived(null: int, seed: int) -> list[Life]:
    """One cache lived through from some minute of the first day on, and judged at every budget."""
    begin = int(np.random.default_rng(seed).integers(WEEK // 7))
    block = healthy(NULLS[null], WEEKS + 1, seed).slice(begin, begin + WEEKS * WEEK)
    return [_judged(null, block, budget) for budget in BUDGETS]


def _judged(null: int, block: WindowBlock, budget: float) -> Life:
    judgement = judge(None, block, Policy(false_alarms_per_week=budget))
    at = np.flatnonzero(judgement.ledger.improbable)
    alarms = at[np.diff(at, prepend=-APART - 1) > APART]
    incidents = {o.incident_id for o in judgement.observations}
    pages = {o.incident_id for o in judgement.observations if o.severity != "info"}
    return null, budget, len(alarms), int((alarms < WEEK // 7).sum()), len(incidents), len(pages)


def _row(null: int, budget: float, lives: Sequence[Life]) -> dict[str, Any]:
    weeks = WEEKS * len(lives)
    alarms, first_day, incidents, pages = (sum(life[part] for life in lives) for part in range(2, 6))
    most = stats.poisson.ppf(0.975, budget * weeks)
    return {
        "null": NULLS[null].name,
        "budget": budget,
        "alarms_a_week": alarms / weeks,
        "low": stats.gamma.ppf(0.025, alarms) / weeks if alarms else 0.0,
        "high": stats.gamma.ppf(0.975, alarms + 1) / weeks,
        "first_day": first_day,
        "incidents_a_week": incidents / weeks,
        "pages_a_week": pages / weeks,
        "kept": bool(alarms <= most),
        "deaf": bool(stats.poisson.cdf(alarms, LEAST_SHARE * budget * weeks) < 0.025),
    }


if __name__ == "__main__":
    main()
