"""A shape of traffic lived through with one seed: weeks without a fault, then every fault from where the weeks had come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.fold import judge
from benchmarks.fault_cache import World
from benchmarks.fault_kinds import DECAY_LASTS, KINDS, Fault, draw
from benchmarks.fault_load import DAY, Load
from benchmarks.fault_truth import AROUND, material_since
from benchmarks.fault_windows import Columns, block_of, columns_of, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditor.detection.judgement import Observation, State
    from auditor.detection.policy import Policy
    from auditor.detection.windows import WindowBlock
    from benchmarks.fault_load import Shape

FIRST_MINUTE: Final = 29_000_160
"""Midnight UTC, a Thursday."""
HOUR: Final = 60
AFTER: Final = 60
"""Minutes that are lived on after the end of a fault."""
LATE: Final = 15
"""Minutes after the end in which a fault may still be found."""
COUNTS: Final = ("total_operations", "hits", "misses", "sets", "evictions", "errors")
EARLY: Final = 3
"""Windows of an incident after which its first cause is noted, besides at its end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to learn, over how many days the faults are strewn, and how many there are of each kind."""

    learning_days: int
    fault_days: int
    each: int


@dataclass(slots=True)
class Lifetime:
    """What one seed of one shape gave: a row for each fault, and the pages in the weeks without one."""

    shape: str
    seed: int
    faults: list[dict[str, Any]] = field(default_factory=list)
    weeks: float = 0.0
    pages: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Fork:
    kind: str
    minute: int
    number: int


def live(shape: Shape, seed: int, plan: Plan, policy: Policy) -> Lifetime:
    """Learn, go on without a fault, and go back to the minute of each fault to let it happen."""
    random = np.random.default_rng([seed, int(shape.rate), shape.capacity])
    world = World(Load(shape, seed), shape.capacity, shape.ttl, FIRST_MINUTE)
    learned = _by_the_hour(world, plan.learning_days * 24)
    forks = _forks(random, FIRST_MINUTE + plan.learning_days * DAY, plan)
    worlds: dict[int, World] = {}
    twin = _by_the_minute(world, plan.fault_days * DAY, worlds, {fork.minute for fork in forks})
    whole = joined([learned, twin])
    states, observations = _judged(block_of(shape.name, FIRST_MINUTE, whole), sorted(worlds), policy)
    life = Lifetime(shape.name, seed, weeks=len(whole["hits"]) / (7 * DAY), pages=_pages(observations))
    for fork in forks:
        fault = draw(
            fork.kind, shape, worlds[fork.minute], np.random.default_rng([seed, fork.minute, fork.number])
        )
        row = _fault_row(fault, worlds[fork.minute], states[fork.minute], fork, policy)
        columns = row.pop("columns")
        lead = fork.minute - FIRST_MINUTE - AROUND
        material = material_since(
            {name: column[lead : lead + AROUND + fault.lasts + AROUND] for name, column in whole.items()},
            {name: column[: fault.lasts] for name, column in columns.items()},
            AROUND,
            policy,
            better=fault.cause == "improvement",
        )
        life.faults.append({"shape": shape.name, "seed": seed, **row, **_timed(row, fork, material)})
    return life


def _timed(row: dict[str, Any], fork: _Fork, material: tuple[int, str] | None) -> dict[str, Any]:
    """The delays in windows, 1 where the window itself alarmed: since the fault's beginning, and since it was material."""
    opened = row["opened_minute"]
    delay = None if opened is None else max(1, opened - fork.minute + 1)
    shown = None if material is None else material[0] + 1
    beyond = None if delay is None or shown is None else max(1, delay - shown + 1)
    by = None if material is None else material[1]
    return {"material": by, "material_after": shown, "delay": delay, "delay_beyond": beyond}


def _forks(random: np.random.Generator, first: int, plan: Plan) -> list[_Fork]:
    latest = first + plan.fault_days * DAY - DECAY_LASTS - AFTER - AROUND
    return [
        _Fork(kind, int(random.integers(first, latest)), number)
        for kind in KINDS
        for number in range(plan.each)
    ]


def _by_the_hour(world: World, hours: int) -> Columns:
    return joined([_lived(world, HOUR) for _ in range(hours)])


def _by_the_minute(world: World, minutes: int, worlds: dict[int, World], wanted: set[int]) -> Columns:
    parts = []
    for _ in range(minutes):
        if world.minute in wanted:
            worlds[world.minute] = world.copy()
        parts.append(_lived(world, 1))
    return joined(parts)


def _lived(
    world: World, minutes: int, event: tuple[float, Callable[[World, float], int]] | None = None
) -> Columns:
    start = world.minute
    lookups, lived = world.live(minutes, event)
    return columns_of(start, minutes, lookups, lived, world.condition)


def _judged(
    block: WindowBlock, stops: Iterable[int], policy: Policy
) -> tuple[dict[int, State], dict[str, Observation]]:
    """The detector's state before each minute of `stops`, and every observation in its last form."""
    states: dict[int, State] = {}
    observations: dict[str, Observation] = {}
    state: State | None = None
    position = 0
    ends = {block.first_minute + day for day in range(DAY, len(block), DAY)}
    for stop in [*sorted(ends | set(stops)), block.first_minute + len(block)]:
        until = stop - block.first_minute
        judgement = judge(state, block.slice(position, until), policy)
        state, position = judgement.state, until
        observations |= {observation.fingerprint: observation for observation in judgement.observations}
        states[stop] = state
    return states, observations


def _fault_row(fault: Fault, origin: World, state: State, fork: _Fork, policy: Policy) -> dict[str, Any]:
    columns = _with_fault(fault, origin.copy(), fork)
    block = block_of(origin.load.shape.name, fork.minute, columns)
    observations = judge(state, block, policy).observations
    notices = fault.cause == "improvement"
    touched = [o for o in _incidents(observations, notices=notices) if o.window_end_minute > fork.minute]
    found = [o for o in touched if _told_at(o) >= fork.minute]
    inside = [o for o in found if _told_at(o) < fork.minute + fault.lasts + LATE]
    first = inside[0] if inside else None
    row: dict[str, Any] = {
        "kind": fault.kind,
        "cause": fault.cause,
        "meanwhile": fault.meanwhile,
        "detail": fault.detail,
        "minute": fork.minute,
        "found": first is not None,
        "opened_minute": None,
        "metric": None,
        "told": None,
        "told_early": None,
        "incidents": len(found),
        "absorbed": first is None and len(touched) > len(found),
        "observations": len(observations),
        "unresolved": sum(o.status == "open" for o in found),
        "columns": columns,
    }
    if first is None:
        return row
    opened = _told_at(first)
    length = min(len(block), max(EARLY, opened - fork.minute + EARLY))
    early = judge(state, block.slice(0, length), policy).observations
    told = [o for o in _incidents(early, notices=notices) if o.incident_id == first.incident_id]
    return row | {
        "opened_minute": opened,
        "metric": f"{first.metric_name}:{first.direction}",
        "told": _cause(first),
        "told_early": _cause(told[0]) if told else None,
    }


def _with_fault(fault: Fault, world: World, fork: _Fork) -> Columns:
    """The windows from the fault's beginning to an hour after its end."""
    begins = fork.minute + np.random.default_rng([fork.minute, fork.number]).random() * 0.9
    gradual = fault.during
    parts = []
    for minute in range(fault.lasts + AFTER):
        event = {0: (begins, fault.begin), fault.lasts: (float(world.minute), fault.end)}.get(minute)
        if gradual is not None and minute < fault.lasts:
            gradual(world, minute)
        part = _lived(world, 1, event)
        down = 1 <= minute <= fault.absent
        if down:
            world.cache.until.clear()
        if down or not world.condition.reporting:
            part = {name: np.full(1, 0.0 if name in COUNTS else np.nan) for name in part}
        if fault.corrupts and minute < fault.lasts:
            part["hits"] = part["hits"] + 2.0 * part["total_operations"]
        parts.append(part)
    return joined(parts)


def _incidents(observations: Iterable[Observation], *, notices: bool = False) -> list[Observation]:
    """The leading observation of each incident that pages (with `notices`: of each that is only an info), in time order."""
    leading = [
        o
        for o in observations
        if o.evidence["lead"] and o.direction != "moved" and (o.severity == "info") == notices
    ]
    return sorted(leading, key=_told_at)


def _told_at(observation: Observation) -> int:
    """The window that paged, which of what was a notice before is not the first."""
    return observation.timestamp_minute - 1


def _cause(observation: Observation) -> str:
    return str(observation.evidence["causes"][0]["cause"])


def _pages(observations: dict[str, Observation]) -> list[dict[str, Any]]:
    """Every page of the fault-free weeks: each is false."""
    return [
        {
            "minute": o.window_start_minute - FIRST_MINUTE,
            "metric": f"{o.metric_name}:{o.direction}",
            "windows": o.window_end_minute - o.window_start_minute,
            "value": o.metric_value,
            "expected": o.baseline_value,
        }
        for o in observations.values()
        if o.severity != "info"
    ]
