"""Whether a sentence blames what the evidence blames: the cause in question, and others only as what they rank."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.catalogue import named_causes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.catalogue import Named
    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.reading import Reading

_DENIED_BEFORE: Final = re.compile(
    r"\b(?:not|no|never|neither|nor|without|rules? out|ruled out|ruling out|exclud\w+|against|unlikely|rather than|instead of|less likely|hardly|cannot be|can't be|isn't|wasn't|unlike|as opposed to|contradicts?|speaks? against|argues? against|than|away from|nothing points to|inconsistent with|improbable|distinguish\w*(?: it)? from|separates? it from|distinct from|differs? from)\b[^;.]{0,60}$"
)
_DENIED_AFTER: Final = re.compile(
    r"^[^;.]{0,60}?\b(?:(?:is|are|was|were|seems?|looks?|appears?) (?:\w+ )?(?:unlikely|less likely|ruled out|excluded|improbable|not|weaker|implausible|out of the question|contradicted|doubtful)|(?:does|do|did|can|could|would) ?n[o']t|does not|do not|would not|cannot|can be (?:ruled out|excluded)|fits? (?:less|worse|poorly|badly)|has little|less likely|ranks? (?:lower|behind|second|third))"
)
_AGAINST: Final = re.compile(r"\b(?:against|contradicts?|than|unlike)\b[^;.]{0,60}$")
_SUPPOSED: Final = re.compile(
    r"\bwould (?!(?:\w+ly |best |also |well )?(?:explain|account|fit|match|cause|be (?:the|behind|a good|consistent)))|\bshould (?:show|have)\b|\bif\b|\bwhether\b|\bhad it been\b|\bwere it\b|\bin the case of\b|\bexpects?\b"
)
_ALTERNATIVE: Final = re.compile(
    r"\b(?:could also|could be|might be|may be|may also|might also|can also|alternativ\w+|also possible|another (?:possib|candidate|explanation)|other (?:candidate|possib|explanation|cause)s?|less likely|second|next|runner[- ]up|behind it|further down|possib(?:le|ly|ility)|remains? (?:a )?possib|lower confidence|less probable|can(?:not|'t) be (?:ruled out|excluded)|not (?:be )?(?:ruled out|excluded)|or else|failing that|third|followed by|then|equally|(?:almost|nearly|just) as likely|close behind|two causes|neck and neck|competing|rival|two candidates|toss-up)\b"
)
_CHECKING: Final = re.compile(
    r"\b(?:consider|raise|increase|protect|limit|check|look|compare|verify|confirm|see whether|see if|rule out|find|inspect|read|review|test|ask|search|diff|list|count|split|measure|time|examine|investigate|whether|if|make sure|look for|note|watch|monitor|determine|trace|audit|establish|find out|group|sample)\b"
)
_PAST: Final = re.compile(
    r"\b(?:previous|earlier|past|last (?:incident|time)|similar|before|back then|history|precedent|once before)\b"
)

_SHRUNK: Final = re.compile(
    r"\bworking[- ]set (?:has |had )?(?:\w+ly )?(?:shr[aiu]nk|fell|dropped|narrowed|got smaller|is smaller|decreased|halved)"
)


def wrong_causes(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each cause that is blamed and may not be, or denied and may not be."""
    low = reading.low
    if _SHRUNK.search(reading.spoken) and not _SUPPOSED.search(low):
        yield "the working set grew, if it did anything"
    for named in named_causes(reading.spoken):
        if context.field in {"item", "digest"}:
            if not set(named.causes) & set(context.facts.ranks) and not _denied(low, named):
                yield f"{_said(named)} is the cause of no incident of the day"
            continue
        reason = _wrong(low, named, context)
        if reason:
            yield reason


def _said(named: Named) -> str:
    return named.causes[0].replace("_", " ")


def _denied(low: str, named: Named) -> bool:
    before, after = _clause_before(low, named.start), low[named.end :]
    return _DENIED_BEFORE.search(before) is not None or _DENIED_AFTER.match(after) is not None


def _clause_before(low: str, at: int) -> str:
    return re.split(r"[;:]|, (?:but|so|and|it|which|this)\b| but ", low[:at])[-1]


def _wrong(low: str, named: Named, context: Context) -> str:
    """Why a cause may not be named so; empty where it may."""
    ranks, causes = context.facts.ranks, set(named.causes)
    if _described(causes, context):
        return ""
    if context.field == "step":
        fine = bool(causes & set(ranks)) or _CHECKING.search(low) is not None
        return "" if fine else f"{_said(named)} is none of the ranked causes"
    if context.cause in causes:
        return _wrong_of_own(low, named, context)
    if _PAST.search(low) and causes & context.facts.past_causes:
        return ""
    if not causes & set(ranks):
        return f"{_said(named)} is none of the ranked causes"
    fine = context.field == "reason" or _only_weighed(low, named)
    return "" if fine else f"{_said(named)} is not what the evidence points to"


def _wrong_of_own(low: str, named: Named, context: Context) -> str:
    """Why the cause in question may not be spoken of so: it is denied, where the evidence points to it."""
    points = context.field in {"summary", "impact"} or next(iter(context.facts.ranks), "") == context.cause
    if points and _denied(low, named) and not _weighed(low, named) and not _SUPPOSED.search(low):
        return f"{_said(named)} is what the evidence points to, and is denied"
    return ""


def _only_weighed(low: str, named: Named) -> bool:
    """Whether another ranked cause is denied, supposed or given as an alternative."""
    around = _clause_before(low, named.start) + low[named.start : named.end + 30].partition(",")[0]
    return (
        _denied(low, named) or any(map(_SUPPOSED.search, (around,))) or _ALTERNATIVE.search(low) is not None
    )


def _weighed(low: str, named: Named) -> bool:
    """Whether a cause is only weighed: something is said to speak against it, or it is more likely than another."""
    before = _clause_before(low, named.start)
    return (
        _AGAINST.search(before) is not None
        and not re.search(
            r"\b(?:not|no|never|rules? out|ruled out|exclud\w+|rather than|instead of|unlikely|isn't|wasn't)\b",
            before,
        )
        and not _DENIED_AFTER.match(low[named.end :])
    )


def _described(causes: set[str], context: Context) -> bool:
    """Words that name a cause and, too, only what was measured."""
    did = context.facts.did(context.cache, ("throughput",))
    silent = "absent" in did and "silence" in causes
    return silent or (
        "improvement" in causes
        and context.facts.status == "resolved"
        and "improvement" not in context.facts.ranks
        and "up" in context.facts.did(context.cache, ("hit_rate",))
    )
