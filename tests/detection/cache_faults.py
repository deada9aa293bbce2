"""Faults that really happen in a simulated cache: what the ranking of causes is graded on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tests.detection.cache_physics import HIT_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.detection.cache_physics import Minute, World


@dataclass(frozen=True, eq=False)
class Trial:
    """One fault in one world: the healthy windows before and the windows since it began."""

    cause: str
    detail: str
    before: tuple[Minute, ...]
    after: tuple[Minute, ...]


def run_fault(world: World, before: tuple[Minute, ...], cause: str, seed: int, windows: int) -> Trial:
    """Let a fault begin at some moment of the next minute, and live on for so many windows."""
    twin = world.copy(seed)
    random = np.random.default_rng([seed, world.shape.capacity, sum(cause.encode())])
    begins = twin.now + random.random() * 0.9
    fault = FAULTS[cause](twin, random)
    begun = fault.by_the_minute
    if begun:
        fault.begin()
    extra = 0

    def events(at: float) -> None:
        nonlocal begun, extra
        if not begun and at >= begins:
            begun = True
            extra = fault.begin()
        if begun and fault.during is not None:
            fault.during(at)

    after = []
    for minute in twin.minutes(windows, events):
        minute.evictions += extra
        extra = 0
        after.append(minute)
    return Trial(cause, fault.detail, before, tuple(after))


@dataclass
class Begun:
    """A fault: what happens when it begins (returns evictions to be counted at once), and before each lookup since.

    One that is simulated by the minute begins with the minute.
    """

    detail: str
    begin: Callable[[], int]
    during: Callable[[float], None] | None = None
    by_the_minute: bool = False


def _condition(world: World, detail: str, **changes: Any) -> Begun:
    def begin() -> int:
        world.condition = replace(world.condition, **changes)
        return 0

    return Begun(detail, begin)


def _flush(world: World, _: np.random.Generator) -> Begun:
    def begin() -> int:
        world.cache.clear()
        return 0

    return Begun("cleared", begin)


def _capacity_cut(world: World, random: np.random.Generator) -> Begun:
    to = max(2, int(world.cache.currsize * random.uniform(0.08, 0.5)))
    counted = bool(random.random() < 0.5)
    return Begun(f"to {to}, counted {counted}", lambda: world.resize(to, counted=counted))


def _ttl_cut(world: World, random: np.random.Generator) -> Begun:
    lived = min(world.ttl, world.cache.currsize / max(world.shape.rate * 0.3, 0.1) * 3.0)
    to = max(0.3, lived * random.uniform(0.02, 0.12))
    old = str(random.choice(["kept", "aged", "anew"]))

    def begin() -> int:
        world.shorten(to, old)
        return 0

    return Begun(f"to {to:.1f} min, old entries {old}", begin)


def _key_change(world: World, random: np.random.Generator) -> Begun:
    if random.random() < 0.5:
        return _condition(world, "unstable keys", unstable=True)
    return _condition(world, "new prefix", prefix="v2:")


def _growth(world: World, random: np.random.Generator) -> Begun:
    to, minutes = random.uniform(0.25, 0.6), random.choice([0.0, 3.0, 8.0])
    began = world.now

    def during(at: float) -> None:
        share = 1.0 if minutes == 0.0 else min(1.0, (at - began) / minutes)
        world.condition.strangers = to * share

    return Begun(f"{to:.0%} strangers over {minutes} min", lambda: 0, during)


def _surge(world: World, random: np.random.Generator) -> Begun:
    surplus = random.uniform(0.6, 2.5)
    return _condition(world, f"{surplus:.1f} times surplus", surplus=surplus)


def _stampede(world: World, random: np.random.Generator) -> Begun:
    if world.shape.rate < 300 or random.random() < 0.5:
        crowd = max(8, int(world.shape.rate * random.uniform(0.2, 0.5)))
        slow = random.uniform(2.0, 6.0)
        crowds = _condition(world, f"crowds of {crowd}", crowd=crowd, backend=slow)
        return replace(crowds, by_the_minute=True)
    every, slow = random.uniform(0.15, 0.4), random.uniform(30.0, 80.0)
    due = world.now

    def during(at: float) -> None:
        nonlocal due
        if at >= due:
            due = at + every
            for rank in range(20):
                world.cache.pop(world._key(rank, int(at) // 30, stranger=False), None)

    def begin() -> int:
        world.condition.backend = slow
        return 0

    return Begun(f"hot keys every {every:.2f} min at {slow:.0f} times", begin, during)


def _backend_errors(world: World, random: np.random.Generator) -> Begun:
    return _condition(
        world,
        "errors",
        failing=random.uniform(0.15, 1.0),
        fails_slowly=bool(random.random() < 0.3),
        failure_is_miss=bool(random.random() < 0.6),
    )


def _improvement(world: World, random: np.random.Generator) -> Begun:
    if random.random() < 0.5:
        return _condition(world, "faster backend", backend=random.uniform(0.2, 0.5))
    return _condition(world, "narrower", narrow=0.35)


def _traffic(world: World, random: np.random.Generator) -> Begun:
    rate = random.choice([0.3, 2.0, 3.5])
    return _condition(world, f"{rate} times", rate=rate)


FAULTS: Final[dict[str, Callable[[World, np.random.Generator], Begun]]] = {
    "flush": _flush,
    "capacity_cut": _capacity_cut,
    "ttl_cut": _ttl_cut,
    "key_change": _key_change,
    "working_set_growth": _growth,
    "surge_new_keys": _surge,
    "stampede": _stampede,
    "backend_slow": lambda world, random: _condition(world, "slow", backend=random.uniform(1.7, 8.0)),
    "cache_slow": lambda world, random: _condition(world, "slow", lag_ms=HIT_MS * random.uniform(3.0, 60.0)),
    "backend_errors": _backend_errors,
    "improvement": _improvement,
    "unknown": _traffic,
}
"""Each cause's fault; `unknown` is a change of the traffic alone."""
