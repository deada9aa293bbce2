"""The asker that there really is: the prompts of a folder, and the model that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.explanation.attached import Origin
from auditor.explanation.briefing import digest_brief, incident_brief
from auditor.explanation.prompt import render
from auditor.model.asking import ask, reservation
from auditor.model.prices import estimated_input
from auditor.prompt_files import read_prompts
from auditor.resources import prompts_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.explanation.brief import Brief, Purpose
    from auditor.explanation.prompt import Prompt
    from auditor.model.asking import Asked
    from auditor.model.client import ModelClient
    from auditor.settings import Settings


class ModelAsker:
    """An `Asker`; without a client it makes briefs and prompts, and must not be asked.

    Parameters
    ----------
    settings
        The model's name, its deadline and what it may be shown.
    client
        The model, closed by whoever opened it.

    Raises
    ------
    BadInput
        If a prompt cannot be used; the sentence names its file.
    """

    def __init__(self, settings: Settings, client: ModelClient | None) -> None:
        self._settings = settings
        self._client = client
        self._prompts: Mapping[Purpose, Prompt] = read_prompts(settings.prompts_dir or prompts_folder())

    def incident_brief(self, material: Mapping[str, Any], purpose: Purpose) -> Brief:
        """The brief of an incident's material, as `auditor_explanation_material` gives it."""
        return incident_brief(
            material["rows"],
            hour=material["hour"],
            errors=material["errors"],
            keys=material["keys"],
            past=material["past"],
            others=material["others"],
            as_of=material["as_of_minute"],
            purpose=purpose,
            excerpts=self._settings.prompt_excerpts,
            most_tokens=self._prompts[purpose].settings.brief_tokens,
        )

    def digest_brief(self, material: Mapping[str, Any]) -> Brief:
        """The brief of a digest's material, as `auditor_digest_material` gives it."""
        return digest_brief(
            material["rows"],
            start=material["from_minute"],
            end=material["to_minute"],
            coverage=material["coverage"],
        )

    def origin(self, purpose: Purpose) -> Origin:
        """Whose words they will be."""
        prompt = self._prompts[purpose]
        return Origin(prompt.id, prompt.version, prompt.hash, self._settings.model)

    def messages(self, brief: Brief) -> list[dict[str, str]]:
        """The exact prompt."""
        return render(self._prompts[brief.purpose], brief)

    def estimate(self, brief: Brief) -> tuple[int, float | None]:
        """At most how many tokens asking uses, a repair included, and what they cost; without a model, of one request."""
        prompt = self._prompts[brief.purpose]
        if self._client is None:
            return estimated_input(self.messages(brief)) + prompt.settings.max_output_tokens, None
        usage = reservation(self._client, prompt, brief)
        return usage.input_tokens + usage.output_tokens, usage.cost

    async def ask(self, brief: Brief, *, may_repair: bool) -> Asked:
        """Ask the model within its deadline."""
        assert self._client is not None, "an asker without a model makes prompts only"
        return await ask(
            self._client,
            self._prompts[brief.purpose],
            brief,
            deadline_seconds=self._settings.model_deadline_seconds,
            may_repair=may_repair,
        )
