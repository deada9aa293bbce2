"""Whether each thing that a sentence says moved did, the way it says, and whether what it says stayed did stay."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.catalogue import named_causes
from auditor.explanation.grounding.context import following, preceding, subjects_of
from auditor.explanation.grounding.directions import (
    IDLE,
    LEVELS,
    MOVED,
    MOVES,
    NEGATION,
    NEITHER,
    NOUNS,
    RETURNED,
    STILL,
)
from auditor.explanation.grounding.subjects import JUDGED, LATENCIES, Mention, kin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.reading import Reading

_OF: Final = r"\s+(?:in|of|to)\s+(?:both |the |its |their |this |[\ue000-\uf8ff]'s |all |average |cache |cache's )*(?=§)"
_AFTER_NOUN: Final = re.compile(_OF)
_AFTER_SHAPE: Final = re.compile(r"\s+(?:the |its |average |cache |overall )*(?=§)")
_CACHE_LEFT: Final = re.compile(
    r"\b(?:cache|[\ue000-\uf8ff])(?: itself|'s|n't| hasn't| didn't| isn't| not| that| which| then| also| has| had| have| was| is| almost| nearly| now| even| \w+ly)*\s*$|\bit(?: then| also| has| had| even| \w+ly)*\s*$"
)
_SIZED: Final = re.compile(r"gr[eo]w|shr[aiu]nk|larger|bigger|smaller|swell|swoll|balloon|contract")
_LATER: Final = re.compile(r"[^,;:§]*?\b(?:in|for|of|on)\s+(?:the |its |[\ue000-\uf8ff]'s |cache )*(?=§)")
_OTHER_NOUN: Final = re.compile(
    r"\s+(?!than\b|or\b|and\b|of\b|the\b|by\b|in\b|at\b|to\b|from\b|since\b|for\b|with\b|again\b|while\b|but\b|as\b|that\b|sharply\b|only\b|about\b|after\b|on\b|its\b|what\b|now\b|too\b|normal\b|usual\b|expect|during\b|roughly\b|is\b|was\b|are\b|were\b|a\b|an\b|up\b|below\b|above\b|compared\b|over\b|when\b|because\b|so\b|also\b|further\b|considerably\b|significantly\b|nearly\b|almost\b|some\b|around\b|well\b|far\b|much\b|between\b|out\b|within\b|until\b|it\b|where\b|which\b|against\b|beyond\b)[a-z]{3,}"
)
_SHAPES: Final = re.compile(
    r"(?:lower|reduced|fewer|less|smaller|higher|more|larger|bigger|elevated|added|extra|longer|shorter|slower|slow|faster|fast|raised|lost|increased|decreased|growing|rising|falling|shrinking|diminished)$"
)
_WOULD: Final = re.compile(
    r"\b(?:would|if|whether|unless|should|could have|might have|were it|had it|expects?|predicts?|suppose|or whether)\b"
)
_NEUTRAL: Final = frozenset({"throughput", "cache_size", "validity", "lookups", "sets", ""})
"""Subjects for which neither way is better."""
_SHARE: Final = re.compile(
    r"% of (?:all |the )?(?:lookups|requests)\b[^,;.]{0,16}?\b(?:(?P<miss>miss(?:es|ed)?)|hits?)\b"
)
_EMPTY: Final = re.compile(r"\b(?:empty|emptied|half-empty)\b")
_OTHER_LEVEL: Final = re.compile(
    r"\b(?:confidence|risk|impact|severity|likelihood|cost|probability|certainty|priority|urgency|chance|number)\b"
)
_UNUSUAL_NOUN: Final = re.compile(r" (?:minute|moment|window|value|reading|pattern|level)")
_NORMAL_NUMBER: Final = re.compile(r"[\d%] (?:\w+ ){0,3}$|\b(?:what|than|where) (?:\w+ ){0,2}$")
_NO_LONGER: Final = re.compile(r"\b(?:not|no longer|never|n't)\s+(?:\w+ )?$")
_PAST_TENSE: Final = re.compile(
    r"(?:fell|fallen|dropped|rose|risen|climbed|increased|decreased|declined|jumped|surged|spiked|doubled|tripled|halved|collapsed|plunged|shrank|shrunk|grew|grown|soared|sank)\b"
)
_IMPROVED: Final = re.compile(
    r"\b(?:improv(?:e[sd]?|ing)|better)\b(?! (?:understand|to|than nothing|look|idea))"
)
_WORSENED: Final = re.compile(r"\b(?:worsen(?:s|ed|ing)?|worse|degrad(?:e[sd]?|ing|ation)|deteriorat\w+)\b")
_RETURNED: Final = re.compile(
    r"\b(?:return(?:s|ed|ing)?|back|recover(?:s|ed|ing)?|restored?|climb\w* back|reverted)\b(?:\W+\w+){0,2}\W*$"
)
_NO_DENIAL: Final = re.compile(
    r"\b(?:sudden|abrupt|sharp|gradual|slow|steep|brief|short) $|\bnot only\b|\b(?:not known|unknown|unclear|not clear)\b.*\b(?:why|what|how)\b"
)
_EXTRA_CALLS: Final = re.compile(r"(?:extra|additional|added|more) [\d,.]+k? (?:backend |origin )?calls\b")
_ITSELF: Final = re.compile(
    r"^\s*(?:the |this |that )?(?:drop|fall|rise|increase|decrease|change|decline|value|it|this)\b[^§]*$"
)
_STILL_NOUN: Final = re.compile(r"\s*(?::|in|of|for)?\s*(?:the |its |both |average |cache )*(?=§)")


@dataclass(frozen=True, slots=True)
class Movement:
    """One word of movement: which way, of which subjects, and whether it is denied or supposed."""

    at: int
    did: str
    subjects: tuple[str, ...]
    denied: bool
    supposed: bool


def movements(reading: Reading) -> Iterator[Movement]:
    """Every movement that a sentence speaks of."""
    low = reading.low
    idle = [(found.start(), found.end()) for pattern in (IDLE, NEITHER) for found in pattern.finditer(low)]
    spans = [*idle, *((one.start, one.end) for one in reading.quantities if one.unit != "times")]
    spans += [(one.start, one.end) for one in named_causes(reading.spoken)]
    still = [(found.start(), found.end()) for found in STILL.finditer(low)]
    for found in MOVES.finditer(low):
        if any(start <= found.start() < end for start, end in (*spans, *still)):
            continue
        did = found.lastgroup or ""
        subjects = _whose(reading, found)
        if subjects is None:
            continue
        clause = _clause(low, found.start())
        denied = NEGATION.search(clause) is not None and not _NO_DENIAL.search(clause)
        yield Movement(found.start(), did, subjects, denied, _supposed(clause))
    for found in LEVELS.finditer(low):
        if not _OTHER_LEVEL.search(low[max(0, found.start() - 30) : found.start()]):
            clause = _clause(low, found.start())
            denied = NEGATION.search(clause) is not None
            yield Movement(
                found.start(),
                found.lastgroup or "",
                subjects_of(preceding(reading, found.start())),
                denied,
                _supposed(clause),
            )


def _clause(low: str, at: int) -> str:
    return re.split(r"[;:,]| but | while | whereas | although | though | because | and (?=§)", low[:at])[-1]


def _supposed(clause: str) -> bool:
    return _WOULD.search(clause) is not None


def _whose(reading: Reading, found: re.Match[str]) -> tuple[str, ...] | None:
    """The subjects of a word of movement; None where it belongs to a noun that is no subject."""
    low, word = reading.low, found[0]
    if re.fullmatch(NOUNS, word) and (match := _AFTER_NOUN.match(low, found.end())):
        return subjects_of(following(reading, match.end()))
    if _SHAPES.search(word):
        if match := _AFTER_SHAPE.match(low, found.end()):
            return subjects_of(following(reading, match.end()))
        if _OTHER_NOUN.match(low, found.end()):
            return ("cache_size",) if re.match(r"\s+(?:entries|items)\b", low[found.end() :]) else None
    return _before(reading, found)


def _before(reading: Reading, found: re.Match[str]) -> tuple[str, ...]:
    """The subjects that a verb is about: those before it, unless it counts something itself, else those after it."""
    if _EXTRA_CALLS.match(reading.spoken, found.start()):
        return ("backend_calls",)
    if any(
        one.unit == "calls" and not reading.low[one.end : found.start()].strip() for one in reading.quantities
    ):
        return ("backend_calls",)
    before = preceding(reading, found.start())
    counted = _counted(reading, found)
    if counted and (not before or _CACHE_LEFT.search(reading.low[before[-1].end : found.start()])):
        return counted
    if not before and (match := _LATER.match(reading.low, found.end())):
        return subjects_of(following(reading, match.end()))
    if subjects_of(before) == ("lookups",) and (share := _SHARE.search(reading.spoken)):
        return ("miss_rate",) if share["miss"] else ("hit_rate",)
    return subjects_of(before)


def _counted(reading: Reading, found: re.Match[str]) -> tuple[str, ...]:
    """What moved, where its unit says so, or where it is the cache that grows or shrinks: it grew to 1,310 entries."""
    if _CACHE_LEFT.search(reading.low[: found.start()]) and _SIZED.match(found[0]):
        return ("cache_size",)
    after = next((one for one in reading.quantities if one.start >= found.end()), None)
    if after is None or not re.fullmatch(
        r"\s*(?:(?:to|by|from|again|back|only|about|around|roughly)\s*)*",
        reading.low[found.end() : after.start],
    ):
        return ()
    noun = after.unit.removesuffix("/min")
    return {"entr": ("cache_size",), "item": ("cache_size",), "evic": ("evictions",), "sets": ("sets",)}.get(
        noun[:4], ()
    )


def wrong_movements(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each movement, stillness or verdict on it that the brief does not bear out."""
    for move in movements(reading):
        advised = context.field == "step" and not _PAST_TENSE.match(reading.low, move.at)
        if not advised and not _moved_so(move, reading, context):
            said = {"down": "down", "up": "up", "slower": "slower", "faster": "faster"}[move.did]
            yield f"{_named(move.subjects)} did not go {said} in the evidence"
    for found in _EMPTY.finditer(reading.low):
        clause, dids = (
            _clause(reading.low, found.start()),
            context.facts.did(context.cache_at(reading, found.start()), ("cache_size",)),
        )
        if (
            not NEGATION.search(clause)
            and not _supposed(clause)
            and context.field != "step"
            and "down" not in dids
        ):
            yield "the cache is not empty in the evidence"
    yield from _wrong_stillness(reading, context)
    yield from _wrong_returns(reading, context)
    yield from _wrong_verdicts(reading, context)


def _named(subjects: tuple[str, ...]) -> str:
    return " and ".join(subject.replace("_", " ") for subject in subjects) or "it"


def _moved_so(move: Movement, reading: Reading, context: Context) -> bool:
    cache = context.cache_at(reading, move.at)
    if move.did in {"slower", "faster"}:
        way = "up" if move.did == "slower" else "down"
        if re.match(r"fast(?!er)", reading.low[move.at :]):  # how they are, not how they have changed
            return "up" not in context.facts.did(cache, _latencies(move))
        return _slowed(move, way, cache, context)
    subjects = move.subjects or _carried(context)
    if move.supposed:
        return all(_may_suppose(context, subject, move.did) for subject in subjects)
    if not subjects:
        return True
    shared = context.facts.did(cache, ("any",))
    results = [_one_moved(context, cache, subject, move, shared) for subject in subjects]
    return all(results) if move.subjects else any(results)


def _one_moved(context: Context, cache: str, subject: str, move: Movement, _shared: set[str]) -> bool:
    dids = context.facts.did(cache, kin(subject))
    if move.denied:
        return move.did not in dids and (bool(dids) or subject not in JUDGED)
    return move.did in dids


def _carried(context: Context) -> tuple[str, ...]:
    return (
        tuple(dict.fromkeys((*context.carried, context.facts.lead)))
        if context.facts.lead
        else context.carried
    )


def _latencies(move: Movement) -> tuple[str, ...]:
    """The response times that a word of speed is about; any where none is named."""
    about = {"hits": ("hit_latency",), "misses": ("miss_latency",), "lookups": LATENCIES}
    named = (name for subject in move.subjects for name in about.get(subject, kin(subject)))
    return tuple(name for name in named if name in LATENCIES) or LATENCIES


def _slowed(move: Movement, way: str, cache: str, context: Context) -> bool:
    names = _latencies(move)
    if move.supposed:
        return all(_may_suppose(context, name, way) for name in names)
    dids = context.facts.did(cache, names)
    if move.denied:
        return way not in dids
    return way in dids or (not dids and not move.subjects)


def _may_suppose(context: Context, subject: str, did: str) -> bool:
    """What a cause would have shown may not be turned round; what the evidence says nothing of may be supposed."""
    told = context.facts.did("would", kin(subject))
    return did in told or not told


def _wrong_stillness(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each subject that is said to have stayed and did not, or to be unusual and is not."""
    neither = []
    for found in NEITHER.finditer(reading.low):
        neither.append((found.start(), found.end()))
        inside = [one for one in reading.subjects if found.start("these") <= one.start < found.end("these")]
        yield from _not_so(tuple(inside), found.start(), "same", reading, context)
    for pattern, wanted in ((STILL, "same"), (MOVED, "moved")):
        for found in pattern.finditer(reading.low):
            if not any(start <= found.start() < end for start, end in neither) and _is_claim(
                reading, found, wanted
            ):
                yield from _not_so(_still_mentions(reading, found), found.start(), wanted, reading, context)
                if wanted == "same" and _ITSELF.match(reading.low[: found.start()]):
                    lead = (Mention(found.start(), found.start(), context.facts.lead),)
                    yield from _not_so(lead, found.start(), wanted, reading, context)


def _is_claim(reading: Reading, found: re.Match[str], wanted: str) -> bool:
    """Whether words of stillness or of the unusual say how a subject is, and not what is normal, or would be."""
    low, at = reading.low, found.start()
    if wanted == "moved" and _UNUSUAL_NOUN.match(low, found.end()):
        return False
    clause = _clause(low, at)
    if _RETURNED.search(clause) or _supposed(clause) or _after_factor(reading, at):
        return False
    ranged = re.match(r"(?:with)?in\b|inside\b", found[0]) is not None
    return ranged or _NORMAL_NUMBER.search(low[max(0, at - 24) : at]) is None


def _not_so(
    mentions: tuple[Mention, ...], at: int, wanted: str, reading: Reading, context: Context
) -> Iterator[str]:
    denied = _NO_LONGER.search(_clause(reading.low, at)) is not None
    cache = context.cache_at(reading, at)
    for mention in mentions:
        dids = context.facts.did(cache, kin(mention.subject))
        stood = "same" in dids if wanted == "same" else bool(dids & {"moved", "up", "down"})
        if stood is denied and not (denied and "moved" in dids):
            yield f"{_named((mention.subject,))} is not {'unchanged' if wanted == 'same' else 'unusual'} in the evidence"


def still_subjects(reading: Reading, found: re.Match[str]) -> tuple[str, ...]:
    """The subjects that words of stillness are said of."""
    return subjects_of(_still_mentions(reading, found))


def _still_mentions(reading: Reading, found: re.Match[str]) -> tuple[Mention, ...]:
    after = _STILL_NOUN.match(reading.low, found.end())
    own_clause = re.search(r"§[^;:.]*$", _clause_wide(reading.low, found.start()))
    if after is not None and (
        not own_clause or re.match(r"\s*(?::|in|of|for|§)", reading.low[found.end() :])
    ):
        return following(reading, after.end())
    return preceding(reading, found.start()) if own_clause else ()


def _wrong_returns(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each subject that is said to be back to normal and never left it."""
    for found in RETURNED.finditer(reading.low):
        cache = context.cache_at(reading, found.start())
        for subject in subjects_of(preceding(reading, found.start())) if context.field != "step" else ():
            if not context.facts.did(cache, kin(subject)) & {"moved", "up", "down"}:
                yield f"{_named((subject,))} never left its normal range in the evidence"


def _after_factor(reading: Reading, at: int) -> bool:
    """Whether a place follows a factor or a share: five times | as high as normal."""
    return any(
        one.unit in {"times", "share", "%"}
        and re.fullmatch(r"\s*(?:as \w+ )?(?:§+ )?", reading.low[one.end : at]) is not None
        for one in reading.quantities
        if one.end <= at
    )


def _clause_wide(low: str, at: int) -> str:
    return re.split(r"[;:]| but | while | whereas | although | though | because ", low[:at])[-1]


def _wrong_verdicts(reading: Reading, context: Context) -> Iterator[str]:
    """Better or worse: what is spoken of, or else the leading metric, must have gone the way that is good or bad for it."""
    if context.field == "step":
        return
    for pattern, better in ((_IMPROVED, True), (_WORSENED, False)):
        for found in pattern.finditer(reading.low):
            clause = _clause(reading.low, found.start())
            if _supposed(clause) or NEGATION.search(clause):
                continue
            cache = context.cache_at(reading, found.start())
            for subject in subjects_of(preceding(reading, found.start())) or (context.facts.lead,):
                if subject not in _NEUTRAL and _way_of(subject, better=better) not in context.facts.did(
                    cache, kin(subject)
                ):
                    yield f"{_named((subject,))} got neither better nor worse the way it is said"


def _way_of(subject: str, *, better: bool) -> str:
    """The way that is better, or worse, for a subject: up for hits, down for all else."""
    return "up" if (subject in {"hit_rate", "hits"}) is better else "down"


def unknown_subjects(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each metric that the brief does not hold."""
    if context.field == "step":
        return
    facts = context.facts
    held = (
        {subject for _, subject in facts.directions}
        | {fact.subject for fact in facts.numbers}
        | set(facts.hours)
    )
    for mention in reading.subjects:
        if mention.subject in JUDGED and not held & set(kin(mention.subject)):
            yield f"there is nothing about the {mention.subject.replace('_', ' ')} in the evidence"
