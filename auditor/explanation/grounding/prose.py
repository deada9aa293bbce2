"""A model's text as plain lines, and those lines as sentences."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from auditor.explanation.names import neutral_text

_SUPERSCRIPT: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_POWERS: Final = re.compile("[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LIGATED: Final = str.maketrans({
    **dict.fromkeys("‐‑‒﹣−", "-"),  # hyphens of all kinds, and the minus
    **dict.fromkeys("—―", "–"),
    **dict.fromkeys("‘’‛′", "'"),
    **dict.fromkeys('„‟″«»"', "”"),
    "→": " to ", "⇒": " to ", "≈": " about ", "∼": " about ", "≤": " at most ", "≥": " at least ", "×": "x",
    "…": "...", "•": " ", "·": " ",
})  # fmt: skip
_LINES: Final = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]*|[-*+•–][ \t]+|\d{1,2}[.)][ \t]+)+", re.MULTILINE)
_EMPHASIS: Final = re.compile(r"\*+|~~|`|(?<!\w)_+|_+(?!\w)")
_ARROW: Final = re.compile(r"[-=]+>")
_BELOW: Final = re.compile(r"<=?[ \t]*(?=[\d.])")
_ABOVE: Final = re.compile(r">=?[ \t]*(?=[\d.])")
_ABOUT: Final = re.compile(r"~[ \t]*(?=\d)")
_ABBREVIATED: Final = re.compile(
    r"(?:\b(?:e\.g|i\.e|approx|vs|ca|cf|resp|etc|avg|max|min|no|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)|(?<!\d )(?<!\d)\b[a-z])\.$",
    re.IGNORECASE,
)
LONGEST_QUOTED: Final = 120
_END: Final = re.compile(r"[.!?]+[”')]*(?=\s)")


def plain(text: str) -> str:
    """The text in compatibility form, without invisible characters, emphasis, bullets or fences.

    What is left may still hold links, tags or mentions; a sentence with one of those is refused elsewhere.
    """
    powered = _POWERS.sub(lambda found: "^" + found[0].translate(_SUPERSCRIPT), text)
    composed = unicodedata.normalize("NFKC", powered.replace("\r", "\n").replace("```", " "))
    composed = composed.translate(_LIGATED)
    seen = "".join(map(_visible, composed))
    seen = _EMPHASIS.sub("", _LINES.sub("", seen))
    for pattern, word in ((_ARROW, " to "), (_BELOW, "below "), (_ABOVE, "above "), (_ABOUT, "about ")):
        seen = pattern.sub(word, seen)
    seen = re.sub(r"(?<=\w) & (?=\w)", " and ", seen)
    return "\n".join(line for part in seen.split("\n") if (line := " ".join(part.split())))


@lru_cache(maxsize=4096)
def _visible(letter: str) -> str:
    if letter == "\n":
        return letter
    category = unicodedata.category(letter)
    if category in {"Cf", "Cs", "Co", "Cn"}:
        return ""
    return " " if category[0] in "CZ" else letter


def sentences(text: str) -> list[str]:
    """The sentences of plain text: parted at line ends and full stops, but not in decimals, times or abbreviations."""
    found: list[str] = []
    for line in text.split("\n"):
        start = 0
        for end in _END.finditer(line):
            if _ABBREVIATED.search(line[start : end.end()].rstrip("”')")) or _quoted(
                line, start, end.start()
            ):
                continue
            found.append(line[start : end.end()].strip())
            start = end.end()
        found.append(line[start:].strip())
    return [one for one in found if one]


def _quoted(line: str, start: int, at: int) -> bool:
    """Whether a full stop stands within quotation marks that were opened in the sentence and are closed after it."""
    opened = line.rfind("“", start, at)
    return opened >= 0 and line.find("”", opened, at) < 0 <= line.find("”", at, opened + LONGEST_QUOTED)


def shown(text: str, longest: int = 700) -> str:
    """A sentence fit for a page, a chat and a terminal: nothing in it formats, links, rings or hides."""
    kept = neutral_text(plain(text).replace("\n", " "), longest)
    return re.sub(r":(?=//)|(?<=/)/|(?<![^\W_])www\.", "·", kept, flags=re.IGNORECASE)
