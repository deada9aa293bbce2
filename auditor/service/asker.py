"""What explaining needs of a model and its prompts, whoever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.explanation.attached import Origin
    from auditor.explanation.brief import Brief, Purpose
    from auditor.explanation.checked import Checked


class Asked(Protocol):
    """What came of asking: a checked answer, or the word for why there is none, and what it used.

    `failure` is a short word such as `timeout`; tokens count every request of the asking, `cost` is None where no price is known,
    `repaired` says whether a second request was made to mend an unusable answer.
    """

    @property
    def checked(self) -> Checked | None:
        """The checked answer."""
        ...

    @property
    def failure(self) -> str | None:
        """Why there is none."""
        ...

    @property
    def repaired(self) -> bool:
        """Whether it took a second request."""
        ...

    @property
    def input_tokens(self) -> int:
        """Tokens that were sent."""
        ...

    @property
    def output_tokens(self) -> int:
        """Tokens that came back."""
        ...

    @property
    def cost(self) -> float | None:
        """Money, in the currency of the prices."""
        ...

    @property
    def model(self) -> str:
        """The model that answered."""
        ...


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
        """At most how many tokens one request uses, and what they cost, None where no price is known."""
        ...

    async def ask(self, brief: Brief) -> Asked:
        """Ask; ends within the model's deadline and raises nothing that the model is to blame for."""
        ...
