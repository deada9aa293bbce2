"""What came of the demo: whether the fault was found, how soon, under which cause, and what else was reported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from auditor.demo.faults import NO_FAULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.demo.faults import PlannedFault

AFTERMATH_MINUTES: Final = 5
"""A finding that opens this soon after a fault's end is still the fault's."""
PAGING: Final = frozenset({"warning", "critical"})

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The demo's result.

    Parameters
    ----------
    kind
        The fault's kind; `start` and `end` its minutes since 1970 (the first affected one, the first one no longer), None
        where there was none, or where the demo ended before it.
    found
        Whether a warning or critical observation opened within it.
    cause
        The first cause of the incident that opened within it; None where none did.
    delay_windows
        1 where the first affected window was flagged, 2 where the next was; None where nothing was found.
    windows_audited
        Rows of the ledger.
    observations
        Every row of `cache_auditor_observations`, oldest first.
    other_pages
        Warnings and criticals that opened outside the fault.
    """

    kind: str
    start: int | None
    end: int | None
    found: bool
    cause: str | None
    delay_windows: int | None
    windows_audited: int
    observations: tuple[Row, ...]
    other_pages: int

    def as_json(self) -> dict[str, Any]:
        """The object that `--format json` ends with."""
        return {
            "fault": {"kind": self.kind, "start": moment(self.start), "end": moment(self.end)},
            "found": self.found,
            "cause": self.cause,
            "delay_windows": self.delay_windows,
            "windows_audited": self.windows_audited,
            "other_pages": self.other_pages,
            "observations": list(self.observations),
        }


def moment(minute: int | None) -> str | None:
    """A minute since 1970 in ISO 8601 UTC."""
    return None if minute is None else datetime.fromtimestamp(60 * minute, UTC).isoformat()


def opened_minute(row: Row) -> int:
    """The first flagged window of an observation, in minutes since 1970."""
    return int(row["evidence"]["opened_minute"])


def outcome_of(
    planned: PlannedFault, observations: Sequence[Row], *, windows_audited: int, lived_to: int
) -> Outcome:
    """Compare what was planned with what was observed by the time that the world had lived up to a minute."""
    happened = planned.fault.kind != NO_FAULT and lived_to > planned.start
    pages = [row for row in observations if row["severity"] in PAGING]
    latest = planned.end + AFTERMATH_MINUTES
    inside = [row for row in pages if happened and planned.start <= opened_minute(row) <= latest]
    first = min(inside, key=lambda row: (opened_minute(row), not row["evidence"]["lead"]), default=None)
    return Outcome(
        kind=planned.fault.kind,
        start=planned.start if happened else None,
        end=planned.end if happened else None,
        found=bool(inside),
        cause=None if first is None else _cause(first, observations),
        delay_windows=None if first is None else opened_minute(first) - planned.start + 1,
        windows_audited=windows_audited,
        observations=tuple(observations),
        other_pages=len(pages) - len(inside),
    )


def _cause(first: Row, observations: Sequence[Row]) -> str | None:
    """The top cause of the incident, as its leading observation says it."""
    incident = [row for row in observations if row["incident_id"] == first["incident_id"]]
    leading = next((row for row in incident if row["evidence"]["lead"]), first)
    causes = leading["evidence"]["causes"]
    return causes[0]["cause"] if causes else None
