"""Whether a sentence says rightly how things stand: open or over, how grave, how sure, with what company and what past."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.catalogue import named_causes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.facts import Facts
    from auditor.explanation.grounding.reading import Reading

_OVER: Final = re.compile(
    r"\b(?:(?:has|have|had|is|was|are|been|now|fully|since|then) (?:\w+ )?(?:resolved|over(?! (?:[\d§‡]|two|three|four|five|six|seven|eight|nine|ten|twice|half|an? |the |its |what))|ended|closed|finished|recovered|cleared)|it ended|(?<!not )(?<!yet )(?:returned|back|came back|come back|gone back|went back) (?:down |up )?to (?:its |their |the )?(?:usual |expected )?(?:normal|usual|baseline|expected)|incident (?:ended|resolved|closed)|ended (?:at|after|on)|(?:fully|has) recovered|no longer (?:low|high|elevated|unusual|anomalous|affected|down))\b"
)
_OPEN: Final = re.compile(
    r"\b(?:(?:is|are|remains?) (?:still )?(?:ongoing|open|in progress|unresolved|continuing|under way|active)|still (?:ongoing|open|going on|running|in progress|unresolved|active|low|down|high|elevated)|so far|(?:has|have) not (?:yet )?(?:recovered|ended|returned|resolved|stopped)|(?:no|without) (?:sign of )?recovery|not over|continues|to date|until now)\b"
)
_NOT: Final = re.compile(
    r"\b(?:not|never|yet to|until|once|when|if|n't|whether|before|no sign|without|should|will|would)\b[^,;.]{0,24}$"
)
_GRAVE: Final = re.compile(
    r"\b(?P<said>critical|warning|informational|info)\b(?! (?:mass|path|section|step|to (?:check|know)))"
)
_LEVEL: Final = re.compile(
    r"\b(?:severity|severities|level|rated|classed|classified|incident|alert|observation|a|of|is|was|one|two|remains|as)\b"
)
_CERTAIN: Final = re.compile(
    r"\b(?:almost certainly|nearly certain|(?<!un)(?<!almost )(?<!not )certain(?:ly)?|definite(?:ly)?|undoubtedly|without (?:a |any )?doubt|no doubt|beyond doubt|proven|proves?|confirmed|clearly (?:a|the|caused|due)|must be|must have been|conclusive(?:ly)?|unquestionably|surely)\b"
)
_UNCERTAIN: Final = re.compile(r"\b(?:uncertain|no idea|cannot (?:tell|say)|unclear what|mere guess)\b")
_ALONE: Final = re.compile(
    r"\bno other cache|\bother caches (?:are|were|remain|look|seem)\w* (?:fine|normal|unaffected|unchanged|healthy|as usual)|\bonly this cache|\bonly cache\b|\bno other (?:incident|cache)s?"
)
_COMPANY: Final = re.compile(
    r"\b(?:other|another|several|more|further|neighbou?ring|sibling|neighbou?r) caches?\b|\bneighbou?rs?\b(?!\w)(?! (?:are|were|remain|look) (?:fine|normal|unaffected))|\ball caches\b|\bacross (?:all )?caches\b"
)
_NEW: Final = re.compile(
    r"\b(?:unprecedented|first time|never (?:before|happened|seen before)|no (?:similar|earlier|previous|past|prior) (?:incident|case|event)s?|not happened before|has no precedent)\b"
)
_AGAIN: Final = re.compile(
    r"\b(?:(?:similar|earlier|previous|past|prior) (?:incident|event|occurrence|episode|case)s?|happened before|seen before|once before|same thing happened|recurr\w+|happened (?:last|again|twice|earlier|yesterday|too)|last (?:week|month|year|night)|again and again|repeat(?:ed|s) (?:of|incident)|last time)\b"
)
_SILENCE: Final = re.compile(r"\bsilence\b[^,;.]{0,40}$")
_NONE: Final = re.compile(r"\b(?:no|not|never|without)\b[^,;.]{0,20}$")
_FRESH: Final = re.compile(
    r"\b(?:no|without an?|lacks? a|there is no|missing) (?:learned |agreed )?baseline\b|\bno baseline\b"
)


def wrong_standing(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each such word that the brief does not bear out."""
    if context.field == "step":
        return
    low = reading.low
    if context.field not in {"item", "digest"}:
        yield from _status(low, context.facts)
        yield from _company(reading, context)
        yield from _sureness(reading.spoken, context)
    yield from _gravity(reading, context)


def _status(low: str, facts: Facts) -> Iterator[str]:
    status = facts.status
    if status == "open":
        # of an incident that is open only a silence may have ended
        silence_is_over = any(part == "ended" for part, _ in facts.moments)
        for found in _OVER.finditer(low):
            if silence_is_over and _SILENCE.search(low[: found.start()]):
                continue
            if not _NOT.search(low[: found.start()]) and not re.search(
                r"\bhas not\b|\bnot (?:yet )?$", found[0]
            ):
                yield "the incident is still open"
    elif status == "resolved":
        for found in _OPEN.finditer(low):
            if not _NOT.search(low[: found.start()]) or "not" in found[0]:
                yield "the incident is over"


def _gravity(reading: Reading, context: Context) -> Iterator[str]:
    for found in _GRAVE.finditer(reading.low):
        said = "info" if found["said"].startswith("info") else found["said"]
        if said == "warning" and re.match(r" (?:of|sign|that|signs)\b", reading.low[found.end() :]):
            continue
        if said == "info" and not _LEVEL.search(reading.low[max(0, found.start() - 20) : found.end() + 12]):
            continue
        cache = context.cache_at(reading, found.start())
        held = context.facts.severities
        fits = held.get(cache, set()) if cache else {one for those in held.values() for one in those}
        if said not in fits and said not in held.get("past", set()):
            yield "its severity is another one"


def _sureness(low: str, context: Context) -> Iterator[str]:
    confidence = context.facts.ranks.get(context.cause, 0.0)
    causal: object = re.search(
        r"\bcaus|\bbecause\b|\bdue to\b|\bexplain|\bdriv|\bbehind\b|\bresponsible\b|\bblame|\bexplanation\b",
        low,
    )
    causal = causal or bool(list(named_causes(low)))
    for found in _CERTAIN.finditer(low):
        if causal and confidence < 0.85 and not _NONE.search(low[: found.start()]):
            yield "the evidence is not that sure"
    if (
        re.search(r"\b(?:probably|very likely|highly likely|most probably)\b", low)
        and causal
        and confidence < 0.4
    ):
        yield "the evidence is not that sure"


def _company(reading: Reading, context: Context) -> Iterator[str]:
    low, facts = reading.low, context.facts
    if _ALONE.search(low) and facts.others:
        yield "other caches had incidents in the same minutes"
    elif (
        _COMPANY.search(low)
        and not facts.others
        and not _NONE.search(low[: _found(_COMPANY, low)])
        and not _ALONE.search(low)
    ):
        yield "no other cache had an incident"
    if _NEW.search(low) and facts.past:
        yield "there were incidents like it before"
    elif (
        _AGAIN.search(low)
        and not facts.past
        and not _NEW.search(low)
        and not _NONE.search(low[: _found(_AGAIN, low)])
    ):
        yield "no incident like it is known"
    if facts.has_baseline and _FRESH.search(low):
        yield "there is a baseline"


def _found(pattern: re.Pattern[str], low: str) -> int:
    found = pattern.search(low)
    return found.start() if found else 0
