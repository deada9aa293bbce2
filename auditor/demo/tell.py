"""The demo in plain lines: for pipes, logs and whoever reads afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from auditor.demo.faults import NO_FAULT
from auditor.demo.figures import clock
from auditor.demo.outcome import PAGING
from auditor.demo.stage import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditor.demo.outcome import Outcome, Row
    from auditor.demo.stage import Stage

_RIGHT: Final = {True: "the right cause", False: "the wrong cause"}


class Silent:
    """Watches and says nothing."""

    def changed(self, stage: Stage) -> None:
        """Nothing."""

    def ended(self, stage: Stage, outcome: Outcome) -> None:
        """Nothing."""


class Teller:
    """Prints a line for each act, each turn of the fault and each warning or critical, and the result at the end.

    Parameters
    ----------
    keep
        The folder in which the database stays, if it does.
    """

    def __init__(self, keep: Path | None) -> None:
        self._keep = keep
        self._started = time.monotonic()
        self._phase: Phase | None = None
        self._told: set[str] = set()

    def changed(self, stage: Stage) -> None:
        """Tell what is new."""
        if stage.phase != self._phase:
            self._phase = stage.phase
            self._say(_act(stage))
        for key, line in _news(stage):
            if key not in self._told:
                self._told.add(key)
                self._say(line)

    def ended(self, stage: Stage, outcome: Outcome) -> None:
        """Tell the result, and the fault's observation in full."""
        print("\n" + "\n".join(summary_lines(stage, outcome, self._keep)), flush=True)

    def _say(self, line: str) -> None:
        print(f"{time.monotonic() - self._started:6.1f} s  {line}", flush=True)


def _act(stage: Stage) -> str:
    planned = stage.planned
    if stage.phase is Phase.BACKFILL:
        days = (stage.hour_start - stage.first_minute) / 1440
        return f"{days:.3g} day{'' if days == 1 else 's'} of traffic {'is' if days == 1 else 'are'} lived through, up to {clock(stage.hour_start)} UTC"
    if stage.phase is Phase.LEARNING:
        return f"{stage.events:,} events are stored; the auditor starts and judges their windows"
    if stage.phase is Phase.FAST_HOUR:
        return f"{stage.audited:,} windows are audited; the last hour passes fast"
    if stage.phase is Phase.REAL_TIME and planned is not None:
        return "the present is reached; real time from here on"
    return str(stage.phase)


def _news(stage: Stage) -> Iterator[tuple[str, str]]:
    planned = stage.planned
    if planned is not None and planned.fault.kind != NO_FAULT:
        if stage.lived_to > planned.start:
            yield "fault", f"{clock(planned.start)}  the fault: {planned.fault.happens}"
        if stage.lived_to > planned.end:
            yield "mended", f"{clock(planned.end)}  the fault ends"
    for row in stage.observations:
        if row["severity"] in PAGING:
            key = f"{row['fingerprint']} {row['severity']}"
            yield key, f"{clock(row['evidence']['opened_minute'])}  {row['severity'].upper()}  {row['title']}"
            if row["status"] == "resolved":
                yield f"{row['fingerprint']} resolved", f"       resolved: {row['title']}"


def summary_lines(stage: Stage, outcome: Outcome, keep: Path | None) -> list[str]:
    """The result, and the observation that leads the fault's incident in full."""
    lines = [_fault_line(stage, outcome), _finding_line(outcome)]
    covered = "each window once" if not stage.unaudited else f"{stage.unaudited:,} not audited yet"
    lines.append(f"{outcome.windows_audited:,} windows audited ({covered}); {_others(outcome.other_pages)}.")
    leading = leading_observation(outcome)
    if leading is not None:
        lines += ["", f"{leading['severity'].upper()}  {leading['title']}", "", leading["description"]]
        lines += ["", leading["recommendation"]]
    if keep is not None:
        lines += ["", f"The database stays in {keep}: AUDITOR_EMBEDDED_DIR={keep} auditor replay"]
    return lines


def leading_observation(outcome: Outcome) -> Row | None:
    """The observation that leads the incident opened by the fault; else the newest warning or critical."""
    pages = [row for row in outcome.observations if row["severity"] in PAGING]
    if outcome.start is not None:
        pages = [row for row in pages if row["evidence"]["opened_minute"] >= outcome.start]
    leading = [row for row in pages if row["evidence"]["lead"]] or pages
    return (leading[0] if outcome.found else leading[-1]) if leading else None


def _fault_line(stage: Stage, outcome: Outcome) -> str:
    if outcome.kind == NO_FAULT:
        return "No fault was put in."
    if outcome.start is None or outcome.end is None or stage.planned is None:
        return "The demo ended before its fault."
    return f"Fault {outcome.kind}, {clock(outcome.start)} to {clock(outcome.end)} UTC: {stage.planned.fault.happens}."


def _finding_line(outcome: Outcome) -> str:
    if outcome.start is None:
        return "There was nothing to find."
    if not outcome.found or outcome.delay_windows is None:
        return "It was not found."
    soon = (
        "the first affected window"
        if outcome.delay_windows == 1
        else f"window {outcome.delay_windows} since it began"
    )
    return f"Found in {soon}, as {outcome.cause} ({_RIGHT[outcome.cause == outcome.kind]})."


def _others(count: int) -> str:
    if not count:
        return "no other warning or critical"
    return f"{count} other warning{'s' if count > 1 else ''} or critical{'s' if count > 1 else ''}"
