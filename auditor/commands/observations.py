"""`auditor observations`: what was found, and what engineers say of it."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditor.commands.asking import asked
from auditor.commands.printing import as_json, printable, table
from auditor.database import queries
from auditor.errors import BadInput
from auditor.settings import read_settings

Row = dict[str, Any]
_AGO: Final = re.compile(r"(\d+)\s*([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SEVERITIES: Final = ("info", "warning", "critical")
_STATUSES: Final = ("open", "resolved")
REJECTED_SHOWN: Final = 8


def list_all(
    *,
    cache: str | None,
    severity: str | None,
    status: str | None,
    since: str | None,
    limit: int,
    output_format: str = "text",
) -> None:
    """Print the observations that match, newest first.

    Raises
    ------
    BadInput
        If a filter is not a word or a time that can be.
    """
    _one_of("--severity", severity, _SEVERITIES)
    _one_of("--status", status, _STATUSES)
    start = None if since is None else moment_of("--since", since)
    rows = asked(
        lambda dsn: queries.list_observations(
            dsn, implementation_type=cache, severity=severity, status=status, since=start, limit=limit
        )
    )
    if output_format == "json":
        print(as_json(rows))
        return
    if not rows:
        print("Nothing found: no observation matches.")
        return
    table(
        ("id", "when (UTC)", "severity", "status", "title"),
        [
            (
                str(row["id"])[:8],
                row["timestamp"].astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
                row["severity"],
                "acknowledged" if row["acknowledged"] and row["status"] == "resolved" else row["status"],
                row["title"],
            )
            for row in rows
        ],
    )


def rate(*, cache: str | None, since: str | None, output_format: str = "text") -> None:
    """Print how often each cache has alarmed without anyone calling it an incident, beside the budget.

    Raises
    ------
    BadInput
        If `since` is no time, or nothing has been judged.
    """
    from auditor.database.history import achieved_alarms
    from auditor.detection.achieved import Achieved, in_words

    first = None if since is None else int(moment_of("--since", since).timestamp() // 60)
    budget = read_settings().policy.false_alarms_per_week
    found = asked(
        lambda dsn: achieved_alarms(dsn, from_minute=first, caches=None if cache is None else [cache])
    )
    if not found:
        raise BadInput(
            "Nothing has been judged there: check --cache and --since, or wait for the first hour."
        )
    rows = {name: achieved.as_json(budget) for name, achieved in found.items()}
    whole = Achieved.together(found.values()).as_json(budget)
    if output_format == "json":
        print(as_json({"caches": rows, "all": whole}))
        return
    table(
        ("cache", "judged weeks", "alarms", "called incidents", "a week", "95 %", "budget"),
        [_rate_line(name, row) for name, row in rows.items()],
    )
    print(in_words(whole))


def _rate_line(name: str, row: Row) -> tuple[str, ...]:
    return (
        name,
        f"{row['cache_weeks_judged']:.3g}",
        f"{row['alarms']:,}",
        f"{row['called_incidents']:,}",
        f"{row['alarms_per_cache_week']:.2g}",
        f"{row['alarms_per_cache_week_low']:.2g} to {row['alarms_per_cache_week_high']:.2g}",
        f"{row['budget_false_alarms_per_cache_week']:g}",
    )


def show(name: str, *, output_format: str = "text") -> None:
    """Print one observation in full.

    Raises
    ------
    BadInput
        If no observation, or more than one, is named so.
    """
    row = asked(lambda dsn: queries.show_observation(dsn, name))
    if output_format == "json":
        print(as_json(row))
        return
    print("\n".join(told(row)))


def told(row: Row) -> list[str]:
    """An observation's row as lines of text."""
    evidence = row["evidence"] or {}
    lines = [printable(f"{row['severity'].upper()}  {row['title']}"), ""]
    lines += [printable(line) for line in (row["description"] or "").splitlines()]
    if row["recommendation"]:
        lines += ["", "What to do:", *(printable(line) for line in row["recommendation"].splitlines())]
    lines += _worded(row.get("explanation") or {})
    for cause in evidence.get("causes") or []:
        lines += ["", f"{cause['cause'].replace('_', ' ')} ({100 * cause['confidence']:.0f} %)"]
        lines += [f"  + {printable(sentence)}" for sentence in cause["for"]]
        lines += [f"  - {printable(sentence)}" for sentence in cause["against"]]
        if cause["refute"]:
            lines.append(f"  ? {printable(cause['refute'])}")
    if row["acknowledged"]:
        lines += ["", printable(_acknowledged(row))]
    return [*lines, "", f"id {row['id']}  incident {row['incident_id']}  fingerprint {row['fingerprint']}"]


def _acknowledged(row: Row) -> str:
    """Who gave the verdict that counts, and who was the first to say anything."""
    first = f"by {row['acknowledged_by']} at {_moment(row['acknowledged_at']):%Y-%m-%d %H:%M}"
    if not row["verdict"]:
        return f"Acknowledged {first}."
    who, when = row.get("verdict_by"), row.get("verdict_at")
    if who is None or when is None:  # the row of an older schema
        return f"Acknowledged as {row['verdict']} {first}."
    last = f"by {who} at {_moment(when):%Y-%m-%d %H:%M}"
    before = f"; first {first}" if who != row["acknowledged_by"] else ""
    return f"Acknowledged as {row['verdict']} {last}{before}."


def _worded(explanation: Row) -> list[str]:
    """Whose words the text is, what was taken out of them, and what stood there before; or why there are none of a model."""
    checks = explanation.get("checks") or {}
    claims = checks.get("rejected") or []
    rejected = [f"  x {one['text']} ({one['reason']}; {one['field']})" for one in claims[:REJECTED_SHOWN]]
    if len(claims) > REJECTED_SHOWN:
        rejected.append(f"  x and {len(claims) - REJECTED_SHOWN} more: see --format json")
    if explanation.get("source") == "model":
        prompt, plain = explanation.get("prompt") or {}, explanation.get("template") or {}
        stands = f"{100 * checks.get('grounded_share', 1.0):.0f} % of its sentences stand"
        lines = [
            "",
            f"Worded by {explanation.get('model')} (prompt {prompt.get('id')} version {prompt.get('version')}); {stands}.",
            *(
                f"  {one['cause'].replace('_', ' ')} ({100 * one['confidence']:.0f} %): {one['why']}"
                for one in explanation.get("causes") or []
            ),
            *rejected,
            "",
            "What the tests say:",
            *str(plain.get("description") or "").splitlines(),
            *str(plain.get("recommendation") or "").splitlines(),
        ]
    elif checks.get("failure"):
        lines = [
            "",
            f"Nothing of the model is shown: {checks['failure'].removeprefix('rejected: ')}.",
            *rejected,
        ]
    else:
        return []
    return [printable(line) for line in lines]


def acknowledge(
    name: str,
    *,
    verdict: queries.EngineersVerdict,
    by: str | None,
    output_format: str = "text",
) -> None:
    """Store an engineer's verdict on an observation, which the auditor takes in with the next minute that it judges.

    Raises
    ------
    BadInput
        If no observation, or more than one, is named so.
    """
    who = by or getpass.getuser()
    row = asked(lambda dsn: queries.acknowledge_observation(dsn, name, by=who, verdict=verdict))
    if output_format == "json":
        print(as_json(row))
    else:
        print(printable(f"Acknowledged as {verdict} by {who}: {row['title']}"))
        print(_consequence(verdict))


def _consequence(verdict: queries.EngineersVerdict) -> str:
    from auditor.detection.answers import GROWN, KEPT_MINUTES

    if verdict == "incident":
        return "Its hours are left out of what is learned, and it does not count as a false alarm."
    if verdict == "new_normal":
        return "From the next minute on, what it shows is what is normal, and the next fault is measured from there."
    days = KEPT_MINUTES // 1440
    return f"For {days} days findings like it page nobody, unless one is more than {100 * (GROWN - 1):.0f} % larger than this."


def moment_of(option: str, text: str) -> datetime:
    """The time that an option names: ISO 8601 (UTC unless it says otherwise), or so long ago.

    Raises
    ------
    BadInput
        If it is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        try:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except (OverflowError, ValueError):
            raise BadInput(
                f"{option} {text} lies before the year 1: give less, or leave {option} out."
            ) from None
    try:
        named = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(
            f"{option} {text} is not a time: write 2026-01-31T12:00, or so long ago as 6h or 2d."
        ) from None
    try:
        return named.replace(tzinfo=UTC) if named.tzinfo is None else named.astimezone(UTC)
    except OverflowError:
        raise BadInput(f"{option} {text} is no time in UTC: name one nearer to today.") from None


def _moment(value: datetime | str) -> datetime:
    """A time, as the driver or as JSON gives it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _one_of(option: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise BadInput(f"{option} {given} is not known: choose {', '.join(known[:-1])} or {known[-1]}.")
