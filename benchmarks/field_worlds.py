"""Healthy caches with the habits of real teams: batches, restarts, backups, nights off, pauses; lived in the simulated cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.fault_cache import World
from benchmarks.fault_condition import NORMAL
from benchmarks.fault_load import DAY, Load, Shape
from benchmarks.fault_windows import Columns, columns_of, joined

MONDAY: Final = 29_000_160 + 4 * DAY
"""A midnight UTC at which every world begins."""
HOUR: Final = 60
WEEKEND: Final = (5, 6)
USUAL: Final = Shape("20/min", 20, 0.5, 0.7, 0.0, 800, 1.0, 2000, 60)
FEW_HITS: Final = Shape("hardly any hits", 20, 0.5, 0.7, 0.0, 500_000, 0.3, 2000, 60)
_COUNTS: Final = ("total_operations", "hits", "misses", "sets", "evictions", "errors")


@dataclass(frozen=True, slots=True)
class Spell:
    """Minutes of a day in which something of the world is different.

    Parameters
    ----------
    first, last
        Minutes of the day, the last not among them.
    changes
        What is different.
    emptied
        Whether the cache is emptied when it begins.
    """

    first: int
    last: int
    changes: dict[str, float | bool]
    emptied: bool = False


Days = Callable[[int, np.random.Generator], Iterable[Spell]]
"""The spells of a day, counted from the first, a Monday."""


@dataclass(frozen=True, slots=True)
class Habit:
    """One kind of world.

    Parameters
    ----------
    name
        As in the table.
    days
        What its days are like.
    busy
        A minute of the day at which the habit shows; a fault is put there too.
    shape
        Its traffic and its cache.
    """

    name: str
    days: Days
    busy: int
    shape: Shape = USUAL


def _nightly(first: int, last: int, *, emptied: bool = False, **changes: float | bool) -> Days:
    return lambda _day, _random: [Spell(first, last, changes, emptied)]


def _on(
    weekdays: Iterable[int], first: int, last: int, *, emptied: bool = False, **changes: float | bool
) -> Days:
    days = frozenset(weekdays)
    return lambda day, _random: [Spell(first, last, changes, emptied)] if day % 7 in days else []


def _hourly(_day: int, _random: np.random.Generator) -> Iterable[Spell]:
    return [Spell(hour * HOUR + 5, hour * HOUR + 8, {"surplus": 0.8}) for hour in range(24)]


def _off_at_night(_day: int, _random: np.random.Generator) -> Iterable[Spell]:
    return [Spell(0, 6 * HOUR, {"rate": 0.0}), Spell(22 * HOUR, DAY, {"rate": 0.0})]


def _office_hours(day: int, _random: np.random.Generator) -> Iterable[Spell]:
    if day % 7 in WEEKEND:
        return [Spell(0, DAY, {"rate": 0.06})]
    return [Spell(0, 8 * HOUR, {"rate": 0.06}), Spell(17 * HOUR, DAY, {"rate": 0.06})]


def _pauses(_day: int, random: np.random.Generator) -> Iterable[Spell]:
    starts = np.sort(random.integers(0, DAY // 10 - 1, random.poisson(1.5)) * 10)
    return [
        Spell(at, at + int(random.integers(3, 10)), {"reporting": False}) for at in np.unique(starts).tolist()
    ]


def _collections(_day: int, random: np.random.Generator) -> Iterable[Spell]:
    starts = np.unique(random.integers(0, DAY - 1, random.poisson(6)))
    return [Spell(at, at + 1, {"backend": 4.0}) for at in starts.tolist()]


def _deploys(day: int, random: np.random.Generator) -> Iterable[Spell]:
    at = int(random.integers(9 * HOUR, 17 * HOUR))
    return [] if day % 7 in WEEKEND else [Spell(at, at + 1, {"reporting": False}, emptied=True)]


def _launch(day: int, _random: np.random.Generator) -> Iterable[Spell]:
    return [Spell(10 * HOUR if day == 9 else 0, DAY, {"rate": 2.0})] if day >= 9 else []


def _nothing(_day: int, _random: np.random.Generator) -> Iterable[Spell]:
    return []


HABITS: Final = (
    Habit("nothing of the kind", _nothing, 125),
    Habit("nightly batch", _nightly(120, 155, surplus=1.5), 125),
    Habit("batch of working days", _on(range(5), 120, 155, surplus=1.5), 125),
    Habit("nightly restart", _nightly(190, 192, emptied=True, reporting=False), 193),
    Habit("restart on Sundays", _on([6], 240, 242, emptied=True, reporting=False), 245),
    Habit("job every hour", _hourly, 125),
    Habit("nightly backup of the backend", _nightly(60, 90, backend=2.2), 65),
    Habit("off at night", _off_at_night, 370),
    Habit("office hours", _office_hours, 485),
    Habit("pauses of the collector", _pauses, 125),
    Habit("pauses of the backend", _collections, 125),
    Habit("hardly any hits", _nothing, 125, FEW_HITS),
    Habit("twice the traffic since day 9", _launch, 605),
    Habit("deploys at random hours", _deploys, 600),
)


def begun(habit: Habit, seed: int) -> World:
    """The world before its first minute."""
    return World(Load(habit.shape, seed), habit.shape.capacity, habit.shape.ttl, MONDAY)


def lived(
    habit: Habit,
    world: World,
    minutes: int,
    seed: int,
    changed: Callable[[int], dict[str, float | bool]] | None = None,
) -> Columns:
    """Live through so many minutes; `changed` tells what a fault makes different in a minute, and with it all is lived minute by minute."""
    parts = []
    end = world.minute + minutes
    while world.minute < end:
        spells = _spells_of(habit, (world.minute - MONDAY) // DAY, seed)
        until = min(end, world.minute + 1) if changed else min(end, _next_change(spells, world.minute))
        parts.append(_part(world, until, spells, {} if changed is None else changed(world.minute)))
    return joined(parts)


def _spells_of(habit: Habit, day: int, seed: int) -> list[Spell]:
    return list(habit.days(day, np.random.default_rng([seed, day, 8])))


def _next_change(spells: list[Spell], minute: int) -> int:
    """The first minute after this one at which a spell begins or ends, or an hour does."""
    of_day = (minute - MONDAY) % DAY
    ends = [at for spell in spells for at in (spell.first, spell.last) if at > of_day]
    return minute - of_day + min([of_day - of_day % HOUR + HOUR, *ends])


def _part(world: World, until: int, spells: list[Spell], fault: dict[str, float | bool]) -> Columns:
    start, of_day = world.minute, (world.minute - MONDAY) % DAY
    world.condition = NORMAL
    emptied = bool(fault.pop("emptied", False))
    for spell in spells:
        if spell.first <= of_day < spell.last:
            world.change(**spell.changes)
            emptied |= spell.emptied and of_day == spell.first
    if fault:
        world.change(**fault)
    lookups, told = world.live(until - start, (start + 0.3, _empty) if emptied else None)
    columns = columns_of(start, until - start, lookups, told, world.condition)
    return columns if world.condition.reporting else _unreported(columns)


def _empty(world: World, _now: float) -> int:
    world.cache.until.clear()
    return 0


def _unreported(columns: Columns) -> Columns:
    return {
        name: np.full(len(column), 0.0 if name in _COUNTS else np.nan) for name, column in columns.items()
    }
