"""`auditor eval`: models and prompts graded on recorded incidents."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from auditor.commands.printing import printable, table
from auditor.errors import AnswerIsNo, BadInput, DependencyUnreachable
from auditor.evaluation.candidates import named
from auditor.evaluation.incidents import read_incidents
from auditor.evaluation.running import Candidate, run_candidate
from auditor.evaluation.summary import HEADER, Summary, summarise
from auditor.logs import configure_logging
from auditor.model.failure import NOT_REACHED
from auditor.prompt_files import read_prompts
from auditor.resources import evals_folder, prompts_folder
from auditor.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from auditor.evaluation.candidates import Named
    from auditor.evaluation.grading import Grade
    from auditor.evaluation.incidents import RecordedIncident
    from auditor.explanation.brief import Brief
    from auditor.explanation.prompt import Prompt
    from auditor.model.asking import Asked
    from auditor.settings import Settings

    Ask = Callable[[Prompt, Brief], Awaitable[Asked]]


def evaluate(
    *,
    models: Sequence[str],
    prompts: Sequence[Path],
    evals: Path | None,
    incidents: Sequence[str],
    fail_under: float | None,
    concurrency: int,
    deadline_seconds: float,
    key_variable: str | None,
    output_format: str = "text",
) -> None:
    """Ask every model with every folder of prompts about every incident; print a table, and what was wrong where.

    Raises
    ------
    BadInput
        If a model, a folder, an incident or the key's variable cannot be used.
    AnswerIsNo
        If a share of incidents passed that is less than `fail_under`.
    DependencyUnreachable
        If a model's server never answered.
    """
    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)
    recorded = read_incidents(evals or evals_folder(), incidents)
    session = _Session(settings, recorded, concurrency, deadline_seconds, _key(key_variable))
    folders = list(prompts) or [settings.prompts_dir or prompts_folder()]
    sets = [(folder, read_prompts(folder)) for folder in folders]
    wanted: list[Named | None] = [named(text) for text in models] or [None]
    runs = asyncio.run(session.run(wanted, sets, progress=output_format == "text"))
    if output_format == "json":
        print(json.dumps([_as_json(summary, grades) for summary, grades in runs]))
    else:
        _tell(runs)
    for summary, grades in runs:
        if all(grade.failure in NOT_REACHED for grade in grades):
            raise DependencyUnreachable(printable(session.unreached[summary.model]))
    below = [summary for summary, _ in runs if fail_under is not None and summary.passed < fail_under]
    if below:
        shown = ", ".join(f"{one.model} with {one.prompts} {one.passed:.0%}" for one in below)
        raise AnswerIsNo(printable(f"Fewer than {fail_under:.0%} of the incidents passed: {shown}."))


def _key(variable: str | None) -> SecretStr | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key:
        raise BadInput(f"--key-from names {variable}, which is not set.")
    return SecretStr(key)


class _Session:
    """What stays the same for all candidates."""

    def __init__(
        self,
        settings: Settings,
        incidents: list[RecordedIncident],
        concurrency: int,
        deadline_seconds: float,
        key: SecretStr | None,
    ) -> None:
        self._settings = settings
        self._incidents = incidents
        self._concurrency = concurrency
        self._deadline_seconds = deadline_seconds
        self._key = key
        self.unreached: dict[str, str] = {}
        """Of each model whose server did not answer, why."""

    async def run(
        self, wanted: Sequence[Named | None], sets: Sequence[tuple[Path, Any]], *, progress: bool
    ) -> list[tuple[Summary, list[Grade]]]:
        """Every model with every set of prompts, one after another."""
        from auditor.evaluation.models import asking, options_for

        runs = []
        for one in wanted:
            options = options_for(self._settings, one, self._key, self._concurrency)
            label = options.model if one is None else str(one)
            async with asking(options, self._deadline_seconds) as ask:
                for folder, prompts in sets:
                    candidate = Candidate(label, folder.name, prompts, self._noting(label, ask))
                    runs.append(await self._graded(candidate, progress=progress))
        return runs

    def _noting(self, label: str, ask: Ask) -> Ask:
        """The same question, and the first sentence about a server that does not answer."""

        async def asked(prompt: Prompt, brief: Brief) -> Asked:
            answer = await ask(prompt, brief)
            if answer.failure in NOT_REACHED:
                self.unreached.setdefault(label, answer.detail)
            return answer

        return asked

    async def _graded(self, candidate: Candidate, *, progress: bool) -> tuple[Summary, list[Grade]]:
        done = 0

        def graded(grade: Grade) -> None:
            nonlocal done
            done += 1
            if progress and sys.stderr.isatty():
                print(
                    f"\r{candidate.model}: {done}/{len(self._incidents)} {grade.incident:40}",
                    end="",
                    file=sys.stderr,
                )

        grades = await run_candidate(
            candidate,
            self._incidents,
            concurrency=self._concurrency,
            excerpts=self._settings.prompt_excerpts,
            graded=graded,
        )
        if progress and sys.stderr.isatty():
            print(file=sys.stderr)
        return summarise(candidate.model, candidate.prompts_name, grades), grades


def _as_json(summary: Summary, grades: Sequence[Grade]) -> dict[str, Any]:
    return summary.as_json() | {"answers": [grade.as_json() for grade in grades]}


def _tell(runs: Sequence[tuple[Summary, list[Grade]]]) -> None:
    table(HEADER, [summary.cells() for summary, _ in runs])
    for summary, grades in runs:
        by_faults: dict[tuple[str, ...], list[str]] = {}
        for grade in grades:
            if not grade.passed:
                by_faults.setdefault(grade.faults, []).append(grade.incident)
        if by_faults:
            print(printable(f"Not passed by {summary.model} with {summary.prompts}:"))
        for faults, names in sorted(by_faults.items(), key=lambda entry: -len(entry[1])):
            print(printable(f"  {', '.join(names)}: {'; '.join(faults)}"))
