"""A world lived through without a database: its events, and the windows they make."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.collector import Collector
from auditor.demo.cache import SimulatedClock
from auditor.demo.faults import PlannedFault, fault_named
from auditor.demo.world import World

if TYPE_CHECKING:
    from auditor.demo.load import Traffic

FIRST_MINUTE = 29_000_400
"""04:00 UTC on some day."""


@dataclass
class Lived:
    """A world with everything that its cache reported."""

    world: World
    collector: Collector
    events: list[dict[str, Any]] = field(default_factory=list)

    def minutes(self, count: int, planned: PlannedFault | None = None) -> Figures:
        """Live through so many minutes, with a fault as it is planned, and sum up what was reported within them."""
        first = self.world.next_minute
        reported = len(self.events)
        for _ in range(count):
            if planned is not None:
                planned.before(self.world)
            self.world.live_minute()
            self.collector.flush()
        return Figures(self.events[reported:], first, count)

    def twin(self) -> Lived:
        """The same world with a life of its own from now on, of which alone it keeps the events."""
        clock = SimulatedClock(self.world.clock.now)
        events, collector = _reporting(clock)
        own = {id(self.world.clock): clock, id(self.collector): collector}
        return Lived(copy.deepcopy(self.world, own), collector, events)

    def fault(self, kind: str, minutes: int) -> Figures:
        """A fault of so many minutes that begins now, lived through to its end."""
        start = self.world.next_minute
        return self.minutes(minutes, PlannedFault(fault_named(kind), start, start + minutes))


class Figures:
    """The means over some minutes; rates as fractions, latencies in milliseconds, counts a minute."""

    def __init__(self, events: list[dict[str, Any]], first_minute: int, minutes: int) -> None:
        self.events = events
        of = {kind: [e for e in events if e["operation_type"] == kind] for kind in KINDS}
        self.counts = {kind: len(found) / minutes for kind, found in of.items()}
        self.gets = self.counts["hit"] + self.counts["miss"]
        self.hit_rate = self.counts["hit"] / self.gets if self.gets else np.nan
        self.hit_ms = _mean(of["hit"])
        self.miss_ms = _mean(of["miss"])
        self.sizes = [e["cache_size"] for e in events if "cache_size" in e]
        self.moments = [datetime.fromisoformat(e["timestamp"]).timestamp() for e in events]
        self.span = (60 * first_minute, 60 * (first_minute + minutes))


KINDS = ("hit", "miss", "set", "evict", "error")


def _mean(events: list[dict[str, Any]]) -> float:
    return float(np.mean([e["response_time_ms"] for e in events])) if events else np.nan


def live(
    *, seed: int = 1, traffic: Traffic | None = None, warm_minutes: int = 0, first_minute: int = FIRST_MINUTE
) -> Lived:
    """A new world, warmed up so long."""
    clock = SimulatedClock(60.0 * first_minute)
    events, collector = _reporting(clock)
    world = World(clock, collector, first_minute=first_minute, seed=seed, traffic=traffic)
    lived = Lived(world, collector, events)
    if warm_minutes:
        lived.minutes(warm_minutes)
    return lived


def _reporting(clock: SimulatedClock) -> tuple[list[dict[str, Any]], Collector]:
    events: list[dict[str, Any]] = []
    return events, Collector(events.extend, batch_size=10**6, max_events=10**7, clock=clock)
