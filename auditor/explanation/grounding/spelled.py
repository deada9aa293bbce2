"""Numbers in words: forty-one, two thousand and forty, a dozen, two thirds, thrice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONES: Final = (
    *(
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
UNITS: Final[Mapping[str, float]] = {
    **{word: float(value) for value, word in enumerate(_ONES)},
    **{word: 10.0 * value for value, word in enumerate(_TENS, 2)},
}
_SCALES: Final[Mapping[str, float]] = {
    "dozen": 12.0,
    "hundred": 100.0,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
}
_UNIT: Final = "|".join(sorted(UNITS, key=len, reverse=True))
_SCALE: Final = "|".join(_SCALES)
SPELLED: Final = re.compile(
    rf"\b(?:(?:an? (?=(?:{_SCALE})\b)|(?:{_UNIT})\b[ -]?)(?:(?:and )?(?:{_UNIT}|{_SCALE})\b[ -]?)*)"
    rf"(?:point (?:{_UNIT})\b(?:[ -](?:{_UNIT})\b)*)?(?:and a (?P<half>half|quarter)\b)?"
)
_PARTS: Final[Mapping[str, float]] = {
    "half": 1 / 2, "halves": 1 / 2, "third": 1 / 3, "thirds": 1 / 3, "quarter": 1 / 4, "quarters": 1 / 4,
    "fourth": 1 / 4, "fourths": 1 / 4, "fifth": 1 / 5, "fifths": 1 / 5, "sixth": 1 / 6, "sixths": 1 / 6,
    "eighth": 1 / 8, "eighths": 1 / 8, "tenth": 1 / 10, "tenths": 1 / 10,
}  # fmt: skip
_COUNTS: Final = "|".join(_ONES[1:10])
PART: Final = re.compile(
    rf"(?<!and )(?<!and a )\b(?:(?P<count>an?|{_COUNTS})[ -](?P<part>{'|'.join(_PARTS)})|(?P<bare>half|quarter(?= of an? )))\b(?! past| step)"
)
PROPORTION: Final = re.compile(
    rf"\b(?P<x>\d+|{_COUNTS}|ten|eleven|twelve) (?:in|out of|in every|of every|out of every|of(?= (?:the )?\w+ (?:§|requests|operations|gets))) (?:the )?(?P<y>\d[\d,]*(?:\.\d+)?(?:e\d+)?|{_UNIT}|a hundred|a thousand|a million|a billion)(?P<scale> thousand| million| billion| trillion)?\b(?! (?:minutes|windows|min)\b)"
)
TIMES: Final = re.compile(
    r"\b(?:(?P<verb>halv(?:ed|es|ing)|doubl(?:ed|es|ing)|tripl(?:ed|es|ing)|trebl(?:ed|es|ing)|quadrupl(?:ed|es|ing)|quintupl(?:ed|es|ing))"
    rf"|(?P<adverb>twice|thrice|double|triple)|(?P<fold>{_COUNTS}|ten|eleven|twelve|twenty)[ -]?fold)\b"
)
_VERBS: Final[Mapping[str, float]] = {
    "halv": 0.5,
    "doub": 2.0,
    "trip": 3.0,
    "treb": 3.0,
    "quad": 4.0,
    "quin": 5.0,
}


def part_value(found: re.Match[str]) -> float:
    """The fraction that "two thirds" or "half" is."""
    if found["bare"]:
        return _PARTS[found["bare"]]
    return (UNITS.get(found["count"], 1.0)) * _PARTS[found["part"]]


def times_value(found: re.Match[str]) -> float:
    """The factor that "halved", "twice" or "threefold" is."""
    if found["verb"]:
        return _VERBS[found["verb"][:4]]
    if found["adverb"]:
        return {"twice": 2.0, "double": 2.0}.get(found["adverb"], 3.0)
    return UNITS[found["fold"]]


def simple(word: str) -> float:
    """A number in digits or one word, as a proportion holds it."""
    bare = word.removeprefix("a ")
    if bare in UNITS:
        return UNITS[bare]
    return _SCALES[bare] if bare in _SCALES else float(bare.replace(",", ""))


def spelled_value(text: str) -> tuple[float, bool]:
    """The number that words say, and whether it is round (ends in hundred, thousand, dozen …)."""
    whole, _, decimals = text.partition(" point ")
    total, group = 0.0, 0.0
    words = [word for word in re.split(r"[ -]+", whole) if word and word != "and"]
    for word in words:
        if word in {"a", "an"}:
            group = 1.0
        elif word in UNITS:
            group += UNITS[word]
        elif word in {"hundred", "dozen"}:
            group = max(group, 1.0) * _SCALES[word]
        elif word in _SCALES:
            total += max(group, 1.0) * _SCALES[word]
            group = 0.0
    value = total + group
    if decimals:
        digits = [word for word in re.split(r"[ -]+", decimals) if word in UNITS]
        value += sum(UNITS[word] * 10.0**-place for place, word in enumerate(digits, 1))
    return value, bool(words) and words[-1] in _SCALES
