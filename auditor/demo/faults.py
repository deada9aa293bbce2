"""The faults of the demo, each named after the cause that the auditor ought to name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.demo.load import NORMAL
from auditor.demo.world import CAPACITY, TIME_TO_LIVE_SECONDS
from auditor.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.demo.world import World

NO_FAULT: Final = "none"
HOUR: Final = 60
_EARLIEST: Final = 20
_LATEST: Final = 30
_SHORTEST: Final = 18
_LONGEST: Final = 22
_RAMP_MINUTES: Final = 3


def _nothing(_world: World) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Parameters
    ----------
    kind
        Its name: a cause of `auditor.detection.signature`, or none.
    happens
        What happens, in one sentence without a full stop.
    begin, end
        What it does to the world, and how that is undone.
    during
        Told, before each of its minutes, how many minutes ago it began.
    corrupts
        Whether the windows themselves are written wrong, as by a broken exporter.
    """

    kind: str
    happens: str
    begin: Callable[[World], None] = _nothing
    end: Callable[[World], None] = _nothing
    during: Callable[[World, int], None] | None = None
    corrupts: bool = False


def _normal(world: World) -> None:
    world.condition = NORMAL


def _condition(kind: str, happens: str, **changes: float | bool) -> Fault:
    def begin(world: World) -> None:
        world.condition = replace(NORMAL, **changes)  # type: ignore[arg-type]  # fields by name

    return Fault(kind, happens, begin, _normal)


def _flush(world: World) -> None:
    world.cache.entries.clear()


def _cut_capacity(world: World) -> None:
    world.cache.entries.set_capacity(CAPACITY // 12)


def _restore_capacity(world: World) -> None:
    world.cache.entries.set_capacity(CAPACITY)


def _cut_ttl(world: World) -> None:
    world.cache.entries.set_time_to_live(TIME_TO_LIVE_SECONDS / 60.0)


def _restore_ttl(world: World) -> None:
    world.cache.entries.set_time_to_live(TIME_TO_LIVE_SECONDS)


def _grow(world: World, minutes: int) -> None:
    share = min(1.0, (minutes + 1) / _RAMP_MINUTES)
    world.condition = replace(NORMAL, strangers=0.55 * share)


def _fall_silent(world: World) -> None:
    world.cache.reporting = False


def _speak_again(world: World) -> None:
    world.cache.reporting = True
    world.cache.entries.evicted.clear()


_KINDS: Final = (
    Fault("flush", "someone empties the whole cache", _flush),
    Fault(
        "capacity_cut",
        f"a deploy cuts the cache from {CAPACITY:,} to {CAPACITY // 12} entries",
        _cut_capacity,
        _restore_capacity,
    ),
    Fault(
        "ttl_cut",
        f"the time to live of {TIME_TO_LIVE_SECONDS / 60:.0f} minutes is taken for seconds",
        _cut_ttl,
        _restore_ttl,
    ),
    _condition("key_change", "a deploy puts a request number into the cache key", unstable_keys=True),
    Fault(
        "working_set_growth",
        "users begin to ask for a far wider range of things",
        _nothing,
        _normal,
        _grow,
    ),
    _condition("surge_new_keys", "a crawler sends lookups that nobody has sent before", surplus=1.6),
    _condition("stampede", "popular entries expire while crowds ask for them", crowd=20),
    _condition("backend_slow", "the backend takes three times as long", backend_factor=3.0),
    _condition("cache_slow", "the cache itself answers a fifth of a second late", lookup_lag_ms=200.0),
    _condition("backend_errors", "the backend fails six calls in ten", failing=0.6),
    Fault("silence", "the collector stops sending", _fall_silent, _speak_again),
    Fault("collector_fault", "a broken exporter writes more hits than there were operations", corrupts=True),
    Fault(NO_FAULT, "nothing happens"),
)

FAULTS: Final = {fault.kind: fault for fault in _KINDS}
DEFAULT_FAULT: Final = "key_change"


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault and its minutes since 1970: the first one affected, and the first one no longer."""

    fault: Fault
    start: int
    end: int

    def before(self, world: World) -> None:
        """What the fault does to the world before its next minute."""
        minute = world.next_minute
        if minute == self.start:
            self.fault.begin(world)
        if minute == self.end:
            self.fault.end(world)
        if self.start <= minute < self.end and self.fault.during is not None:
            self.fault.during(world, minute - self.start)

    def corrupts(self, minute: int) -> bool:
        """Whether the window of a minute is to be written wrong."""
        return self.fault.corrupts and self.start <= minute < self.end


def fault_named(kind: str) -> Fault:
    """The fault of a name.

    Raises
    ------
    BadInput
        If there is none; the message names the nearest.
    """
    if kind in FAULTS:
        return FAULTS[kind]
    close = difflib.get_close_matches(kind.lower().replace("-", "_"), FAULTS, n=1, cutoff=0.5)
    mend = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(FAULTS)}."
    raise BadInput(f"There is no fault {kind!r}: {mend}")


def plan_fault(kind: str, *, seed: int, hour_start: int) -> PlannedFault:
    """The fault laid into the hour that begins at a minute, where the seed says.

    Raises
    ------
    BadInput
        If there is no such fault.
    """
    fault = fault_named(kind)
    random = np.random.default_rng([seed, sum(fault.kind.encode())])
    start = hour_start + int(random.integers(_EARLIEST, _LATEST + 1))
    return PlannedFault(fault, start, start + int(random.integers(_SHORTEST, _LONGEST + 1)))
