"""What goes to a model and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Rung(StrEnum):
    """How a server is asked for JSON, the strictest first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them, and their price in the currency of the prices; None where it is not known."""

    input_tokens: int
    output_tokens: int
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    Parameters
    ----------
    messages
        `{"role": "system" | "user" | "assistant", "content": str}`, in order.
    schema_name, schema
        The JSON Schema that the answer has to keep, and its name (letters, digits, `_` and `-`, at most 64).
    max_output_tokens
        The most tokens of the answer; what a reasoning model thinks counts too.
    temperature
        0..2; None leaves it to the server.
    deadline_seconds
        Of the whole call with all its retries and waits.
    """

    messages: Sequence[Mapping[str, str]]
    schema_name: str
    schema: Mapping[str, Any]
    max_output_tokens: int
    deadline_seconds: float
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Parameters
    ----------
    text
        The model's text as it came, without NUL and lone surrogates; JSON is promised by no rung.
    model
        The model that the server says has answered.
    input_tokens, output_tokens
        As the server counted them; estimated from the text where it did not say.
    seconds
        From the call to the answer, waits and retries included.
    cost
        In the currency of the prices; None where no price is known.
    rung
        How JSON was asked for.
    finish_reason
        As the server says; empty where it does not.
    """

    text: str
    model: str
    input_tokens: int
    output_tokens: int
    seconds: float
    cost: float | None
    rung: Rung
    finish_reason: str
