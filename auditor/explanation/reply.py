"""The strict shape of a model's answer: parsed from whatever surrounds it, or refused with one short reason."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditor.explanation.brief import Purpose

LONGEST_ANSWER: Final = 60_000
MOST_OBJECTS: Final = 40
_MARK: Final = re.compile(r"<(?P<end>/?)think(?:ing)?(?:\s[^<>]*)?>", re.IGNORECASE)
_UNSUPPORTED: Final = frozenset({
    *("title", "default", "format", "pattern", "minLength", "maxLength", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems"),
})  # fmt: skip

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Step = Annotated[str, Field(min_length=1, max_length=300)]


class MalformedReply(ValueError):  # noqa: N818 - a state of the answer, as its repair prompt calls it
    """An answer without the shape asked for; the text is one short reason that holds nothing of the answer."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class ReplyCause(_Strict):
    """One of the ranked causes, in the model's words."""

    cause: Annotated[str, Field(min_length=1, max_length=40)]
    confidence: Share
    why: Annotated[str, Field(max_length=400)]
    reordered_because: Annotated[str, Field(max_length=400)] | None


class Reply(_Strict):
    """An answer about an incident: what happened and since when, why, at what cost, and what to do."""

    summary: Annotated[str, Field(min_length=1, max_length=700)]
    causes: Annotated[list[ReplyCause], Field(min_length=1, max_length=5)]
    impact: Annotated[str, Field(max_length=300)] | None
    steps: Annotated[list[Step], Field(min_length=1, max_length=5)]
    confidence: Share


class DigestItem(_Strict):
    """What is worth a word about one cache."""

    cache: Annotated[str, Field(min_length=1, max_length=64)]
    text: Annotated[str, Field(min_length=1, max_length=400)]


class DigestReply(_Strict):
    """An answer for the daily digest."""

    summary: Annotated[str, Field(min_length=1, max_length=700)]
    items: Annotated[list[DigestItem], Field(max_length=12)]
    steps: Annotated[list[Step], Field(max_length=5)]


def reply_schema(purpose: Purpose) -> dict[str, Any]:
    """The answer's JSON Schema as strict structured output takes it.

    Every property is required, no other is allowed, and only keywords stand in it that the strict mode of
    OpenAI's API knows (lengths and ranges are left to `parse_reply`).
    """
    schema: dict[str, Any] = _supported(_model(purpose).model_json_schema())
    return schema


def parse_reply(text: str, purpose: Purpose) -> Reply | DigestReply:
    """The answer in a completion, whatever thinking, fences or prose stand around its one JSON object.

    Raises
    ------
    MalformedReply
        With one short reason, fit for a repair prompt.
    """
    if len(text) > LONGEST_ANSWER:
        raise MalformedReply(f"the answer is longer than {LONGEST_ANSWER} characters")
    found = _objects(_thought_out(text))
    answers = [one for one in found if "summary" in one] or found
    if not answers:
        raise MalformedReply("there is no JSON object in the answer")
    if any(one != answers[0] for one in answers[1:]):
        raise MalformedReply("there is more than one JSON object in the answer")
    try:
        return _model(purpose).model_validate(answers[0])
    except ValidationError as error:
        raise MalformedReply(_reason(error)) from None


def _model(purpose: Purpose) -> type[Reply | DigestReply]:
    return DigestReply if purpose is Purpose.DAILY_DIGEST else Reply


def _thought_out(text: str) -> str:
    """The text without thinking: whole blocks, the end of one whose start was cut off, and one that never ends.

    Some servers never close the block and write the answer within it, so an opening mark alone is just dropped. Each
    mark is looked at once, since a model can write thousands of them.
    """
    kept: list[str] = []
    spoken = 0
    opened: int | None = None
    for mark in _MARK.finditer(text):
        if not mark["end"]:
            opened = mark.start() if opened is None else opened
            continue
        if opened is None:
            kept.clear()
        else:
            kept.append(text[spoken:opened])
        spoken, opened = mark.end(), None
    return " ".join([*kept, _MARK.sub(" ", text[spoken:])])


def _objects(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    found: list[dict[str, Any]] = []
    at, tries = text.find("{"), 0
    while at >= 0 and tries < MOST_OBJECTS:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, at)
        except MalformedReply:
            raise
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found.append(value)
        at = text.find("{", end)
    return found


def _refuse(name: str) -> NoReturn:
    raise MalformedReply(f"{name} is not a number that JSON knows")


_SAID: Final = {
    "missing": "is missing",
    "extra_forbidden": "has a field that was not asked for",
    "string_too_long": "is too long",
    "string_too_short": "is empty",
    "too_long": "has too many items",
    "too_short": "has no item",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least 0",
    "less_than_equal": "must be at most 1",
}


def _reason(error: ValidationError) -> str:
    """The first fault, by where it is and what is wrong; a name that the model made up is not repeated."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
    where = ".".join(str(part) for part in place) or "the object"
    said = _SAID.get(first["type"])
    return f"{where} {said or 'has the wrong type'}"


def _supported(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_supported(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: {name: _supported(part) for name, part in value.items()}
        if key in {"properties", "$defs"}
        else _supported(value)
        for key, value in schema.items()
        if key not in _UNSUPPORTED
    }
    if "properties" in kept:
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    return kept
