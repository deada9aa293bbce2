"""What asking a model came to, as grading reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from auditor.explanation.checked import Checked


class Asked(Protocol):
    """One question, with its answer or the reason why there is none."""

    @property
    def checked(self) -> Checked | None:
        """What is left of the answer; None where there was none of the shape asked for."""

    @property
    def failure(self) -> str | None:
        """Why there is none, in a word."""

    @property
    def detail(self) -> str:
        """The same as a sentence; empty where there is an answer."""

    @property
    def repaired(self) -> bool:
        """Whether it took a second attempt to get the shape right."""

    @property
    def input_tokens(self) -> int | None:
        """Tokens read, all attempts together."""

    @property
    def output_tokens(self) -> int | None:
        """Tokens written, all attempts together."""

    @property
    def cost(self) -> float | None:
        """Their price; None where no price is known."""

    @property
    def seconds(self) -> float:
        """From the question to the answer."""

    @property
    def model(self) -> str:
        """The model that answered."""

    @property
    def raw(self) -> str | None:
        """The answer's text as it came."""
