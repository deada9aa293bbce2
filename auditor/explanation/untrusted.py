"""How data enters a prompt: as one block of JSON whose end cannot occur in it, or as a neutral word; never as text of its own."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from auditor.explanation.names import neutral_text

OPENING: Final = "<data>"
CLOSING: Final = "</data>"
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_ACTIVE: Final = re.compile(r"[<>&`\[\]{}|#*~\x7f-\xa0\u00ad]")


class Block(str):
    """Text that `data_block` made: the only text from data that a prompt takes as it is."""

    __slots__ = ()


def data_block(value: Any) -> Block:
    """The value as JSON between the marks of untrusted data.

    Within the JSON's strings every character that could end the block, open a fence, a tag or a role, or cannot be
    seen is written as an escape, so that a reader of JSON gets the same value and the marks stand only at the block's ends.

    Raises
    ------
    ValueError
        If the value is not plain JSON, or holds NaN or infinity.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise ValueError(str(error)) from None
    return Block(f"{OPENING}\n{_STRING.sub(_escaped, text)}\n{CLOSING}")


def _escaped(string: re.Match[str]) -> str:
    return "".join(
        letter if letter.isprintable() and not _ACTIVE.match(letter) else _unicode_escape(letter)
        for letter in string[0]
    )


def _unicode_escape(letter: str) -> str:
    """As JSON writes it: beyond the basic plane a pair of surrogates."""
    return json.dumps(letter)[1:-1] if not letter.isascii() else f"\\u{ord(letter):04x}"


def shown(value: Any) -> Any:
    """What a template may show of a value: blocks as they are, numbers, and text on one neutral line.

    Raises
    ------
    ValueError
        If it is a list or an object: those go through the `data` filter.
    """
    if value is None:
        return "unknown"
    if isinstance(value, (Block, bool, int, float)):
        return value
    if isinstance(value, str):
        return neutral_text(value)
    raise ValueError("lists and objects are shown by the data filter alone")
