"""What real teams' caches do every day, and faults in the midst of it: pages that matter to nobody, and faults that are missed.

Each habit (`field_worlds`) is lived for three weeks with several seeds. Nothing is wrong in them but what is the habit itself; of a deploy that empties the
cache one page each is right, of the others any page is one too many once the habit is known. On two of the last working days faults are put in, at
noon and at the habit's own hour; of what they do nothing comes back into the world.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from benchmarks.fault_load import DAY
from benchmarks.fault_windows import block_of
from benchmarks.field_worlds import HABITS, MONDAY, begun, lived

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.detection.judgement import Observation, State
    from auditor.detection.windows import WindowBlock
    from benchmarks.fault_cache import World
    from benchmarks.field_worlds import Habit

DAYS: Final = 21
QUICK_DAYS: Final = 12
SEEDS: Final = 2
FIRST_DAYS: Final = 4
LASTS: Final = 40
AFTER: Final = 40
NOON: Final = 12 * 60 + 17
FAULTS: Final[dict[str, dict[str, float | bool]]] = {
    "backend_slow": {"backend": 3.0},
    "backend_errors": {"failing": 0.5},
    "key_change": {"unstable": True},
    "flush": {"emptied": True},
}


def main(quick: bool = False) -> dict[str, Any]:
    """Live through every habit; print a table."""
    seeds, days = (1, QUICK_DAYS) if quick else (SEEDS, DAYS)
    jobs = [(number, seed, days) for number in range(len(HABITS)) for seed in range(seeds)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        lives = list(pool.map(_life, *zip(*jobs, strict=True)))
    print(
        f"{'':32}{'pages at first':>15}{'a week after':>14}{'incidents':>11}{'at noon':>10}{'at its hour':>13}{'right':>7}"
    )
    rows = []
    for habit in HABITS:
        row = _row([life for life in lives if life["habit"] == habit.name])
        rows.append(row)
        print(
            f"{row['habit']:32}{row['pages_at_first']:15.1f}{row['pages_a_week_after']:14.2f}{row['incidents_a_week_after']:11.2f}"
            f"{row['found_at_noon']:>10}{row['found_at_its_hour']:>13}{row['cause_right']:>7}"
        )
    print(
        f"At first: the first {FIRST_DAYS} days, for each cache. Faults found within {LASTS} minutes of all that were put in, and the share whose first cause is right."
    )
    return {"rows": rows, "days": days, "caches": seeds, "lives": lives}


def _life(number: int, seed: int, days: int) -> dict[str, Any]:
    habit = HABITS[number]
    world = begun(habit, seed)
    states: dict[int, tuple[State, World]] = {}
    seen: dict[str, Observation] = {}
    state: State | None = None
    stops = {days - 4: NOON, days - 3: habit.busy}
    for day in range(days):
        for length in (stops[day], DAY - stops[day]) if day in stops else (DAY,):
            first = world.minute
            judgement = judge(state, block_of(habit.name, first, lived(habit, world, length, seed)), Policy())
            state = judgement.state
            seen |= {observation.fingerprint: observation for observation in judgement.observations}
            if day in stops and length == stops[day]:
                states[day] = (state, world.copy())
    early, late = [
        [o for o in seen.values() if (o.window_start_minute - MONDAY < FIRST_DAYS * DAY) == first]
        for first in (True, False)
    ]
    faults = [
        {"kind": kind, "at": "noon" if stops[day] == NOON else "its hour"}
        | _fault(habit, *states[day], seed, kind)
        for day in stops
        for kind in FAULTS
    ]
    return {
        "habit": habit.name,
        "seed": seed,
        "pages_at_first": _pages(early),
        "pages_after": _pages(late),
        "incidents_after": len({o.incident_id for o in late}),
        "weeks_after": (days - FIRST_DAYS) / 7,
        "faults": faults,
    }


def _pages(observations: Iterable[Observation]) -> int:
    return sum(o.severity != "info" for o in observations)


def _fault(habit: Habit, state: State, world: World, seed: int, kind: str) -> dict[str, Any]:
    start, twin = world.minute, world.copy()

    def changed(minute: int) -> dict[str, float | bool]:
        if kind == "flush":
            return dict(FAULTS[kind]) if minute == start else {}
        return dict(FAULTS[kind]) if minute - start < LASTS else {}

    columns = lived(habit, twin, LASTS + AFTER, seed, changed)
    found = _found(state, block_of(habit.name, start, columns))
    return {
        "found": found is not None,
        "delay": None if found is None else found.timestamp_minute - start,
        "right": found is not None and found.evidence["causes"][0]["cause"] == kind,
    }


def _found(state: State, block: WindowBlock) -> Observation | None:
    """The page that opens, or is still open, within the fault."""
    pages = [
        o
        for o in judge(state, block, Policy()).observations
        if o.severity != "info"
        and o.window_end_minute > block.first_minute
        and o.timestamp_minute - 1 < block.first_minute + LASTS
    ]
    return min(pages, key=lambda o: o.timestamp_minute, default=None)


def _row(lives: list[dict[str, Any]]) -> dict[str, Any]:
    weeks = sum(life["weeks_after"] for life in lives)
    faults = [fault for life in lives for fault in life["faults"]]
    found = [fault for fault in faults if fault["found"]]
    return {
        "habit": lives[0]["habit"],
        "pages_at_first": sum(life["pages_at_first"] for life in lives) / len(lives),
        "pages_a_week_after": sum(life["pages_after"] for life in lives) / weeks,
        "incidents_a_week_after": sum(life["incidents_after"] for life in lives) / weeks,
        "found_at_noon": _share([fault["found"] for fault in faults if fault["at"] == "noon"]),
        "found_at_its_hour": _share([fault["found"] for fault in faults if fault["at"] == "its hour"]),
        "cause_right": f"{100 * sum(fault['right'] for fault in found) / max(len(found), 1):.0f} %",
    }


def _share(found: list[bool]) -> str:
    return f"{sum(found)} of {len(found)}"


if __name__ == "__main__":
    main()
