"""Options that many commands have."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Form(StrEnum):
    """How a command prints."""

    TEXT = "text"
    JSON = "json"


class EngineersVerdict(StrEnum):
    """What an engineer says of an observation."""

    INCIDENT = "incident"
    NEW_NORMAL = "new_normal"
    IGNORE = "ignore"


Format = Annotated[Form, typer.Option("--format", help="How to print: text, or JSON for programs.")]
Cache = Annotated[str | None, typer.Option("--cache", help="Only this cache.")]
