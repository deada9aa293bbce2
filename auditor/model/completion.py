"""Reading the body of a successful answer: strictly, for whatever may stand in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from auditor.model.exchange import Usage
from auditor.model.failure import ModelFailure, Reason
from auditor.model.refusals import failure_of_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from auditor.model.told import Server

MOST_TOKENS: Final = 1_000_000_000
"""No model counts further; a larger figure is no count."""

LONGEST_NAME: Final = 256

_CUT: Final = frozenset({"length", "max_tokens", "model_length"})
_FILTERED: Final = frozenset({"content_filter", "sensitive", "safety", "prohibited_content", "recitation"})
_BROKEN: Final = frozenset({"error", "network_error"})
"""Finish reasons of OpenAI, Mistral, GLM and Gemini, in lower case."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a chat completion says: its text, and what it says about itself; `usage` is None where it does not count."""

    text: str
    model: str
    finish_reason: str
    usage: Usage | None
    id: str


def read_completion(body: bytes, server: Server) -> Completion:
    """The completion in a body.

    Raises
    ------
    ModelFailure
        For everything that is not a completion with a text that ended by itself.
    """
    data = _decoded(body, server)
    if data.get("error"):
        raise failure_of_error(data["error"], server)
    usage = _usage(data.get("usage"))
    try:
        choice = _choice(data.get("choices"), server)
        finish = _text(choice.get("finish_reason"))
        message = choice.get("message")
        if not isinstance(message, dict):
            raise _malformed(server, "its choice has no message")
        return Completion(
            text=_content(message, finish.lower(), server),
            model=_text(data.get("model"))[:LONGEST_NAME] or server.model,
            finish_reason=finish[:LONGEST_NAME],
            usage=usage,
            id=_text(data.get("id"))[:LONGEST_NAME],
        )
    except ModelFailure as failure:
        failure.usage = usage
        raise


def _decoded(body: bytes, server: Server) -> Mapping[str, Any]:
    text = body.decode("utf-8-sig", errors="replace").strip()
    if not text:
        raise ModelFailure(
            Reason.EMPTY, f"{server} answered with nothing at all: look at its log, or try again."
        )
    try:
        data = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _undecoded(text, server) from None
    if not isinstance(data, dict):
        raise _malformed(server, "it is no object")
    return data


def _no_number(constant: str) -> NoReturn:
    raise ValueError(constant)


def _undecoded(text: str, server: Server) -> ModelFailure:
    if text[0] != "{":
        return ModelFailure(
            Reason.NOT_JSON,
            f"{server} answered with something else than JSON, a web page perhaps: does OPENAI_BASE_URL end where "
            "/chat/completions begins, in /v1 for most servers?",
        )
    if not text.endswith("}"):
        return ModelFailure(
            Reason.TRUNCATED, f"The answer of {server} breaks off: look at its log and at proxies on the way."
        )
    return _malformed(server, "it is not valid JSON")


def _malformed(server: Server, what: str) -> ModelFailure:
    return ModelFailure(
        Reason.MALFORMED,
        f"The answer of {server} is no chat completion, {what}: is it a server that speaks OpenAI's interface?",
    )


def _usage(told: Any) -> Usage | None:
    if not isinstance(told, dict):
        return None
    counts = [told.get("prompt_tokens"), told.get("completion_tokens", 0)]
    if not all(type(count) is int and 0 <= count <= MOST_TOKENS for count in counts):
        return None
    return Usage(counts[0], counts[1])


def _choice(choices: Any, server: Server) -> Mapping[str, Any]:
    if not isinstance(choices, list):
        raise _malformed(server, "it has no choices")
    if not choices:
        raise ModelFailure(Reason.EMPTY, f"{server} answered without a choice: try again, or another model.")
    if not isinstance(choices[0], dict):
        raise _malformed(server, "its choice is no object")
    return choices[0]


def _content(message: Mapping[str, Any], finish: str, server: Server) -> str:
    """The text of a message that ended by itself."""
    if finish in _CUT:
        raise ModelFailure(
            Reason.LENGTH,
            f"{server} reached the limit of tokens before its answer was complete: raise max_output_tokens in the "
            "prompt's settings.",
        )
    if finish in _FILTERED:
        raise ModelFailure(
            Reason.CONTENT_FILTER,
            f"The content filter of {server} stopped the answer: leave keys and error messages out of the prompt.",
        )
    if finish in _BROKEN:
        raise ModelFailure(Reason.SERVER_ERROR, f"{server} failed amid its answer: try again.")
    if _text(message.get("refusal")).strip():
        raise ModelFailure(Reason.REFUSAL, f"{server} refused to answer: try another model.")
    text = _joined(message.get("content"), server)
    if text.strip():
        return text
    if message.get("tool_calls") or message.get("function_call"):
        raise ModelFailure(
            Reason.TOOL_CALLS,
            f"{server} called a tool instead of answering, and has none: try another model.",
        )
    raise ModelFailure(Reason.EMPTY, f"{server} answered with an empty text: try again, or another model.")


def _joined(content: Any, server: Server) -> str:
    """The content as one text; some servers send it in parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return _text(content)
    if not isinstance(content, list):
        raise _malformed(server, "its content is no text")
    return "".join(_part(part, server) for part in content)


def _part(part: Any, server: Server) -> str:
    if isinstance(part, str):
        return _text(part)
    if not isinstance(part, dict):
        raise _malformed(server, "a part of its content is no text")
    if part.get("type", "text") not in {"text", "output_text"}:
        return ""  # what it thought, say
    if not isinstance(part.get("text"), str):
        raise _malformed(server, "a part of its content is no text")
    return _text(part["text"])


def _text(value: Any) -> str:
    """A string that PostgreSQL and UTF-8 can hold; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "\ufffd").encode("utf-8", errors="replace").decode("utf-8")
