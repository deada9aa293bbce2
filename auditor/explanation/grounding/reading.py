"""A sentence taken apart: the caches, moments, subjects and numbers in it, each at its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.instants import Instant, instants
from auditor.explanation.grounding.prose import plain
from auditor.explanation.grounding.quantities import Quantity, quantities
from auditor.explanation.grounding.roles import Role, roles
from auditor.explanation.grounding.subjects import Mention, mentions
from auditor.explanation.grounding.vocabulary import is_word
from auditor.explanation.names import neutral_name

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_NAME: Final = 0xE000
"""Private-use characters stand for the names of caches, from this one on; prose never holds any."""
FIRST_ERROR: Final = 0xE800
MOST_NAMES: Final = 0x700
SUBJECT: Final = "§"
MOMENT: Final = "‡"
_COLUMNS: Final = {
    "avg_response_time_ms": "average response time",
    "p95_response_time_ms": "p95 response time",
    "p99_response_time_ms": "p99 response time",
    "p50_response_time_ms": "p50 response time",
    "avg_hit_response_time_ms": "hit response time",
    "avg_miss_response_time_ms": "miss response time",
}
_COLUMN: Final = re.compile(
    r"(?<![\w/.-])(?:" + "|".join([*_COLUMNS, r"[a-z]+(?:_[a-z]+){1,3}"]) + r")(?![\w/.-])"
)
_SNAKES: Final = frozenset({
    *("hit_rate", "error_rate", "eviction_rate", "cache_size", "key_change", "capacity_cut", "ttl_cut", "working_set_growth", "surge_new_keys"),
    *("backend_slow", "cache_slow", "backend_errors", "collector_fault", "miss_rate", "window_validity", "sets_per_miss", "p_value"),
})  # fmt: skip
_WORDED: Final = {
    "backend_slow": "slow backend",
    "cache_slow": "slow cache",
    "capacity_cut": "capacity cut",
    "ttl_cut": "ttl",
    "surge_new_keys": "surge of requests for new keys",
}
_IDIOMS: Final = re.compile(
    r"\b(?:every|each) one of (?=the |its |them\b)|\b(?:one-minute|1-minute|per-minute|minute-by-minute)(?= (?:windows?|buckets?|interval|samples?|resolution))|\b(?:at )?one (?:at a time|another|by one)\b|\b(?:first|second|third|last)ly\b"
    r"|\b(?:zero in on|two-fold aim|one or more|one or two|a thousand times)\b"
)
_NAME_VERB: Final = (
    r"(?:has|have|had|is|was|are|were|lost|loses?|saw|sees|serves?|fell|falls?|rose|rises?|drops?|dropped|stays?|stayed|remains?|remained|goes|went|climbs?|climbed|shrinks?|shrank|grows?|grew|"
    r"returned|recovered|stands|jumped|arrives?|arrived|comes?|came|looks?|needs?|responds?|takes?|took|holds?|held|keeps?|kept|shows?|showed|began|started|stopped)\b"
)
_NAME_ENDS: Final = rf"[,.;:)]|$| (?:{_NAME_VERB}|(?:since|from|to|at|and|or|but|while|where|which|now|after|before|during|over|for|by|with|in|on|that)\b)"
_TIDY: Final = re.compile(r"(?=.*[a-z])[a-z_][\w.:/+-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """One sentence.

    Parameters
    ----------
    text
        As it was, in plain form.
    named
        With the names of caches and types of errors replaced by private-use characters.
    spoken
        That in lower case.
    low
        And then, subjects blanked with "§" and moments with "‡".
    caches
        Each cache's name with its place in `low`.
    errors
        Each error type's name with its place.
    moments, subjects, quantities, roles
        What was found, in order; `roles` has one for each quantity.
    """

    text: str
    named: str
    spoken: str
    low: str
    caches: tuple[tuple[int, str], ...]
    errors: tuple[tuple[int, str], ...]
    moments: tuple[Instant, ...]
    subjects: tuple[Mention, ...]
    quantities: tuple[Quantity, ...]
    roles: tuple[Role, ...]


@lru_cache(maxsize=4096)
def read(sentence: str, caches: tuple[str, ...], errors: tuple[str, ...] = ()) -> Reading:
    """Take a plain sentence apart, given the names of the caches and the types of errors that it may name."""
    named = sentence
    for offset, names in ((FIRST_NAME, caches), (FIRST_ERROR, errors)):
        order = sorted(range(min(len(names), MOST_NAMES)), key=lambda index: -len(names[index]))
        for index in order:
            named = _masked(named, names[index], chr(offset + index), plural=offset == FIRST_ERROR)
    named = _COLUMN.sub(_worded, named)
    low = spoken = _lower(named)
    moments = tuple(instants(low))
    low = _blank(low, ((one.start, one.end) for one in moments), MOMENT)
    subjects = tuple(mentions(low))
    low = _blank(low, ((one.start, one.end) for one in subjects), SUBJECT)
    numbered = _IDIOMS.sub(lambda found: "~" * len(found[0]), low)
    found = quantities(numbered)
    return Reading(
        sentence,
        named,
        spoken,
        low,
        tuple(_places(named, FIRST_NAME, caches)),
        tuple(_places(named, FIRST_ERROR, errors)),
        moments,
        subjects,
        tuple(found),
        tuple(roles(numbered, found)),
    )


def _lower(text: str) -> str:
    """Lower case without a change of length."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _blank(text: str, spans: Iterator[tuple[int, int]], filler: str) -> str:
    for start, end in spans:
        text = text[:start] + filler * (end - start) + text[end:]
    return text


def _places(named: str, offset: int, names: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    for at, letter in enumerate(named):
        index = ord(letter) - offset
        if 0 <= index < len(names) and index < MOST_NAMES:
            yield at, names[index]


def _worded(found: re.Match[str]) -> str:
    name = found[0]
    if name in _COLUMNS:
        return _COLUMNS[name]
    return _WORDED.get(name, name.replace("_", " ")) if name in _SNAKES else name


def _masked(text: str, name: str, mark: str, *, plural: bool = False) -> str:
    """Replace a name: in quotation marks whatever it is, bare only where it can be read as nothing but a name.

    A name that could pass for a number or a clause is never taken bare, and one that is a common word only where a
    name stands: before "cache" or an 's, or after "cache" or a preposition.
    """
    for form in dict.fromkeys((plain(name).replace("\n", " "), plain(neutral_name(name)))):
        if not form:
            continue
        shape = re.escape(form)
        text = re.sub(rf"[“”'‘]{shape}[”“'’]", mark, text, flags=re.IGNORECASE)
        if " " in form:
            words = form.split()
            bare = all(map(_TIDY.fullmatch, words)) and not all(is_word(word.lower()) for word in words)
            text = re.sub(rf"(?<![\w./:-]){shape}(?![\w/-])", mark, text) if bare else text
        elif not _TIDY.fullmatch(form):
            continue
        elif is_word(form.lower()):
            for place in (
                rf"(?<![\w-]){shape}(?=(?: cache| implementation)\b|'s\b|'(?= ))",
                rf"(?<=\bcache ){shape}(?![\w-])",
                rf"(?:(?<=\bof )|(?<=\bin )|(?<=\bon )|(?<=\bfor )|(?<=\bfrom )|(?<=\bby )){shape}(?={_NAME_ENDS})",
                rf"^{shape}(?=:| {_NAME_VERB})",
            ):
                text = re.sub(place, mark, text, flags=re.IGNORECASE)
        else:
            shape += "s?" if plural else ""
            text = re.sub(rf"(?<![\w./:-]){shape}(?![\w/-]|\.\w|:\w)", mark, text, flags=re.IGNORECASE)
    return text
