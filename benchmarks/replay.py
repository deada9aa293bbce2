"""Windows judged a second by the fold: in blocks of a week, and one window at a time through JSON as the service does.

A metric-test is one metric in one direction by one test: a window, four, or a quarter of an hour for each of eight metrics, and three sequences.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from tests.detection.simulated import windows

if TYPE_CHECKING:
    from auditor.detection.windows import WindowBlock

METRICS = 8
TESTS = METRICS * 3 * 2 + 3 * 2


def main(quick: bool = False) -> dict[str, float]:
    """Measure in one run, and give the ratio of the two."""
    days = 4 if quick else 28
    block = windows(days * 1440)
    policy = Policy()
    in_days = _rate(block, 7 * 1440, policy)
    one_by_one = _rate(windows(1800), 1, policy)
    print(
        f"blocks of a week     {in_days:10,.0f} windows/s, {in_days * METRICS:12,.0f} metric-windows/s,"
        f" {in_days * TESTS:12,.0f} metric-tests/s"
    )
    print(
        f"one window at a time {one_by_one:10,.0f} windows/s, {1e6 / (one_by_one * METRICS):12,.0f} µs a metric-window, state through JSON"
    )
    print(f"ratio                {in_days / one_by_one:10,.1f}")
    return {"windows_per_second_in_days": in_days, "windows_per_second_one_by_one": one_by_one}


def _rate(block: WindowBlock, size: int, policy: Policy) -> float:
    state = None
    started = time.perf_counter()
    for start in range(0, len(block), size):
        judgement = judge(state, block.slice(start, min(start + size, len(block))), policy)
        state = json.loads(json.dumps(judgement.state)) if size == 1 else judgement.state
    return len(block) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
