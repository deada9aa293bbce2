"""The facts that stand in the brief's own sentences: what speaks for and against each cause, and what would refute it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auditor.explanation.grounding.context import Context, subjects_of
from auditor.explanation.grounding.digest_facts import facts_of_digest
from auditor.explanation.grounding.directions import STILL
from auditor.explanation.grounding.facts import Fact, Facts, facts_of_incident, items, mapping
from auditor.explanation.grounding.movements import movements, still_subjects
from auditor.explanation.grounding.prose import plain, sentences
from auditor.explanation.grounding.reading import Reading, read
from auditor.explanation.grounding.roles import Role
from auditor.explanation.grounding.subjects import LATENCIES
from auditor.explanation.grounding.topics import topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.explanation.brief import Brief
    from auditor.explanation.grounding.quantities import Quantity

DIGEST: Final = "daily_digest"
_UNITS: Final = {"%": "%", "pt": "pt", "time": "time", "share": "share", "times": "times", "": "count"}
_SLOWED: Final = {"hits": "hit_latency", "misses": "miss_latency"}


def facts_of(brief: Brief) -> Facts:
    """All the facts of a brief.

    The text of errors, keys and the names of caches and error types is untrusted: it is never read for facts, and of
    it only the names may be repeated.
    """
    if brief.purpose == DIGEST:
        return facts_of_digest(brief.data)
    facts = facts_of_incident(brief.data)
    for part in items(brief.data.get("causes")):
        cause = mapping(part)
        for text in (*items(cause.get("for")), *items(cause.get("against"))):
            _tell(facts, str(text), facts.cache)
        for text in (*items(cause.get("for")), *items(cause.get("against")), cause.get("refute", "")):
            facts.own.update(one.lower() for one in sentences(plain(str(text))))
        _spans_of(facts, str(cause.get("refute", "")))
    facts.own.update(_template_of(facts, brief.data))
    for part in items(brief.data.get("others")):
        other: Any = mapping(part)
        title = str(other.get("title", "")).partition(": ")[2]
        _tell(facts, title, str(other.get("cache", "")))
    return facts


def _template_of(facts: Facts, data: Mapping[str, Any]) -> set[str]:
    """Sentences of the auditor's own text that follow from the state alone, in lower case."""
    traffic = {mapping(one).get("metric") for one in items(data.get("metrics"))} == {"throughput"}
    info = facts.severities.get(facts.cache) == {"info"}
    return {
        text
        for text, holds in (
            ("nothing has to be done tonight.", info and facts.status == "open"),
            ("no known cause fits what moved.", next(iter(facts.ranks), "unknown") == "unknown"),
            ("no fault of the cache is behind it.", traffic),
            (
                "it is over; what follows helps to find out why and to keep it from coming back.",
                facts.status == "resolved",
            ),
        )
        if holds
    }


def _tell(facts: Facts, text: str, cache: str) -> None:
    context = Context(facts, "told", "", cache=cache)
    for sentence in sentences(plain(text)):
        facts.trusted.append(sentence.lower())
        stated, _, supposed = sentence.partition("; ")
        for part in (stated, supposed) if supposed and " would show " not in supposed else (stated,):
            _state(facts, read(part, (cache,) if cache else ()), context)
        if " would show " in supposed:
            for move in movements(read(supposed.partition(" would show ")[2], ())):
                for subject in move.subjects:
                    facts.say("would", _of_latency(subject, move.did), _way(move.did))


def _way(did: str) -> str:
    return {"slower": "up", "faster": "down"}.get(did, did)


def _spans_of(facts: Facts, text: str) -> None:
    """The spans of time in a check that would refute a cause: the only numbers there."""
    for sentence in sentences(plain(text)):
        facts.trusted.append(sentence.lower())
        for one in read(sentence, ()).quantities:
            if one.is_time:
                facts.add("told span", "", one.number.value, "time")


def _state(facts: Facts, reading: Reading, context: Context) -> None:
    known = len(facts.numbers)
    for index, one in enumerate(reading.quantities):
        _add(facts, reading, index, one, context)
    _compare(facts, facts.numbers[known:])
    for move in movements(reading):
        for subject in move.subjects if not (move.denied or move.supposed) else ():
            facts.say(context.cache, _of_latency(subject, move.did), _way(move.did))
    for found in STILL.finditer(reading.low):
        for subject in still_subjects(reading, found):
            facts.say(context.cache, subject, "same")
    if "slowed about alike" in reading.text:
        for name in LATENCIES[:3]:
            facts.say(context.cache, name, "up")


def _of_latency(subject: str, did: str) -> str:
    """What got slower or faster is the time that hits or misses take."""
    return _SLOWED.get(subject, subject) if did in {"slower", "faster"} else subject


def _compare(facts: Facts, stated: list[Fact]) -> None:
    """Add the ratio and the distance of what is to what was expected, where one sentence states both."""
    for now in stated:
        for expected in stated:
            pair = (now.subject, now.role, expected.role, now.unit) == (
                expected.subject,
                "now",
                "expected",
                expected.unit,
            )
            if not pair or expected.value <= 0.0:
                continue
            ratio, unit = now.value / expected.value, "pt" if now.unit == "%" else now.unit
            facts.add(now.subject, "ratio", ratio, "times", cache=now.cache)
            facts.add(now.subject, "effect", 100.0 * (ratio - 1.0), "%", cache=now.cache)
            facts.add(
                now.subject, "effect", now.value - expected.value, unit, cache=now.cache, native=now.native
            )


def _add(facts: Facts, reading: Reading, index: int, one: Quantity, context: Context) -> None:
    role, cache = reading.roles[index], context.cache
    named = topics(reading, index, one, context)
    if one.is_time and one.number.value >= 60.0 and not subjects_of(reading.subjects):
        facts.add("told span", "", one.number.value, "time")
    unit = _UNITS.get(one.unit, "count")
    value, part = (
        one.number.value,
        {Role.OPEN: "now", Role.FROM: "expected", Role.RATIO: "ratio"}.get(role, str(role)),
    )
    if unit == "%" and role is Role.RATIO:
        unit, value = "times", value / 100.0
    for subject in named if named != (facts.lead,) or reading.subjects else ():
        if subject != "n":
            facts.add(subject, part, value, unit, cache=cache, native=1e-3 if unit == "time" else 1.0)
