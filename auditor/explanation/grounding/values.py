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
    reading, index, one, context, cache = spot.reading, spot.index, spot.one, spot.context, spot.cache
    role = reading.roles[index]
    if _misfits(reading, one, role):
        return False
    subjects = topics(reading, index, one, context)
    roles = set(_ROLES[role])
    if role is Role.OPEN and _leads(reading, index):
        roles = {"now", "effect", "ratio"} if one.unit == "share" else {"now"}
    if role is Role.NOW and re.search(
        r"\b(?:bottom|low point|lowest|worst|peak|trough|further|later|eventually)", reading.low[one.end :]
    ):
        roles |= {"first"}
    if role in {Role.EXPECTED, Role.LOWER, Role.UPPER} and one.hedge is not Hedge.NONE:
        roles |= {"expected", "lower", "upper"} if one.hedge is not Hedge.ABOUT else set()
    if one.unit == "share" and role in {Role.EFFECT, Role.NOW}:
        roles |= {"ratio"}
    if one.unit == "share" and _OF_LOOKUPS.match(reading.spoken, one.end):
        roles -= {"ratio", "effect"}
    if one.unit == "%" and role is Role.RATIO:
        roles = {"ratio"}
    named = tuple(name for subject in subjects for name in kin(subject))
    if (
        "n" in subjects
        and role in {Role.OPEN, Role.NOW, Role.EFFECT}
        and any_agrees(one, facts_about(context, cache, ("n",)))
    ):
        return True
    if any_agrees(one, facts_about(context, cache, named, roles)):
        return True
    return _in_the_hour(reading, one, context, named)


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
