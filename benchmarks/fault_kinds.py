"""What goes wrong in the simulated cache, named after the cause that the auditor ought to name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.fault_condition import HIT_MS, NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from benchmarks.fault_cache import World
    from benchmarks.fault_load import Shape

LASTS: Final = 40
"""Minutes from a fault's beginning to its end."""
DECAY_LASTS: Final = 240
DECAY_OVER: Final = 180
"""Minutes in which a slow decay comes to its full size."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault as drawn.

    Parameters
    ----------
    kind
        Its row in the table.
    cause
        What the first of the ranked causes has to be.
    detail
        How it was drawn, in words.
    lasts
        Minutes until it is undone.
    begin, end
        What it does to the world at a time, and how that is undone; each returns the evictions that are counted at once.
    during
        Told, before each whole minute since, how many minutes ago it began.
    absent
        Minutes after the one it began in that have no row.
    corrupts
        Whether windows are written wrong.
    meanwhile
        What may be named at first: while nothing arrives nobody knows more.
    """

    kind: str
    cause: str
    detail: str
    lasts: int
    begin: Callable[[World, float], int]
    end: Callable[[World, float], int]
    during: Callable[[World, int], None] | None = None
    absent: int = 0
    corrupts: bool = False
    meanwhile: str | None = None


def draw(kind: str, shape: Shape, world: World, random: np.random.Generator) -> Fault:
    """A fault of a kind, its size drawn."""
    return _DRAWN[kind](kind, shape, world, random)


def _nothing(_world: World, _now: float) -> int:
    return 0


def _normal(world: World, _now: float) -> int:
    world.condition = NORMAL
    return 0


def _condition(kind: str, detail: str, **changes: float | bool) -> Fault:
    def begin(world: World, _now: float) -> int:
        world.change(**changes)
        return 0

    return Fault(kind, kind, detail, LASTS, begin, _normal)


def _clear(world: World, _now: float) -> int:
    world.cache.until.clear()
    return 0


def _flush(kind: str, _shape: Shape, _world: World, _random: np.random.Generator) -> Fault:
    return Fault(kind, "flush", "everything", LASTS, _clear, _nothing)


def _restart(kind: str, _shape: Shape, _world: World, _random: np.random.Generator) -> Fault:
    return Fault(kind, "flush", "a minute without a row", LASTS, _clear, _nothing, absent=1)


def _outage(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    minutes = int(random.integers(2, 7))
    return Fault(
        kind,
        "flush",
        f"{minutes} minutes without a row",
        LASTS,
        _clear,
        _nothing,
        absent=minutes,
        meanwhile="silence",
    )


def _capacity_cut(kind: str, shape: Shape, world: World, random: np.random.Generator) -> Fault:
    to = max(2, int(len(world.cache.until) * random.uniform(0.08, 0.5)))
    counted = bool(random.random() < 0.5)

    def begin(world: World, _now: float) -> int:
        return world.cache.resize(to) * counted

    def end(world: World, _now: float) -> int:
        return world.cache.resize(shape.capacity) * 0

    detail = f"to {to} of {len(world.cache.until)}{', evictions counted' if counted else ''}"
    return Fault(kind, kind, detail, LASTS, begin, end)


def _ttl_cut(kind: str, shape: Shape, world: World, random: np.random.Generator) -> Fault:
    lived = min(shape.ttl, 10.0 * len(world.cache.until) / shape.rate)
    to = max(0.3, lived * random.uniform(0.02, 0.12))
    old = str(random.choice(["kept", "aged", "anew"]))

    def begin(world: World, now: float) -> int:
        world.cache.live_for(to, now, old)
        return 0

    def end(world: World, now: float) -> int:
        world.cache.live_for(shape.ttl, now, "kept")
        return 0

    return Fault(kind, kind, f"to {to:.1f} of {shape.ttl:.0f} minutes, old entries {old}", LASTS, begin, end)


def _key_change(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    if random.random() < 0.5:
        return _condition(kind, "another name each time", unstable=True)
    return _condition(kind, "another prefix", renamed=True)


def _grown(kind: str, to: float, over: int, lasts: int) -> Fault:
    def during(world: World, minutes: int) -> None:
        world.change(strangers=to * min(1.0, minutes / over) if over else to)

    detail = f"{to:.0%} of lookups for a wider set, over {over} minutes"
    return Fault(kind, "working_set_growth", detail, lasts, _nothing, _normal, during)


def _growth(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    return _grown(kind, random.uniform(0.25, 0.6), int(random.choice([0, 3, 8])), LASTS)


def _slow_decay(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    return _grown(kind, random.uniform(0.25, 0.5), DECAY_OVER, DECAY_LASTS)


def _surge(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    surplus = random.uniform(0.6, 2.5)
    return _condition(kind, f"{surplus:.1f} times the lookups on top", surplus=surplus)


def _stampede(kind: str, shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    crowd, slow = max(8, int(shape.rate * random.uniform(0.2, 0.5))), random.uniform(2.0, 6.0)
    return _condition(kind, f"crowds of {crowd}", crowd=crowd, backend=slow)


def _backend_slow(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    times = random.uniform(1.7, 8.0)
    return _condition(kind, f"{times:.1f} times as long", backend=times)


def _cache_slow(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    lag = HIT_MS * random.uniform(3.0, 60.0)
    return _condition(kind, f"{lag:.1f} ms later", lag_ms=lag)


def _backend_errors(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    failing = random.uniform(0.15, 1.0)
    slowly, as_miss = bool(random.random() < 0.3), bool(random.random() < 0.6)
    return _condition(kind, f"{failing:.0%} of calls", failing=failing, slowly=slowly, failed_is_miss=as_miss)


def _silence(kind: str, _shape: Shape, _world: World, _random: np.random.Generator) -> Fault:
    return _condition(kind, "no rows", reporting=False)


def _collector_fault(kind: str, _shape: Shape, _world: World, _random: np.random.Generator) -> Fault:
    return Fault(kind, kind, "more hits than operations", LASTS, _nothing, _nothing, corrupts=True)


def _improvement(kind: str, _shape: Shape, _world: World, random: np.random.Generator) -> Fault:
    if random.random() < 0.5:
        return _condition(kind, "a faster backend", backend=random.uniform(0.2, 0.5))
    return _condition(kind, "fewer keys asked for", narrow=0.35)


_DRAWN: Final[dict[str, Callable[[str, Shape, World, np.random.Generator], Fault]]] = {
    "flush": _flush,
    "restart": _restart,
    "capacity_cut": _capacity_cut,
    "ttl_cut": _ttl_cut,
    "key_change": _key_change,
    "working_set_growth": _growth,
    "slow_decay": _slow_decay,
    "surge_new_keys": _surge,
    "stampede": _stampede,
    "backend_slow": _backend_slow,
    "cache_slow": _cache_slow,
    "backend_errors": _backend_errors,
    "silence": _silence,
    "collector_fault": _collector_fault,
    "improvement": _improvement,
    "outage": _outage,
}
KINDS: Final = tuple(_DRAWN)
