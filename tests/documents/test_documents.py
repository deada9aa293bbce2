"""The documents say what the code says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.documents.generate import DOCS, TABLES, written

if TYPE_CHECKING:
    from pathlib import Path

ROOT = DOCS.parent
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("name", TABLES)
def test_generated_tables_are_up_to_date(name: str) -> None:
    mark, make = TABLES[name]
    text = (DOCS / name).read_text()
    assert make() in text
    assert written(text, mark, make()) == text


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_and_rooms_that_are_named_exist(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (path.parent / target).exists(), target
    for room in re.findall(r"`((?:auditor|tests|benchmarks|supabase|docs)/[\w/.]*)`", text):
        assert (ROOT / room).exists(), room


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_commands_that_are_shown_exist(path: Path) -> None:
    from auditor.cli import run_command_line

    shown = set(re.findall(r"(?:`|^)auditor ([a-z]+(?: [a-z]+)?)", path.read_text(), re.MULTILINE))
    for command in sorted(shown):
        words = command.split()
        known = words[:2] if words and words[0] in {"baseline", "observations"} else words[:1]
        assert run_command_line([*known, "--help"]) == 0, command
