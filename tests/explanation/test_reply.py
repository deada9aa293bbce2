"""A model's answer: parsed out of what surrounds it, or refused with one short reason."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.explanation.brief import Purpose
from auditor.explanation.reply import DigestReply, MalformedReply, Reply, parse_reply, reply_schema

ANSWER: dict[str, Any] = {
    "summary": "The hit rate fell.",
    "causes": [{"cause": "flush", "confidence": 0.5, "why": "It is empty.", "reordered_because": None}],
    "impact": None,
    "steps": ["Look."],
    "confidence": 0.5,
}
TEXT = json.dumps(ANSWER)
DIGEST = json.dumps({"summary": "Quiet.", "items": [{"cache": "answers", "text": "Fine."}], "steps": []})
OPENED = Purpose.INCIDENT_OPENED


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"Here is the answer:\n{TEXT}\nI hope it helps.",
        f"<think>perhaps {{a flush}}?</think>{TEXT}",
        f'<think>{{"summary": 1}}</think>\n```\n{TEXT}```',
        f"so the cache was emptied</think>{TEXT}",
        f"<think>{TEXT}",
        f"<thinking>well\n</thinking>\n\n{TEXT}",
        f"{TEXT}\n{TEXT}",
        f"The set {{hits}} is smaller. {TEXT}",
    ],
)
def test_an_answer_is_found_in_what_surrounds_it(text: str) -> None:
    assert parse_reply(text, OPENED) == Reply.model_validate(ANSWER)


def test_a_digest_has_its_own_shape() -> None:
    assert isinstance(parse_reply(DIGEST, Purpose.DAILY_DIGEST), DigestReply)
    with pytest.raises(MalformedReply):
        parse_reply(DIGEST, OPENED)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON object"),
        ("I cannot help with that.", "no JSON object"),
        (TEXT[:-1], "is missing|no JSON object|has"),
        (TEXT + TEXT.replace("fell", "rose"), "more than one"),
        (json.dumps({**ANSWER, "confidence": "0.5"}), "^confidence has the wrong type"),
        (json.dumps({**ANSWER, "confidence": 1.5}), "^confidence must be at most 1"),
        (TEXT.replace('"confidence": 0.5}', '"confidence": NaN}'), "NaN is not a number"),
        (TEXT.replace('"confidence": 0.5}', '"confidence": 1e999}'), "^confidence must be"),
        (json.dumps({**ANSWER, "severity": "info"}), "^the object has a field that was not asked for"),
        (json.dumps({**ANSWER, "summary": "x" * 701}), "^summary is too long"),
        (json.dumps({**ANSWER, "causes": []}), "^causes has no item"),
        (json.dumps({**ANSWER, "causes": ANSWER["causes"] * 6}), "^causes has too many items"),
        (json.dumps({**ANSWER, "steps": ["x" * 301]}), r"^steps\.0 is too long"),
        (json.dumps({name: value for name, value in ANSWER.items() if name != "steps"}), "^steps is missing"),
        ("{" * 100_000, "longer than"),
        ('{"summary":' * 5_000, "no JSON object"),
        (TEXT.replace("The hit", "\\ud800"), "summary has the wrong type"),
    ],
)
def test_a_malformed_answer_is_refused_with_a_short_reason(text: str, reason: str) -> None:
    with pytest.raises(MalformedReply, match=reason) as refused:
        parse_reply(text, OPENED)
    assert len(str(refused.value)) <= 120


def test_the_reason_repeats_nothing_of_the_answer() -> None:
    secret = "sk-planted-secret"
    for text in (json.dumps({**ANSWER, secret: 1}), json.dumps({**ANSWER, "confidence": secret}), secret):
        with pytest.raises(MalformedReply) as refused:
            parse_reply(text, OPENED)
        assert secret not in str(refused.value)


@given(st.text() | st.text(alphabet='{}[]":, <think>/`0123456789.eE-summary'))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(MalformedReply):
        assert isinstance(parse_reply(text, OPENED), Reply)


def _objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [one for part in schema for one in _objects(part)]
    if not isinstance(schema, dict):
        return []
    inner = [one for part in schema.values() for one in _objects(part)]
    return [schema, *inner] if schema.get("type") == "object" else inner


@pytest.mark.parametrize("purpose", list(Purpose), ids=str)
def test_the_schema_is_one_that_strict_mode_takes(purpose: Purpose) -> None:
    schema = reply_schema(purpose)
    objects = _objects(schema)
    assert len(objects) == 2
    for one in objects:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
    allowed = {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "$ref",
        "$defs",
        "description",
    }
    assert _keywords(schema) <= allowed


def _keywords(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {word for part in schema for word in _keywords(part)}
    if not isinstance(schema, dict):
        return set()
    inner = (part for key, part in schema.items() if key not in {"properties", "$defs"})
    named = (part for key in ("properties", "$defs") for part in schema.get(key, {}).values())
    return {*schema, *(word for part in (*inner, *named) for word in _keywords(part))}


@pytest.mark.parametrize(
    "noise",
    [
        "<think>" * 8500,
        "<think " * 8500,
        "</think>" * 7000,
        "<thinking x=" * 4900,
        "{" * 59_000,
        '{"a":' * 9000,
    ],
    ids=["opened", "never finished", "closed", "with attributes", "braces", "nested"],
)
def test_a_flood_of_marks_costs_no_more_steps_than_it_has_letters(noise: str) -> None:
    answer = json.dumps({"summary": "x"})
    with pytest.raises(MalformedReply):
        parse_reply(f"{noise}{answer}"[:60_000], Purpose.INCIDENT_OPENED)
