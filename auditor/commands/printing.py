"""How commands print: tables, JSON, and text that came from outside."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def as_json(value: Any) -> str:
    """JSON of rows as the database gives them: times in ISO 8601 UTC, everything else that JSON lacks as text."""
    return json.dumps(_plain(value), default=str, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):  # an upgraded database keeps its columns' numeric type
        return _plain(float(value))
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def printable(text: str) -> str:
    """The text without control characters, so that nothing stored can move the cursor or colour the terminal."""
    return "".join(c for c in text if unicodedata.category(c)[0] != "C")


def counted(number: int, noun: str) -> str:
    """A number with its noun in the right number: 1 window, 1,440 windows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table; the last column takes what width there is."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        shown.add_column(name, no_wrap=i < len(header) - 1, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False).print(shown)
