"""The tables of the documents, made from the code; running this module writes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from auditor.detection.catalogue import CATALOGUE
from auditor.explain_settings import ExplainSettings
from auditor.explanation.briefing.allowed import DIGEST, INCIDENT
from auditor.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def settings_table() -> str:
    """Every setting: its name, its default, its meaning."""
    lines = ["| name | default | meaning |", "|---|---|---|"]
    for name, field in sorted(
        Settings.model_fields.items(), key=lambda one: one[0] in ExplainSettings.model_fields
    ):
        choices: Any = field.validation_alias
        names = (
            [str(choice) for choice in choices.choices if str(choice).isupper()]
            if choices
            else [PREFIX + name.upper()]
        )
        default = "" if field.default in {None, PydanticUndefined} else str(field.default)
        lines.append(f"| {' or '.join(f'`{n}`' for n in names)} | {default} | {field.description} |")
    return "\n".join(lines)


def catalogue_table() -> str:
    """Every metric: its unit, family, alarming side and category."""
    lines = ["| metric | unit | family | alarming side | category |", "|---|---|---|---|---|"]
    lines += [f"| `{m.name}` | {m.unit} | {m.family} | {m.side} | {m.category} |" for m in CATALOGUE]
    return "\n".join(lines)


def allowed_tables() -> str:
    """Every field that a model may be told, of an incident and of a day."""
    lines = []
    for what, fields in (("an incident", INCIDENT), ("a day", DIGEST)):
        lines += ["", f"| of {what} | what it is |", "|---|---|"]
        lines += [f"| `{path}` | {meaning} |" for path, meaning in fields.items()]
    return "\n".join([*lines, ""])


TABLES = {
    "operations.md": ("settings", settings_table),
    "method.md": ("catalogue", catalogue_table),
    "prompts.md": ("allowed", allowed_tables),
}


def written(text: str, mark: str, table: str) -> str:
    """The text with what stands between a table's marks replaced."""
    return re.sub(
        rf"(<!-- {mark}:[^\n]*-->\n).*?(<!-- end -->)",
        lambda m: f"{m[1]}{table}\n{m[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    for name, (mark, make) in TABLES.items():
        path = DOCS / name
        path.write_text(written(path.read_text(), mark, make()))
