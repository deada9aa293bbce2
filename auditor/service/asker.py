"""What explaining needs of a model and its prompts, whoever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.explanation.attached import Origin
    from auditor.explanation.brief import Brief, Purpose
    from auditor.model.asking import Asked


class Asker(Protocol):
    """A model with its prompts."""

    def incident_brief(self, material: Mapping[str, Any], purpose: Purpose) -> Brief:
        """The brief of an incident's material, as `auditor_explanation_material` gives it."""
        ...

    def digest_brief(self, material: Mapping[str, Any]) -> Brief:
        """The brief of a digest's material, as `auditor_digest_material` gives it."""
        ...

    def origin(self, purpose: Purpose) -> Origin:
        """Whose words they will be."""
        ...

    def estimate(self, brief: Brief) -> tuple[int, float | None]:
        """At most how many tokens asking uses, a repair included, and what they cost, None where no price is known."""
        ...

    def messages(self, brief: Brief) -> list[dict[str, str]]:
        """The exact prompt, as `{"role", "content"}`."""
        ...

    async def ask(self, brief: Brief, *, may_repair: bool) -> Asked:
        """Ask; ends within the model's deadline and raises nothing that the model is to blame for.

        `may_repair` allows a second request where the answer cannot be used.
        """
        ...
