"""`auditor explain`: an incident explained anew, or the exact prompt of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from auditor.commands.explaining import NO_MODEL, open_room, prompt_facts, refuse_unanswered, show_prompt
from auditor.commands.observations import told as row_told
from auditor.commands.printing import as_json
from auditor.errors import AnswerIsNo, BadInput
from auditor.explanation.brief import Purpose
from auditor.logs import configure_logging
from auditor.service.teller import Told, job_of
from auditor.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.commands.explaining import Room

Row = dict[str, Any]


def explain(name: str, *, dry_run: bool = False, output_format: str = "text") -> None:
    """Ask the model about an incident again, within the caps, and put its words beside the finding; or print the prompt.

    Raises
    ------
    BadInput
        If no observation, or more than one, is named so, or a prompt cannot be used.
    AnswerIsNo
        If the model gave no words that stand.
    DependencyUnreachable
        If the database or the model's server does not answer.
    """
    asyncio.run(_explain(name, dry_run=dry_run, as_text=output_format == "text"))


async def _explain(name: str, *, dry_run: bool, as_text: bool) -> None:
    settings = read_settings()
    configure_logging("CRITICAL")  # what happens is told below
    async with open_room(settings) as room:
        row = await room.database.find(name)
        material = await room.database.material(str(row["fingerprint"]))
        if material is None:
            raise BadInput(
                f"The observation {name} belongs to no incident: only those of this auditor can be explained."
            )
        if dry_run:
            _show_dry(room, material, as_text=as_text)
        elif room.teller is None:
            _show(await _lead(room, material), None, as_text=as_text)
        else:
            told = await room.teller.tell(job_of(room.asker, material, purpose_of(material)), anew=True)
            _show(await _lead(room, material), told, as_text=as_text)
            _refuse(told)


def purpose_of(material: Mapping[str, Any]) -> Purpose:
    """What an incident's explanation is for."""
    resolved = material["rows"][0]["status"] == "resolved"
    return Purpose.INCIDENT_RESOLVED if resolved else Purpose.INCIDENT_OPENED


async def _lead(room: Room, material: Mapping[str, Any]) -> Row:
    return await room.database.find(material["fingerprint"])


def _show_dry(room: Room, material: Mapping[str, Any], *, as_text: bool) -> None:
    facts = prompt_facts(room, job_of(room.asker, material, purpose_of(material)).brief)
    if not as_text:
        print(as_json(facts))
        return
    show_prompt(facts)
    if room.teller is None:
        print("\n".join(["", NO_MODEL, "Until then the text is:", "", *row_told(material["rows"][0])]))


def _show(row: Row, told: Told | None, *, as_text: bool) -> None:
    if not as_text:
        print(
            as_json(
                {
                    "observation": row,
                    "asked": told is not None,
                    "ending": None if told is None else str(told.ending),
                    "attached": told is not None and told.attached,
                    "explanation": row["explanation"] if told is None else told.explanation,
                }
            )
        )
        return
    if told is None:
        print(f"{NO_MODEL}\nUntil then the text is:\n")
    print("\n".join(row_told(row)))


def _refuse(told: Told) -> None:
    refuse_unanswered(told)
    if not told.attached:
        raise AnswerIsNo(
            "The incident changed while the model was asked, and the deterministic text stands: ask again."
        )
