"""Asking candidates about recorded incidents, a few at a time, and grading what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.evaluation.grading import Grade, grade

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from auditor.evaluation.incidents import RecordedIncident
    from auditor.explanation.brief import Brief, Purpose
    from auditor.explanation.prompt import Prompt
    from auditor.model.asking import Asked


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model with prompts.

    Parameters
    ----------
    model
        The model as it was named.
    prompts_name
        What the folder of the prompts is called.
    prompts
        The prompt of each purpose.
    ask
        Asks the model; never raises for a model that fails.
    """

    model: str
    prompts_name: str
    prompts: Mapping[Purpose, Prompt]
    ask: Callable[[Prompt, Brief], Awaitable[Asked]]


async def run_candidate(
    candidate: Candidate,
    incidents: Sequence[RecordedIncident],
    *,
    concurrency: int,
    excerpts: bool = True,
    graded: Callable[[Grade], None] = lambda _: None,
) -> list[Grade]:
    """Ask a candidate about every incident, so many at a time; the grades in the order of the incidents.

    `graded` is told of each as it comes.
    """
    room = asyncio.Semaphore(concurrency)

    async def one(incident: RecordedIncident) -> Grade:
        prompt = candidate.prompts[incident.purpose]
        brief = incident.brief(excerpts=excerpts, most_tokens=prompt.settings.brief_tokens)
        async with room:
            asked = await candidate.ask(prompt, brief)
        found = grade(incident.name, incident.expected, asked)
        graded(found)
        return found

    return list(await asyncio.gather(*map(one, incidents)))
