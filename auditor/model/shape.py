"""The ladder of requests: what a server does not take is left out or said otherwise, and remembered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from auditor.model.exchange import Rung

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.exchange import Request
    from auditor.model.options import ModelOptions

_RUNGS: Final = tuple(Rung)
_ONE_NAME_ONLY: Final = re.compile(r"(?:^|\.)(?:api\.z\.ai|bigmodel\.cn|deepseek\.com)$")
"""Hosts of GLM and DeepSeek: they know json_object and max_tokens, and pass over some of what they do not know in silence."""
_OLLAMA_PORT: Final = re.compile(r":11434$")

_FORMAT: Final = re.compile(
    r"response_?format|json_?schema|json_?object|structured output|guided|grammar|schema|"
    r"must contain the word 'json'"
)
_TOKENS: Final = re.compile(r"max_(?:completion_)?tokens")
_TEMPERATURE: Final = re.compile(r"temperature")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a request is put to one server and model.

    Parameters
    ----------
    rung
        How JSON is asked for.
    limits
        The names of the parameter that limits the answer's tokens which are still worth trying, the next first; with none left it is
        left out.
    temperature
        Whether the server takes one.
    """

    rung: Rung = Rung.JSON_SCHEMA
    limits: tuple[str, ...] = ("max_completion_tokens", "max_tokens")
    temperature: bool = True

    def lower(self) -> Shape | None:
        """The shape with the next rung; None on the last."""
        place = _RUNGS.index(self.rung) + 1
        return replace(self, rung=_RUNGS[place]) if place < len(_RUNGS) else None

    def without(self, refused: str) -> Shape | None:
        """The next shape after a refusal that names its parameter, in lower case; None if it names none that can be given up."""
        if self.temperature and _TEMPERATURE.search(refused):
            return replace(self, temperature=False)
        if self.limits and _TOKENS.search(refused):
            return replace(self, limits=self.limits[1:])
        return self.lower() if _FORMAT.search(refused) else None

    def arguments(self, request: Request, model: str) -> dict[str, Any]:
        """The arguments of `chat.completions.create`."""
        arguments: dict[str, Any] = {"model": model, "messages": self._messages(request)}
        if self.rung is Rung.JSON_SCHEMA:
            schema = {"name": request.schema_name, "schema": request.schema, "strict": True}
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.rung is Rung.JSON_OBJECT:
            arguments["response_format"] = {"type": "json_object"}
        if self.limits:
            arguments[self.limits[0]] = request.max_output_tokens
        if self.temperature and request.temperature is not None:
            arguments["temperature"] = request.temperature
        return arguments

    def _messages(self, request: Request) -> list[Mapping[str, str]]:
        """The messages; below the first rung the schema stands at the end of the first of them.

        Not in one of its own: the chat templates of some models take one system message, and only at the start.
        """
        messages = [dict(message) for message in request.messages]
        if self.rung is not Rung.JSON_SCHEMA:
            schema = json.dumps(request.schema, separators=(",", ":"))
            messages[0]["content"] += (
                f"\n\nAnswer with one JSON object that this JSON Schema describes, and with nothing else:\n{schema}"
            )
        return list(messages)


def first_shape(options: ModelOptions) -> Shape:
    """Where the ladder begins for a server: at the top, but for hosts that pass over what they do not know in silence."""
    if _ONE_NAME_ONLY.search(options.host):
        return Shape(rung=Rung.JSON_OBJECT, limits=("max_tokens",))
    if _OLLAMA_PORT.search(options.place) or options.api_version is not None:
        return Shape(limits=("max_tokens", "max_completion_tokens"))
    return Shape()
