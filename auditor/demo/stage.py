"""What the demo shows of itself as it goes: one value that the run writes and the viewers read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from auditor.demo.faults import PlannedFault
    from auditor.demo.outcome import Outcome, Row
    from auditor.demo.watch import AuditedMinute


class Phase(StrEnum):
    """The acts of the demo, in their order."""

    DATABASE = "starting the embedded PostgreSQL"
    BACKFILL = "living through the days before"
    LEARNING = "the auditor learns what is normal"
    FAST_HOUR = "the last hour, fast"
    REAL_TIME = "real time, minute by minute"
    ENDING = "stopping"


@dataclass(slots=True)
class Stage:
    """Everything there is to show.

    Parameters
    ----------
    cache
        The cache's name.
    phase
        The act that is on.
    planned
        The fault; None until it is laid.
    first_minute, hour_start, lived_to
        Minutes since 1970: the world's first, the first of the last hour, the first not yet lived.
    events
        Events stored so far.
    ledger
        The newest minutes of the ledger, the oldest first.
    observations
        Every observation, the oldest first.
    audited, unaudited
        Windows with and without a row in the ledger.
    """

    cache: str
    phase: Phase = Phase.DATABASE
    planned: PlannedFault | None = None
    first_minute: int = 0
    hour_start: int = 0
    lived_to: int = 0
    events: int = 0
    ledger: list[AuditedMinute] = field(default_factory=list)
    observations: list[Row] = field(default_factory=list)
    audited: int = 0
    unaudited: int = 0


class Audience(Protocol):
    """Who watches the demo; told after each change, from the event loop or from the thread that lives."""

    def changed(self, stage: Stage) -> None:
        """Something on the stage is different."""
        ...

    def ended(self, stage: Stage, outcome: Outcome) -> None:
        """The demo is over and taken down."""
        ...
