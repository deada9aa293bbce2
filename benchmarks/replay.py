"""Windows judged a second by the fold: in blocks, and one at a time, as the service does and with the whole state through JSON.

A metric-test is one metric in one direction by one test: a window, four, or a quarter of an hour for each of nine metrics, and three sequences. A
rate holds everything that `judge` does: validity, tests, incidents, learning, the next state. What a commit adds for each window, the
ledger's rows with their intervals and the state as text, stands in a line of its own. Seconds are those of the processor, and the best of a few
repetitions: a busy machine counts less.
"""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from auditor.detection.tested import METRICS as TESTED
from tests.detection.simulated import windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.judgement import Judgement, State
    from auditor.detection.windows import WindowBlock

METRICS = len(TESTED)
TESTS = METRICS * 3 * 2 + 3 * 2
DAY = 1440
REPEATED = 3
COLD = 1800
"""Minutes of a cache's first hours, in which it learns anew every hour."""


def main(quick: bool = False) -> dict[str, float]:
    """Measure all in one run."""
    weeks = 1 if quick else 4
    policy = Policy()
    block = windows(weeks * 7 * DAY + DAY)
    history, after = block.slice(0, weeks * 7 * DAY), block.slice(weeks * 7 * DAY, len(block))
    by_week, state = _judged(None, history, 7 * DAY, policy)
    by_day, _ = _judged(None, history, DAY, policy)
    print(f"in blocks, the first {weeks * 7} days of a cache")
    for name, rate in (("of a week", by_week), ("of a day", by_day)):
        print(f"  {name:38}{rate:10,.0f} windows/s, {rate * TESTS:12,.0f} metric-tests/s")
    live = {
        "first_hours": _live(None, windows(COLD), policy),
        "after_weeks": _live(state, after, policy),
        "committed": _live(state, after, policy, _commit),
        "through_json": _live(state, after, policy, _through_json),
    }
    print("one window at a time")
    for part, name in (
        ("first_hours", f"state in memory, the first {COLD // 60} hours"),
        ("after_weeks", f"state in memory, the day after {weeks * 7} days"),
        ("committed", "  with the ledger's rows and the text"),
        ("through_json", "whole state through JSON, the same day"),
    ):
        rate = live[part]
        print(f"  {name:38}{rate:10,.0f} windows/s, {1e6 / (rate * METRICS):12,.0f} µs a metric-window")
    return {
        "windows_per_second_in_weeks": by_week,
        "windows_per_second_in_days": by_day,
        **{f"windows_per_second_live_{part}": rate for part, rate in live.items()},
    }


def _judged(state: State | None, block: WindowBlock, size: int, policy: Policy) -> tuple[float, State]:
    """Windows a second, and the last state."""
    fewest = math.inf
    for _ in range(REPEATED):
        started, last = time.process_time(), state
        for start in range(0, len(block), size):
            last = judge(last, block.slice(start, min(start + size, len(block))), policy).state
        fewest = min(fewest, time.process_time() - started)
    assert last is not None
    return len(block) / fewest, last


def _live(
    state: State | None,
    block: WindowBlock,
    policy: Policy,
    handed_on: Callable[[Judgement], State] = lambda judgement: judgement.state,
) -> float:
    """Windows a second, one after the other; `handed_on` gives the state that the next is judged with."""
    fewest = math.inf
    for _ in range(REPEATED):
        started, last = time.process_time(), state
        for start in range(len(block)):
            last = handed_on(judge(last, block.slice(start, start + 1), policy))
        fewest = min(fewest, time.process_time() - started)
    return len(block) / fewest


def _commit(judgement: Judgement) -> State:
    """What a commit makes of a judgement; the service keeps the state itself."""
    parts: list[Any] = [list(judgement.ledger.rows()), judgement.state["hot"]]
    json.dumps(parts + [judgement.state["history"]] * judgement.history_changed)
    return judgement.state


def _through_json(judgement: Judgement) -> State:
    state: State = json.loads(json.dumps(judgement.state))
    return state


if __name__ == "__main__":
    main()
