"""What explaining needs of a model and its prompts, whoever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.explanation.attached import Origin
    from auditor.explanation.brief import Brief, Purpose
    from auditor.explanation.checked import Checked


class Asked(Protocol):
    """What came of asking: a checked answer, or the word for why there is none, and what it used."""

    @property
    def checked(self) -> Checked | None:
        """The checked answer."""
        ...

    @property
    def failure(self) -> str | None:
        """Why there is none, in a short word such as `timeout`."""
        ...

    @property
    def detail(self) -> str:
        """The failure as a sentence that names the mend; empty where there is none."""
        ...

    @property
    def retry_after(self) -> float | None:
        """Seconds until another call makes sense, where that is known."""
        ...

    @property
    def repaired(self) -> bool:
        """Whether a second request was made to mend an unusable answer."""
        ...

    @property
    def input_tokens(self) -> int:
        """Tokens that were sent, of all requests together."""
        ...

    @property
    def output_tokens(self) -> int:
        """Tokens that came back, of all requests together."""
        ...

    @property
    def cost(self) -> float | None:
        """Money, in the currency of the prices; None where no price is known."""
        ...

    @property
    def uncertain(self) -> bool:
        """Whether the server may have charged for more than is counted."""
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
