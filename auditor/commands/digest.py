"""`auditor digest`: a day in words."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from auditor.commands.explaining import open_room, prompt_facts, refuse_unanswered, show_prompt
from auditor.commands.printing import as_json, printable
from auditor.errors import AnswerIsNo, BadInput, DependencyUnreachable
from auditor.explanation.digest import digest_text
from auditor.logs import configure_logging
from auditor.service.teller import Job
from auditor.settings import read_settings

if TYPE_CHECKING:
    from auditor.commands.explaining import Room
    from auditor.explanation.brief import Brief
    from auditor.service.teller import Told

FIRST_YEAR: Final = 1970


def digest(*, day: str | None = None, dry_run: bool = False, output_format: str = "text") -> None:
    """Print the digest of a day, by default of yesterday; without a model, or where it fails, the deterministic one.

    Raises
    ------
    BadInput
        If the day is none, or lies ahead.
    """
    start = day_of(day, datetime.now(UTC))
    asyncio.run(_digest(start, dry_run=dry_run, as_text=output_format == "text"))


def day_of(given: str | None, now: datetime) -> datetime:
    """The midnight (UTC) that a day begins at; yesterday's where none is given.

    Raises
    ------
    BadInput
        If the text is no day, or the day lies ahead of `now`.
    """
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if given is None:
        return today - timedelta(days=1)
    try:
        named = datetime.strptime(given.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadInput(f"--day {given} is not a day: write it like 2026-01-31.") from None
    if named.year < FIRST_YEAR:
        raise BadInput(f"--day {given} lies before anything was audited: name a day from {FIRST_YEAR} on.")
    if named > today:
        raise BadInput(f"--day {given} lies ahead: name today or a day before.")
    return named


async def _digest(start: datetime, *, dry_run: bool, as_text: bool) -> None:
    settings = read_settings()
    configure_logging("CRITICAL")  # what happens is told below
    async with open_room(settings) as room:
        material = await room.database.digest_material(start, start + timedelta(days=1))
        brief = room.asker.digest_brief(material)
        if dry_run:
            _show_dry(room, brief, as_text=as_text)
            return
        told = None
        if room.teller is not None and brief.data["incidents"]:
            told = await room.teller.tell(Job(brief))
        _show(start, brief, told, as_text=as_text)


def _show_dry(room: Room, brief: Brief, *, as_text: bool) -> None:
    facts = prompt_facts(room, brief)
    if as_text:
        show_prompt(facts)
    else:
        print(as_json(facts))


def _show(start: datetime, brief: Brief, told: Told | None, *, as_text: bool) -> None:
    plain = digest_text(brief.data)
    words: dict[str, Any] = dict(told.explanation) if told is not None and told.explanation else {}
    by_model = words.get("source") == "model"
    if not as_text:
        print(
            as_json(
                {
                    "day": f"{start:%Y-%m-%d}",
                    "source": "model" if by_model else "template",
                    "text": words["description"] if by_model else plain,
                    "recommendation": (words.get("recommendation") or None) if by_model else None,
                    "ending": None if told is None else str(told.ending),
                    "explanation": words or None,
                    "facts": brief.data,
                }
            )
        )
        return
    if by_model:
        parts = [words["description"], words.get("recommendation"), f"Worded by {words['model']}."]
        for part in filter(None, parts):
            print("\n".join(printable(line) for line in part.split("\n")), end="\n\n")
    print("\n".join(printable(line) for line in plain.split("\n")))
    _tell_why(told)


def _tell_why(told: Told | None) -> None:
    """On standard error: the digest itself is complete."""
    if told is None:
        return
    try:
        refuse_unanswered(told)
    except (AnswerIsNo, DependencyUnreachable) as reason:
        print(f"auditor: {reason}", file=sys.stderr)
