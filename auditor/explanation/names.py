"""A cache's name in prose: whatever it is called, it can neither format, link, ring nor break a line."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 64
_ACTIVE: Final = re.compile(r"[^\w .:/+=,-]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=/)/|(?<![^\W_])www\.", re.IGNORECASE)


def neutral_name(name: str, longest: int = LONGEST) -> str:
    """The name as printable text of at most `longest` characters that no Markdown, HTML or chat acts on.

    Characters that could act are shown as a middle dot; a name cut short ends in an ellipsis.
    """
    printable = "".join(letter if letter.isprintable() else "·" for letter in name[: 4 * LONGEST])
    shown = " ".join(_ACTIVE.sub("·", printable).split()) or "unnamed"
    return shown if len(shown) <= longest else f"{shown[: max(1, longest - 1)].rstrip()}…"


def quoted(name: str) -> str:
    """The name in quotation marks."""
    return f"“{neutral_name(name)}”"


def neutral_text(text: str, longest: int = 400) -> str:
    """A sentence that came from outside, on one line, without characters that Markdown or HTML act on."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * longest])
    shown = " ".join(re.sub(r"[<>`*\[\]|~#@&\\]", "·", printable).split())
    return shown if len(shown) <= longest else f"{shown[: longest - 1].rstrip()}…"
