"""Numbers that are a value of a metric, in the part that the sentence gives them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.context import preceding
from auditor.explanation.grounding.facts import OWN, Fact
from auditor.explanation.grounding.matching import agrees, any_agrees, facts_about
from auditor.explanation.grounding.roles import Role
from auditor.explanation.grounding.rounding import Hedge
from auditor.explanation.grounding.subjects import kin
from auditor.explanation.grounding.topics import NOUN_SUBJECTS, topics

if TYPE_CHECKING:
    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.quantities import Quantity
    from auditor.explanation.grounding.reading import Reading
    from auditor.explanation.grounding.spot import Spot

_LOWEST: Final = re.compile(r"\b(?:bottom|low point|lowest|worst|peak|trough|further|later|eventually)")
_OF_LOOKUPS: Final = re.compile(r"\s*(?:of (?:all |the |its )?)?(?:lookups|requests|operations|gets|reads)\b")

_COUNTED: Final = frozenset(
    {"throughput", "lookups", "hits", "misses", "sets", "evictions", "errors", "backend_calls", "silence"}
)

_ANOTHER: Final = re.compile(
    r";|\b(?:while|because|cache|entries|keys|sets|lookups|traffic|requests|with|in a minute|minutes?|on|over|across|among|from a total|after|holds|held|it)\b"
)

_ROLES: Final = {
    Role.NOW: {"now"},
    Role.EXPECTED: {"expected"},
    Role.FROM: {"expected", "first"},
    Role.FIRST: {"first"},
    Role.LOWER: {"lower"},
    Role.UPPER: {"upper"},
    Role.EFFECT: {"effect"},
    Role.RATIO: {"ratio", "inverse"},
    Role.OPEN: {"now", "expected", "effect", "ratio"},
}


def metric_value(spot: Spot) -> bool:
    """Whether the brief holds a number as a value of what the sentence speaks of."""
    reading, one, context = spot.reading, spot.one, spot.context
    role = reading.roles[spot.index]
    if _misfits(reading, one, role):
        return False
    subjects = topics(reading, spot.index, one, context)
    operations = "n" in subjects and role in {Role.OPEN, Role.NOW, Role.EFFECT}
    if operations and any_agrees(one, facts_about(context, spot.cache, ("n",))):
        return True
    named = tuple(name for subject in subjects for name in kin(subject))
    if any_agrees(one, facts_about(context, spot.cache, named, _parts(spot, role))):
        return True
    return _in_the_hour(reading, one, context, named)


def _parts(spot: Spot, role: Role) -> set[str]:
    """The parts of facts that a number may stand for, given the part that the sentence gives it."""
    one, rest = spot.one, spot.reading.low[spot.one.end :]
    if one.unit == "%" and role is Role.RATIO:
        return {"ratio"}
    parts = {"now"} if role is Role.OPEN and _leads(spot.reading, spot.index) else set(_ROLES[role])
    if role is Role.NOW and _LOWEST.search(rest):
        parts |= {"first"}
    advised = spot.context.field == "step" and role is Role.NOW
    bounded = role in {Role.EXPECTED, Role.LOWER, Role.UPPER} and one.hedge not in {Hedge.NONE, Hedge.ABOUT}
    if advised or bounded:
        parts |= {"expected", "lower", "upper"}
    if one.unit == "share":
        parts = _shares(parts, role, of_lookups=_OF_LOOKUPS.match(spot.reading.spoken, one.end) is not None)
    return parts


def _shares(parts: set[str], role: Role, *, of_lookups: bool) -> set[str]:
    """The parts of a fraction in words: of lookups it is a rate, else it may be a ratio or a relative distance too."""
    if of_lookups:
        return parts - {"ratio", "effect"}
    if role in {Role.OPEN, Role.NOW, Role.EFFECT}:
        return (
            parts
            | (set() if role is Role.EFFECT else {"ratio"})
            | ({"effect"} if role is Role.OPEN else set())
        )
    return parts


def _misfits(reading: Reading, one: Quantity, role: Role) -> bool:
    """Whether a count of things is given as the value of a rate or a time: "the hit rate fell to 12 entries"."""
    noun = one.unit.removesuffix("/min")
    if one.unit in {"%", "pt", "time", "share", "times", ""}:
        return False
    near = preceding(reading, one.start)
    if not near or noun == "calls":
        return False
    between = re.sub(
        r"(?:of|in|for) (?:the )?[\ue000-\uf8ff](?: cache)?", "", reading.spoken[near[-1].end : one.start]
    )
    if _ANOTHER.search(between) or (
        role is Role.OPEN and not re.fullmatch(r"(?: (?:of|is|was)|:) +(?:about |around )?", between)
    ):
        return False
    allowed = {name for mention in near for name in kin(mention.subject)} | {
        mention.subject for mention in near
    }
    return not allowed & set(
        NOUN_SUBJECTS.get(noun[:4], (noun,) if noun else (*allowed,))
        if noun or near[-1].subject in _COUNTED
        else ()
    )


def _leads(reading: Reading, index: int) -> bool:
    """Whether a number without a part is the first of its sentence, and no other is said to be what is now."""
    return index == 0 and Role.NOW not in reading.roles


def _in_the_hour(reading: Reading, one: Quantity, context: Context, subjects: tuple[str, ...]) -> bool:
    """A value of the hour around the incident, at a time that the sentence names."""
    facts = context.facts
    if facts.hour_from is None:
        return False
    for moment in reading.moments:
        if moment.minute is None:
            continue
        start = facts.hour_from.hour * 60 + facts.hour_from.minute
        step = ((moment.minute - start) % 1440) // facts.hour_step
        for subject in subjects:
            column = facts.hours.get(subject, [])
            if (
                step < len(column)
                and math.isfinite(column[step])
                and agrees(one, _hour_fact(facts.numbers, subject, column[step]))
            ):
                context.grid = True
                return True
    return False


def _hour_fact(numbers: list[Fact], subject: str, value: float) -> Fact:
    like = next((fact for fact in numbers if fact.subject == subject and fact.role == "now"), None)
    if like is None:
        unit = (
            "%"
            if subject.endswith("_rate")
            else "time"
            if subject.endswith("_ms") or "latency" in subject
            else "count"
        )
        return Fact(
            subject,
            "hour",
            value * (1e-3 if unit == "time" else 1.0),
            unit,
            OWN,
            1e-3 if unit == "time" else 1.0,
        )
    return Fact(subject, "hour", value * like.native, like.unit, OWN, like.native)
