"""The demo's screen as lines of text, laid out for any terminal from 80 by 24 up."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from rich.text import Text

from auditor.demo.chart import Point, chart
from auditor.demo.faults import NO_FAULT
from auditor.demo.figures import band, clock, with_unit
from auditor.demo.outcome import PAGING
from auditor.demo.stage import Phase
from auditor.detection.catalogue import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.demo.outcome import Row
    from auditor.demo.stage import Stage
    from auditor.demo.watch import AuditedMinute

LABEL: Final = 19
CHARTED: Final = (
    "hit_rate",
    "avg_response_time_ms",
    "throughput",
    "cache_size",
    "error_rate",
    "eviction_rate",
)
SEVERITY_STYLES: Final = {"critical": "bold red", "warning": "bold yellow", "info": "cyan"}
_TITLES: Final = {"avg_response_time_ms": "avg response time"}
_LEARNING: Final = (
    "A real LRU cache with a time to live stands in front of a slow backend. Its users ask by Zipf's law, "
    "by the hour of the day and in bursts; every operation goes through the collector into PostgreSQL."
)
_NEXT: Final = (
    "Then the auditor starts, learns what is normal, and audits each minute as it comes. Somewhere in the last "
    "hour something breaks."
)


def screen(stage: Stage, width: int, height: int) -> list[Text]:
    """What to show: exactly `height` lines, none wider than `width`."""
    head, foot = _header(stage, width), _status(stage, width)
    room = height - 2
    body = _charts_and_findings(stage, width, room) if stage.ledger else _opening(stage, width)
    body = body[:room] + [Text()] * (room - len(body))
    lines = [head, *body, foot]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _header(stage: Stage, width: int) -> Text:
    left = Text.assemble(
        (" Cache Auditor demo ", "reverse bold"), f"  cache {stage.cache}  ", (stage.phase, "bold")
    )
    at = f"{clock(stage.lived_to)} UTC " if stage.lived_to else ""
    return _spread(left, Text(at), width)


def _status(stage: Stage, width: int) -> Text:
    seen = stage.audited + stage.unaudited
    coverage = f"{100 * stage.audited / seen:.4g} %" if seen else "nothing yet"
    audited = f"{stage.audited:,} windows audited · ledger covers {coverage}"
    drafts = (f" {stage.events:,} events · {audited}{' of windows' if seen else ''}", f" {audited}", " ")
    right = Text("Ctrl-C ends ", "dim")
    left = next(draft for draft in drafts if len(draft) + right.cell_len < width or draft == " ")
    return _spread(Text(left, "dim"), right, width)


def _spread(left: Text, right: Text, width: int) -> Text:
    gap = width - left.cell_len - right.cell_len
    return left + Text(" " * gap) + right if gap > 0 else left


def _opening(stage: Stage, width: int) -> list[Text]:
    """Before there is a ledger: what is going on, and how far it is."""
    lines = [Text()]
    for paragraph in (_LEARNING, _NEXT):
        lines += [*_wrapped(paragraph, width), Text()]
    total = stage.hour_start - stage.first_minute
    if total:
        share = (min(stage.lived_to, stage.hour_start) - stage.first_minute) / total
        cells = round(share * (width - 12))
        bar = Text.assemble(
            "  ", ("█" * cells, "green"), ("░" * (width - 12 - cells), "bright_black"), f" {share:4.0%}"
        )
        days = (stage.lived_to - stage.first_minute) / 1440
        lines += [
            bar,
            Text(f"  {days:.1f} of {total / 1440:.3g} days lived, {stage.events:,} events stored", "dim"),
        ]
    if stage.phase is Phase.LEARNING:
        lines.append(Text("  The auditor judges them and learns what is normal …", "bold"))
    return lines


def _charts_and_findings(stage: Stage, width: int, room: int) -> list[Text]:
    count, rows = (6, 4) if room >= 46 else (4, 4) if room >= 34 else (4, 3) if room >= 29 else (3, 3)
    shown = stage.ledger[-(width - LABEL - 2) :]
    lines: list[Text] = []
    for metric in _metrics(stage, count):
        lines += _metric_lines(metric, shown, rows)
    lines += [_axis(stage, shown), Text()]
    return lines + _findings(stage, width, room - len(lines))


def _metrics(stage: Stage, count: int) -> list[str]:
    """The metrics that fit; the one that leads the newest incident is always among them."""
    metrics = list(CHARTED[:count])
    leading = _leading(stage)
    if leading and leading[-1]["metric_name"] in BY_NAME and leading[-1]["metric_name"] != "silence":
        metric = leading[-1]["metric_name"]
        if metric not in metrics:
            metrics[-1] = metric
    return metrics


def _metric_lines(metric: str, shown: Sequence[AuditedMinute], rows: int) -> list[Text]:
    points = [_point(minute, metric) for minute in shown]
    now = points[-1]
    labels = [
        Text(_TITLES.get(metric, BY_NAME[metric].title), "bold"),
        Text(with_unit(metric, now.value), "bold red" if now.odd else "bold green"),
        Text(band(metric, now.lower, now.upper), "dim"),
    ]
    lines = []
    for row, cells in enumerate(chart(points, rows)):
        label = labels[row] if row < len(labels) else Text()
        label.truncate(LABEL, overflow="ellipsis", pad=True)
        line = Text(" ") + label + Text(" ")
        for cell in cells:
            line.append(cell.character, cell.style)
        lines.append(line)
    return lines


def _point(minute: AuditedMinute, metric: str) -> Point:
    score = minute.scores.get(metric)
    return Point(None, None, None) if score is None else Point(score[0], score[2], score[3])


def _axis(stage: Stage, shown: Sequence[AuditedMinute]) -> Text:
    """Times under the charts, and where the fault lay."""
    if not shown:
        return Text()
    first, last = shown[0].minute, shown[-1].minute
    cells = [" "] * (last - first + 1)
    styles = ["dim"] * len(cells)
    for minute in range(first + -first % 15, last - 3, 15):
        cells[minute - first : minute - first + 5] = clock(minute)
    planned = stage.planned
    if planned is not None and planned.fault.kind != NO_FAULT and stage.lived_to > planned.start:
        end = min(planned.end - 1, last)
        name = f"┗ {planned.fault.kind} ".ljust(max(0, end - planned.start + 1), "━")
        for i, character in enumerate(name):
            at = planned.start - first + i
            if 0 <= at < len(cells):
                cells[at], styles[at] = character, "yellow"
    line = Text(" " * (LABEL + 2))
    for character, style in zip(cells, styles, strict=True):
        line.append(character, style)
    return line


def _leading(stage: Stage) -> list[Row]:
    """The observations that lead incidents worth a page, the oldest first."""
    return [row for row in stage.observations if row["severity"] in PAGING and row["evidence"]["lead"]]


def _findings(stage: Stage, width: int, room: int) -> list[Text]:
    leading = _leading(stage)
    if not leading:
        notices = sum(row["severity"] == "info" for row in stage.observations)
        lines = [Text(" No incident.", "bold green")]
        if notices:
            lines.append(
                Text(
                    f" {notices} notice{'' if notices == 1 else 's'} of something different, nothing worse.",
                    "dim",
                )
            )
        return lines
    lines = [*(_incident_line(row) for row in reversed(leading[-3 if room > 14 else -1 :])), Text()]
    return lines + _words(leading[-1], width, room - len(lines))


def _words(row: Row, width: int, room: int) -> list[Text]:
    """As much of an observation's text as there is room for; the cause and the advice come before the rest."""
    said, advice = row["description"].split("\n"), row["recommendation"].split("\n")
    brief = [_sentences(said[0], 1), _sentences(said[-1], 1)]
    drafts = [
        [*said, "", *advice],
        [said[0], said[-1], "", *advice],
        [*brief, "", *advice],
        [*brief, *advice],
        [*brief, _sentences(" ".join(advice), 2)],
    ]
    for draft in drafts:
        lines = [line for paragraph in draft for line in _wrapped(paragraph, width)]
        if len(lines) <= room:
            return lines
    cut = lines[: max(1, room)]
    cut[-1].append(" …")
    return cut


def _sentences(text: str, count: int) -> str:
    return " ".join(re.split(r"(?<=[.!?]) (?=[A-Z])", text)[:count])


def _incident_line(row: Row) -> Text:
    evidence = row["evidence"]
    until = "now" if row["status"] == "open" else clock(evidence["last_minute"] + 1)
    return Text.assemble(
        (f" {row['severity'].upper()} ", SEVERITY_STYLES[row["severity"]]),
        (f"{clock(evidence['opened_minute'])}–{until}  ", "dim"),
        (row["title"], "bold"),
    )


def _wrapped(paragraph: str, width: int) -> list[Text]:
    return [Text(f" {line}") for line in textwrap.wrap(paragraph, width - 2)] or [Text()]
