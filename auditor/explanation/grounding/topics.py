"""Which subjects a number is about: by its unit, by the words beside it, or by what was spoken of before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.context import following, preceding, subjects_of
from auditor.explanation.grounding.directions import NOUNS
from auditor.explanation.grounding.subjects import SHARE_OF

if TYPE_CHECKING:
    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.quantities import Quantity
    from auditor.explanation.grounding.reading import Reading

NOUN_SUBJECTS: Final = {
    "entr": ("cache_size",), "item": ("cache_size",), "keys": ("cache_size",),
    "oper": ("throughput", "n", "lookups"), "ops": ("throughput", "n", "lookups"), "requ": ("throughput", "n", "lookups"), "quer": ("throughput", "n", "lookups"),
    "look": ("lookups", "throughput", "n"), "gets": ("lookups", "throughput", "n"), "read": ("lookups", "throughput", "n"),
    "hits": ("hits",), "miss": ("misses",), "sets": ("sets",), "writ": ("sets",), "evic": ("evictions",), "erro": ("errors",), "fail": ("errors",),
    "call": ("calls", "backend_calls"), "wind": ("baseline", "duration", "coverage", "flagged"), "samp": ("baseline", "n"), "data": ("baseline",),
}  # fmt: skip

_MISSING: Final = re.compile(r"\b(?:lookups|requests|gets|reads)\b[^,;.]{0,16}\bmiss(?:es|ed)?\b")
_OF_ENTRIES: Final = re.compile(
    r"\s*of (?:its|the|all|their)(?: own| cached| stored)? (?:entries|items|contents?|size)\b"
)
ADJOINED: Final = re.compile(
    rf"^\s*(?:(?:of (?:the |its |their )?(?:usual |normal |expected |former |previous )|more|further|extra|additional|surplus|unnecessary|avoidable|excess|added|fewer|less|lower|higher|slower|of (?:all |the )?|(?:{NOUNS}) (?:in|of) (?:the |its |their |[\ue000-\uf8ff]'s )?)\s*)?(?=§)"
)


def topics(reading: Reading, index: int, one: Quantity, context: Context) -> tuple[str, ...]:
    """The subjects that a number may be about, the nearest first."""
    noun = one.unit.removesuffix("/min")
    if noun and noun not in {"%", "pt", "time", "share", "times"}:
        return NOUN_SUBJECTS.get(noun[:4], (noun,))
    if _OF_ENTRIES.match(reading.spoken, one.end):
        return ("cache_size",)
    beside = ADJOINED.match(reading.low[one.end :])
    if beside is not None:
        named: tuple[str, ...] = subjects_of(following(reading, one.end))[:1]
        if not one.unit and named == ("lookups",):
            named = NOUN_SUBJECTS["look"]
    else:
        group = preceding(reading, one.start)
        named = (
            _respective(reading, index, group)
            or subjects_of(group)
            or subjects_of(following(reading, one.end)[:1])
        )
    implied = _implied(reading, one)
    if implied and (not named or beside is None):
        named = (*implied, *named)
    if not named:
        named = tuple(dict.fromkeys((*context.carried, context.facts.lead)))
    if one.unit in {"%", "share"} and "lookups" in named and _MISSING.search(reading.spoken):
        return ("miss_rate",)
    if one.unit in {"%", "share", ""}:
        named = tuple(dict.fromkeys((*named, *(SHARE_OF[name] for name in named if name in SHARE_OF))))
    if one.is_time:
        named = (
            *named,
            *({"hits": "hit_latency", "misses": "miss_latency"}.get(name, name) for name in named),
        )
    return named


def _implied(reading: Reading, one: Quantity) -> tuple[str, ...]:
    """The subject of a counted number beside a bare one: 4,100 entries, a quarter of its usual 16,400."""
    for other in reversed(reading.quantities):
        noun = other.unit.removesuffix("/min")
        if other.end <= one.start and noun and noun[:4] in NOUN_SUBJECTS:
            between = reading.low[other.end : one.start]
            return () if "§" in between or ";" in between else NOUN_SUBJECTS[noun[:4]]
    sized = re.search(
        r"\bcache (?:has |had |have |was |is |\w+ly )*(?:shr\w+|gr[eo]w\w*|emptied)\b[^§;]*$",
        reading.low[: one.start],
    )
    return ("cache_size",) if sized else ()


def _respective(reading: Reading, index: int, group: tuple[object, ...]) -> tuple[str, ...]:
    """Of as many numbers as subjects, "A and B … 1 and 2", each to its own."""
    run = [index]
    while run[0] > 0 and _listed(reading, run[0] - 1):
        run.insert(0, run[0] - 1)
    while run[-1] + 1 < len(reading.quantities) and _listed(reading, run[-1]):
        run.append(run[-1] + 1)
    mentions = preceding(reading, reading.quantities[run[0]].start)
    if len(group) < 2 or len(run) != len(mentions):
        return ()
    return (mentions[run.index(index)].subject,)


def _listed(reading: Reading, index: int) -> bool:
    one, after = reading.quantities[index], reading.quantities[index + 1]
    return re.fullmatch(r"\s*(?:,|and|,\s*and|/)\s*", reading.low[one.end : after.start]) is not None
