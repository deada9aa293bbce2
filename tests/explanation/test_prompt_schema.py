"""The prompts ask for the answer that the schema describes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from auditor.explanation.brief import Purpose
from auditor.explanation.prompt import render
from auditor.explanation.reply import reply_schema
from auditor.explanation.sample import sample_briefs
from auditor.prompt_files import read_prompts
from auditor.resources import prompts_folder

PROMPTS = read_prompts(prompts_folder())


def _names(schema: Any) -> set[str]:
    """Every property of a schema, its parts included."""
    if isinstance(schema, list):
        return {name for part in schema for name in _names(part)}
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own | {name for part in schema.values() for name in _names(part)}


@pytest.mark.parametrize("purpose", Purpose)
def test_the_shape_in_the_prompt_names_the_fields_of_the_schema_and_no_other(purpose: Purpose) -> None:
    system = render(PROMPTS[purpose], sample_briefs(purpose)[0])[0]["content"]
    shape = system.split("nothing around it:\n")[1].splitlines()[0]
    assert set(re.findall(r'"(\w+)":', shape)) == _names(reply_schema(purpose))
