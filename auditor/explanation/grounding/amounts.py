"""Whether each number of a sentence is one of the brief's, in the part and of the thing that it is said of."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.catalogue import named_causes
from auditor.explanation.grounding.context import following, preceding, subjects_of
from auditor.explanation.grounding.directions import NOUNS
from auditor.explanation.grounding.facts import OWN, Fact
from auditor.explanation.grounding.matching import agrees
from auditor.explanation.grounding.quantities import SECONDS
from auditor.explanation.grounding.roles import Role
from auditor.explanation.grounding.rounding import Hedge
from auditor.explanation.grounding.subjects import SHARE_OF, kin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.quantities import Quantity
    from auditor.explanation.grounding.reading import Reading

_NOUN_SUBJECTS: Final = {
    "entr": ("cache_size",), "item": ("cache_size",), "keys": ("cache_size",),
    "oper": ("throughput", "n", "lookups"), "ops": ("throughput", "n", "lookups"), "requ": ("throughput", "n", "lookups"), "quer": ("throughput", "n", "lookups"),
    "look": ("lookups", "throughput", "n"), "gets": ("lookups", "throughput", "n"), "read": ("lookups", "throughput", "n"),
    "hits": ("hits",), "miss": ("misses",), "sets": ("sets",), "writ": ("sets",), "evic": ("evictions",), "erro": ("errors",), "fail": ("errors",),
    "call": ("calls", "backend_calls"), "wind": ("baseline", "duration", "coverage", "flagged"), "samp": ("baseline", "n"), "data": ("baseline",),
}  # fmt: skip
_CONFIDENT: Final = re.compile(
    r"confiden|certain|\bsure\b|probab|likel|\bodds\b|weight|\bscore|credence|belief|\bposterior"
)
_RANKED: Final = re.compile(r"\b(?:explanation|candidate|hypothesis|rank(?:s|ed)?)\b")
_CHANCE: Final = re.compile(
    r"\b(?:once (?:in|every|per)|p[- ]?value|p\s*(?:=|of|is|below|about|at most|above|<|\(|:)|by chance|at random|random|by accident|one in|1 in|coincidence|odds|luck|accidental)"
)
_WAITING: Final = re.compile(
    r"\bwait(?:ing|ed|s)?\b|\badded (?:latency|delay|response|time)|extra (?:latency|delay|time|seconds)|additional (?:latency|delay|time|wait)|cumulative|latency added|\bdelays?\b|in total|time lost|lost time|added [\w ]*(?:requests|users)|accumulated|added up"
)
_COST: Final = re.compile(r"\b(?:cost(?:s|ing)?|spen[dt]|money|bill|price|expense)\b")
_BASELINE: Final = re.compile(
    r"\bbaseline\b|\blearn(?:ed|t|ing)\b|\btrained\b|\bhistory\b|\bmodel of\b|\bold\b|\brests on\b|\bbuilt on\b"
)
_AGED: Final = re.compile(
    r"\bold\b|\bage (?:of|is)\b|\bof history\b|\blearn(?:ed|t) (?:from|over|on|in)\b|\btrained (?:on|for|over)\b"
)
_PAST: Final = re.compile(
    r"\b(?:previous(?:ly)?|past incident|earlier incident|earlier one|last (?:incident|time|one)|similar|before that|back then|precedent|that (?:one|time|incident)|then lasted|past)\b"
)
_CREEP: Final = re.compile(r"\b(?:crept|creep|over|lead|build-?up|gradual|before|start|took)\b")
_TALLIES: Final = re.compile(
    r"^\s*(?:other |more |further |similar |past |previous |earlier |known |ranked |possible |candidate |different |unusual |affected |new |critical |open |resolved |related |of (?:these|them|the) )*(?P<what>metrics?|signals?|measures?|caches?|incidents?|causes?|explanations?|hypothes[ie]s|types?|kinds?|observations?|critical|warnings?|info|open|resolved|with no data|no_data|without data)\b"
)
_OF_LOOKUPS: Final = re.compile(r"\s*(?:of (?:all |the |its )?)?(?:lookups|requests|operations|gets|reads)\b")
_ONCE: Final = re.compile(r"\bonce (?:an?|every|per|each) (minute|hour|day|week|month|year)\b")
_COUNTED: Final = frozenset(
    {"throughput", "lookups", "hits", "misses", "sets", "evictions", "errors", "backend_calls", "silence"}
)
_ANOTHER: Final = re.compile(
    r";|\b(?:while|because|cache|entries|keys|sets|lookups|traffic|requests|with|in a minute|minutes?|on|over|across|among|from a total|after|holds|held|it)\b"
)
_OUTER: Final = re.compile(r"[;:]| while | whereas | but | although | though ")
_ADJOINED: Final = re.compile(
    rf"^\s*(?:(?:of (?:the |its |their )?(?:usual |normal |expected |former |previous )|more|further|extra|additional|surplus|unnecessary|avoidable|excess|added|fewer|less|lower|higher|slower|of (?:all |the )?|(?:{NOUNS}) (?:in|of) (?:the |its |their |[\ue000-\uf8ff]'s )?)\s*)?(?=§)"
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


def wrong_amounts(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each number that the brief does not hold where the sentence puts it."""
    for index, one in enumerate(reading.quantities):
        if not _grounded(reading, index, one, context):
            yield f"{reading.named[one.start : one.end].strip()[:40]} is not what the evidence has there"
    for found in _ONCE.finditer(reading.spoken):
        seconds = SECONDS[{"minute": "min", "month": "mo"}.get(found[1], found[1][0])]
        if not any(
            abs(seconds / 60.0 * fact.value - 1.0) < 0.06 for fact in _facts(context, "", ("chance",))
        ):
            yield f"{found[0]} is not how rare it is"


def _near(reading: Reading, one: Quantity, before: int = 60, after: int = 45) -> tuple[str, str]:
    """The text about a number up to the numbers beside it or the end of its clause."""
    at = reading.quantities.index(one)
    first = last = at
    while first > 0 and _apposed(reading, first - 1):
        first -= 1
    while last + 1 < len(reading.quantities) and _apposed(reading, last):
        last += 1
    starts = [other.end for other in reading.quantities[:first]]
    ends = [other.start for other in reading.quantities[last + 1 :]]
    left = reading.spoken[max([one.start - before, 0, *starts]) : one.start]
    right = reading.spoken[one.end : min([one.end + after, len(reading.low), *ends])]
    return _OUTER.split(left)[-1], _OUTER.split(right)[0]


def _apposed(reading: Reading, index: int) -> bool:
    """Whether a number is followed by another that says the same: 431 seconds (7.2 minutes)."""
    one, after = reading.quantities[index], reading.quantities[index + 1]
    return (
        re.fullmatch(
            r"\s*(?:\((?:or |i\.e\. |that is )?|,? or|,? i\.e\.,?|/|=)\s*(?:about|around|roughly|some|nearly|almost|over|just over)?\s*",
            reading.low[one.end : after.start],
        )
        is not None
    )


def _grounded(reading: Reading, index: int, one: Quantity, context: Context) -> bool:
    left, right = _near(reading, one)
    cache = context.cache_at(reading, one.start)
    for reader in (_tally, _confidence, _chance, _flagged, _span, _money, _errors):
        told = reader(reading, index, one, context, left, right, cache)
        if told is not None:
            return told
    return _metric(reading, index, one, context, cache)


def _facts(
    context: Context, cache: str, subjects: tuple[str, ...], roles: set[str] | None = None
) -> Iterator[Fact]:
    for fact in context.facts.numbers:
        if (
            fact.subject in subjects
            and (roles is None or fact.role in roles)
            and (not cache or fact.cache in {cache, OWN})
        ):
            yield fact


def _any(one: Quantity, facts: Iterator[Fact]) -> bool:
    return any(agrees(one, fact) for fact in facts)


def _tally(
    _r: Reading, _i: int, one: Quantity, context: Context, left: str, right: str, cache: str
) -> bool | None:
    match = _TALLIES.match(right)
    if match is None or one.unit:
        return None
    what = match["what"].rstrip("s").replace("with no data", "no_data").replace("without data", "no_data")
    name = {
        "metric": "metrics",
        "signal": "metrics",
        "measure": "metrics",
        "cache": "caches",
        "incident": "incidents",
        "observation": "incidents",
        "no_data": "no_data",
    }.get(what)
    if what in {"critical", "warning", "info", "open", "resolved"}:
        name = what
    names = {name} if name else {"causes", "errors"}
    if name == "metrics":
        names = {"others moved" if re.search(r"\b(?:other|more|further)\b", match[0]) else "metrics"}
        if not re.search(
            r"\b(?<!not )(?:moved|changed|unusual|affected|anomalous|abnormal|deviat\w+)\b", right
        ):
            names |= {"unchanged"}
    qualified = re.search(r"\b(critical|warning|info|open|resolved)\b", right[: match.end()])
    if qualified and name == "incidents":
        names = {qualified[1]}
    return _any(one, (fact for fact in _facts(context, cache, ("tally", "coverage")) if fact.role in names))


def _confidence(
    reading: Reading, _i: int, one: Quantity, context: Context, left: str, right: str, _c: str
) -> bool | None:
    causes = [named for named in named_causes(reading.spoken) if named.end <= one.start]
    beside = causes and re.fullmatch(
        r"\s*(?:\(|,|:|at|with|–|-)?\s*(?:about|around|roughly|some)?\s*",
        reading.spoken[causes[-1].end : one.start],
    )
    told = _told_before(reading, one, left) or _CONFIDENT.search(right[:28])
    if (beside and left.rstrip().endswith("(") or right.lstrip().startswith("confiden")) and one.unit in {
        "pt",
        "time",
        "times",
    }:
        return False
    if one.unit not in {"%", "share", ""} or not (told or beside) or "once" in left:
        return None
    if _CHANCE.search(left) and not beside and "confiden" not in left + right:
        return None
    about = (
        causes[-1].causes if causes else next((named.causes for named in named_causes(reading.spoken)), ())
    )
    names = set(about) & set(context.facts.ranks) or {context.cause}
    if context.field == "why" and not about:
        names = {context.cause}
    allowed = [context.facts.ranks[name] for name in names if name in context.facts.ranks]
    allowed += [context.confidences[name] for name in names if name in context.confidences]
    if context.field in {"item", "digest"} and not about:
        allowed = list(context.facts.ranks.values())
    return any(agrees(one, Fact("confidence", "", value, "share")) for value in allowed)


def _told_before(reading: Reading, one: Quantity, left: str) -> bool:
    """Whether words of confidence stand before a number, with no subject in between."""
    found = _CONFIDENT.search(left[-40:]) or _RANKED.search(left[-40:])
    return found is not None and "§" not in reading.low[one.start - len(left[-40:]) + found.end() : one.start]


def _chance(
    reading: Reading, _i: int, one: Quantity, context: Context, left: str, right: str, cache: str
) -> bool | None:
    if not (_CHANCE.search(left[-30:]) or (one.unit == "share" and _CHANCE.search(left + right))):
        return None
    if one.unit not in {"time", "share", "", "%"}:
        return None
    bounded = one.hedge in {Hedge.ABOVE, Hedge.BELOW, Hedge.EITHER_ABOVE} or re.search(
        r"\b(?:less|fewer|rarer|more rarely) (?:often )?than\b", left
    )
    return any(_as_rare(one, fact.value, bool(bounded)) for fact in _facts(context, cache, ("chance",)))


def _as_rare(one: Quantity, p_value: float, bounded: bool) -> bool:
    """Whether a number says a chance: once in so many years of minutes, one in so many, or the p-value itself.

    A bound must be true and within a factor of a thousand, or one that is commonly given.
    """
    if one.number.value <= 0.0:
        return False
    if one.is_time:
        said, truth = one.number.value / 60.0, 1.0 / p_value
        usual = abs(one.number.value / 31_557_600.0 - 1e4) < 10.0
        return (
            (truth >= 0.95 * said and (usual or truth <= 1e3 * said))
            if bounded
            else abs(said / truth - 1.0) <= 0.06
        )
    value = one.number.value / (100.0 if one.unit == "%" else 1.0)
    if bounded:
        usual = any(math.isclose(value, common) for common in (0.05, 0.01, 0.001, 0.0001, 1e-5, 1e-6))
        return p_value <= value * 1.05 and (usual or value <= 1e3 * p_value)
    if one.unit == "share":
        return abs(math.log(value / p_value)) <= 0.06
    return one.number.means(p_value * (100.0 if one.unit == "%" else 1.0), Hedge.NONE)


def _flagged(
    reading: Reading, index: int, one: Quantity, context: Context, _l: str, right: str, cache: str
) -> bool | None:
    """The pair "12 of 14 minutes": those flagged, of all; and "12 of them"."""
    if one.unit in {"", "windows", "time"} and re.match(
        r"\s*of (?:them|these|those|which|the minutes|its minutes|that time)\b", right
    ):
        number = one.number.times(60.0) if one.unit != "time" else one.number
        return any(
            number.means(fact.value, one.hedge)
            for fact in _facts(context, cache, _durations(reading, one), {"flagged_minutes"})
        )
    for at, role in ((index, "flagged_minutes"), (index - 1, "minutes")):
        if not 0 <= at < len(reading.quantities) - 1:
            continue
        first, second = reading.quantities[at], reading.quantities[at + 1]
        joint = reading.low[first.end : second.start]
        named = second.is_time or second.unit in {"windows", "window"}
        if (
            named
            and first.unit in {"", "time", "windows", "minutes"}
            and re.fullmatch(r"\s*(?:out )?of (?:the |its |all )?(?:last )?", joint)
        ):
            facts = _facts(context, cache, _durations(reading, one), {role})
            scale = 60.0 if one.unit != "time" else 1.0
            return any(one.number.times(scale).means(fact.value, one.hedge) for fact in facts)
    return None


def _durations(reading: Reading, one: Quantity) -> tuple[str, ...]:
    near = preceding(reading, one.start)
    return ("duration", *(f"duration {mention.subject}" for mention in near))


def _span(
    reading: Reading, index: int, one: Quantity, context: Context, left: str, right: str, cache: str
) -> bool | None:
    """A span of time that is no response time: of waiting, of the baseline, of a past incident, of this one."""
    about = left[-45:] + "|" + right
    if one.unit in {"windows", "window", "samples", "data points"}:
        subjects = ("coverage",) if context.field in {"digest", "item"} else ("baseline",)
        if not _BASELINE.search(reading.low) and subjects == ("baseline",):
            return any(
                one.number.times(60.0).means(fact.value, one.hedge)
                for fact in _facts(context, cache, _durations(reading, one))
            )
        return _any(one, _facts(context, cache, subjects))
    if (
        one.is_time
        and _WAITING.search(about)
        and not re.search(r"(?:lasted|for|since|within|after|last|past)\s*(?:the )?(?:last |past )?$", left)
    ):
        return _any(one, _facts(context, cache, ("waiting",))) or _metric(reading, index, one, context, cache)
    if not one.is_time or (
        reading.roles[index] is not Role.OPEN
        and _speaks_of_latency(reading, context)
        and not _AGED.search(about)
    ):
        return None
    if _AGED.search(about) or (_BASELINE.search(about) and one.number.value >= 3600.0):
        return _any(one, _facts(context, cache, ("baseline",)))
    if _PAST.search(reading.low) and context.facts.past:
        return _any(one, _facts(context, cache, ("past",))) or _lasting(reading, one, context, cache)
    if (
        one.number.value < 60.0
        and (reading.subjects or context.carried)
        and not re.search(r"\b(?:for|lasted|after|since)\s*$", left)
    ):
        return None
    if _lasting(reading, one, context, cache) or _crept(reading, one, context, left):
        return True
    return None if one.number.value < 3600.0 and _speaks_of_latency(reading, context) else False


def _speaks_of_latency(reading: Reading, context: Context) -> bool:
    named = (*subjects_of(reading.subjects), *context.carried, context.facts.lead)
    return any("latency" in name or name.endswith("_ms") for name in named)


def _lasting(reading: Reading, one: Quantity, context: Context, cache: str) -> bool:
    flagged = re.search(r"flag|anomal|unusual", reading.low) is not None
    roles = {"minutes", "flagged_minutes"} if flagged else {"minutes"}
    if context.field in {"item", "digest"}:
        return _any(one, _facts(context, cache, ("duration", "duration total")))
    return _any(one, _facts(context, cache, _durations(reading, one), roles))


def _crept(reading: Reading, one: Quantity, context: Context, left: str) -> bool:
    return _CREEP.search(left) is not None and _any(
        one, (fact for fact in context.facts.numbers if fact.subject == "told span")
    )


def _money(
    reading: Reading, _i: int, one: Quantity, context: Context, left: str, right: str, cache: str
) -> bool | None:
    if one.unit == "" and _COST.search(reading.spoken) and _any(one, _facts(context, cache, ("cost",))):
        return True
    beside = _ADJOINED.match(reading.low[one.end :])
    near = following(reading, one.end)[:1] if beside else preceding(reading, one.start)[-1:]
    if one.unit == "" and subjects_of(near) == ("backend_calls",):
        return _any(one, _facts(context, cache, ("calls", "backend_calls")))
    if one.unit == "calls" or (
        one.unit == "" and re.search(r"\b(?:backend|origin) (?:calls|requests)", right[:40])
    ):
        return _any(one, _facts(context, cache, ("calls", "backend_calls")))
    if one.unit == "" and not one.sign and (_COST.search(left[-30:]) or _COST.search(right[:15])):
        return _any(one, _facts(context, cache, ("cost", "calls")))
    if (
        one.unit in {"requests", "operations", "lookups"}
        and re.search(r"\b(?:extra|additional|more)\b", words_about(left, right))
        and "backend" in left + right
    ):
        return _any(one, _facts(context, cache, ("calls",)))
    return None


def words_about(left: str, right: str) -> str:
    """The words about a number."""
    return f"{left[-25:]} {right[:25]}"


def _errors(
    reading: Reading, _i: int, one: Quantity, context: Context, left: str, right: str, _c: str
) -> bool | None:
    """A count beside the type of an error."""
    if not reading.errors or one.unit not in {"", "errors", "error", "times"}:
        return None
    around = [name for at, name in reading.errors if at in range(one.start - 30, one.end + 30)]
    if not around:
        return None
    following_type = [name for at, name in reading.errors if 0 <= at - one.end <= 4]
    before = [name for at, name in reading.errors if 0 < one.start - at <= 30]
    names = following_type[:1] or before[-1:] or around[:1]
    return any(
        one.number.means(fact.value, one.hedge)
        for fact in context.facts.numbers
        if fact.subject == f"error {names[0]}"
    )


def _metric(reading: Reading, index: int, one: Quantity, context: Context, cache: str) -> bool:
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
    if one.unit in {"%"} and role is Role.RATIO:
        roles = {"ratio"}
    named = tuple(name for subject in subjects for name in kin(subject))
    if (
        "n" in subjects
        and role in {Role.OPEN, Role.NOW, Role.EFFECT}
        and _any(one, _facts(context, cache, ("n",)))
    ):
        return True
    if _any(one, _facts(context, cache, named, roles)):
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
        _NOUN_SUBJECTS.get(noun[:4], (noun,) if noun else (*allowed,))
        if noun or near[-1].subject in _COUNTED
        else ()
    )


def _leads(reading: Reading, index: int) -> bool:
    """Whether a number without a part is the first of its sentence, and no other is said to be what is now."""
    return index == 0 and Role.NOW not in reading.roles


def topics(reading: Reading, index: int, one: Quantity, context: Context) -> tuple[str, ...]:
    noun = one.unit.removesuffix("/min")
    if noun and noun not in {"%", "pt", "time", "share", "times"}:
        return _NOUN_SUBJECTS.get(noun[:4], (noun,))
    beside = _ADJOINED.match(reading.low[one.end :])
    if beside is not None:
        named: tuple[str, ...] = subjects_of(following(reading, one.end))[:1]
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
        if other.end <= one.start and noun and noun[:4] in _NOUN_SUBJECTS:
            between = reading.low[other.end : one.start]
            return () if "§" in between or ";" in between else _NOUN_SUBJECTS[noun[:4]]
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
