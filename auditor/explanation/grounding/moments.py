"""Whether each moment that a sentence names is one of the brief's, in the part that it is said to have."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.subjects import kin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.instants import Instant
    from auditor.explanation.grounding.reading import Reading

_ENDED: Final = re.compile(
    r"\b(?:until|till|ended|ending|ends?|resolved|over|recovered|closed|finished|stopped|back to normal|cleared up|settled|up to|through|thru)\b(?:\s+(?:at|on|by|around|about|it|was|the|just|after|shortly|before))*\s*$"
)
_AS_OF: Final = re.compile(
    r"\b(?:as of|by|now|still|latest|most recent|last (?:minute|window)|until|so far|up to)\b(?:\s+(?:at|on|about|around|the|is|was))*\s*$"
)
_BEGAN: Final = re.compile(
    r"\b(?:since|began|beginning|begun|started|starting|start|starts|begins|opened|onset|from|first|suddenly|sudden|triggered)\b(?:\s+(?:at|on|around|about|it|was|of|the|in|is|incident|just|shortly|after|suddenly|abruptly|minute))*[\s:(]*$"
)
_WORST: Final = re.compile(
    r"\b(?:worst|lowest|highest|peak(?:ed|ing|s)?|trough|bottom(?:ed)?|most unusual|extreme|minimum|maximum|low point|high point|nadir|deepest)\b"
)
_WORST_SO_FAR: Final = re.compile(
    r"\b(?:worst|lowest|highest|slowest|most unusual) (?:\w+ )?so far (?:is|was)\s*$"
)
_PAST: Final = re.compile(
    r"\b(?:previous(?:ly)?|earlier|past|last (?:incident|time|one)|similar|before|back then|precedent|once before|already|same (?:thing )?(?:happened|occurred))\b"
)
_MATTERED: Final = re.compile(
    r"\b(?:too small|large enough|pag(?:e[sd]?|ing)|matter(?:s|ed)?|alert(?:s|ed)?|alarm(?:s|ed)?)\b"
)
_ENDING: Final = frozenset({"ended", "as_of"})
_RANGE: Final = re.compile(r"^\s*(?:utc\s*)?(?:-|–|to|until|till|and)\s*(?:about |around )?$")


def wrong_moments(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each moment that is not the brief's."""
    facts = context.facts
    if facts.as_of is None:
        yield from (f"no time is known that {_written(reading, one)} could be" for one in reading.moments)
        return
    for index, one in enumerate(reading.moments):
        if one.wrong:
            yield one.wrong
            continue
        if context.field == "step" and one.minute is None and one.day is None:
            continue
        parts = _parts(reading, index, context)
        fits = any(one.may_be(moment, facts.as_of) for part, moment in facts.moments if part in parts)
        if not fits and not _on_the_grid(one, context):
            yield f"{_written(reading, one)} is not a moment of the evidence"


def _written(reading: Reading, one: Instant) -> str:
    return reading.named[one.start : one.end].strip()[:40]


def _parts(reading: Reading, index: int, context: Context) -> set[str]:
    """The parts that a moment may have by the words about it; any of the incident's where none says it."""
    low, one = reading.low, reading.moments[index]
    left = low[reading.moments[index - 1].end if index else 0 : one.start]
    if one.minute is None and one.day is None and (one.hours or one.shift is not None):
        return {"began", "ended", "as_of"} | ({"past"} if _PAST.search(low) else set())
    if _PAST.search(low):
        return {"past", *(_ENDING if _ENDED.search(left) else ("began",))}
    mattered = any(part == "mattered" for part, _ in context.facts.moments)
    if mattered and _MATTERED.search(low) and not _BEGAN.search(left):
        return {"mattered"}
    for pattern, parts in ((_BEGAN, {"began"}), (_AS_OF, _ENDING), (_ENDED, _ENDING)):
        if pattern.search(left) and not _WORST_SO_FAR.search(left):
            return set(parts) if not _ranged(reading, index) else _ranged(reading, index)
    if ranged := _ranged(reading, index):
        return ranged
    about = (re.split(r"[;,]", left)[-1], re.split(r"[;,]", low[one.end :])[0][:40])
    return (
        _worst(reading, context)
        if any(map(_WORST.search, about))
        else {"began", *_worst(reading, context), *_ENDING}
    )


def _ranged(reading: Reading, index: int) -> set[str]:
    """The part in a range, "10:32 to 10:45"; empty where there is none."""
    low, moments = reading.low, reading.moments
    for first, second, parts in ((index, index + 1, {"began"}), (index - 1, index, _ENDING)):
        if first < 0 or second >= len(moments):
            continue
        timed = moments[first].minute is not None and moments[second].minute is not None
        if timed and _RANGE.match(low[moments[first].end : moments[second].start]):
            return set(parts)
    return set()


def _worst(reading: Reading, context: Context) -> set[str]:
    """The worst minutes of the subjects that the sentence speaks of, or of the leading one where it speaks of none."""
    named = [
        name
        for mention in reading.subjects
        for name in (*kin(mention.subject), *({"miss_rate": ("hit_rate",)}.get(mention.subject, ())))
    ]
    return {f"worst {name}" for name in named or (context.facts.lead, *context.carried)}


def _on_the_grid(one: Instant, context: Context) -> bool:
    """A time of the hour around the incident, where a number of the sentence was found at it."""
    facts = context.facts
    if not context.grid or facts.hour_from is None or facts.as_of is None or one.minute is None:
        return False
    moment = facts.hour_from
    while moment <= facts.as_of:
        if one.may_be(moment, facts.as_of):
            return True
        moment += timedelta(minutes=1)
    return False
