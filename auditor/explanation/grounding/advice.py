"""What may be advised: to look, and to mend in the ways that the auditor itself recommends. All else is no step.

An instruction that takes something away (flush, delete, silence, close) never stands, whatever it is joined to, unless it is
warned against or looked for. The rule holds for instructions wherever they are written, and statements among the steps
are read like statements elsewhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.vocabulary import words
from auditor.explanation.recommendations import LEARNED, STEPS, TRAFFIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.reading import Reading

LOOKING: Final = words("""look check see verify confirm compare inspect examine read review test ask search diff list count split measure time investigate note watch monitor determine trace audit establish find
    group sample query analyse analyze assess identify locate track follow observe study correlate break rule ensure validate query probe ping try consider decide keep start begin go work use plot graph view pull get
    collect gather capture log record document dig scan learn evaluate estimate isolate narrow pinpoint single reproduce replay send make figure map match tell query open profile diagnose clarify discuss talk contact inform notify involve escalate
    plan prepare report coordinate raise give allow focus exclude eliminate sort spot-check double-check cross-check recheck""")
_OPENERS: Final = words("""together overall combined apart in at of for with by during on after since from to over under within across among amongst against between before until till as per via without like unlike through throughout despite beyond besides
    around about above below near off onto into out up down amid given while although though because if when where whereas that so and but or nor yet unless whether once than all both half only even just almost nearly not neither either
    each some most many thus then here also meanwhile still hence now today again too is was were are be been this these those the it its there what which who how why no none such never fell rose went let lost saw held hit kept grew shrank began came got
    did do had have may might can could will would must should""")
"""Words that a statement may begin with before an article."""
_TAKING: Final = (
    r"flush(?:all|db)?|delete|drop|purge|wipe|clear|remove|truncate|erase|destroy|kill|terminate|disable|turn off|switch off|shut down|shut|stop|halt|silence|mute|snooze|suppress|close|acknowledge|ack|ignore|"
    r"dismiss|disregard|resolve|empty|evict|invalidate|expire|reset|format|uninstall|downgrade|discard|abandon|overwrite|unsubscribe|cancel|forget|skip|reboot|restart|detach|block|revoke|recreate|rebuild|reinstall|"
    r"decommission|unplug|retire|bounce|power off|take down|bring down|tear down|scale down|lower|shrink|cut|halve|hide|mark"
)
_TAKEN: Final = (
    r"flushed|deleted|dropped|purged|wiped|cleared|removed|truncated|erased|destroyed|killed|terminated|disabled|turned off|switched off|shut down|stopped|silenced|muted|snoozed|suppressed|closed|acknowledged|ignored|"
    r"dismissed|disregarded|resolved|emptied|invalidated|reset|cancelled|canceled|skipped|rebooted|restarted|blocked|hidden|marked"
)
_TAKING_ON: Final = (
    r"flushing|deleting|dropping|purging|wiping|clearing|removing|truncating|erasing|destroying|killing|terminating|disabling|turning off|switching off|shutting down|stopping|silencing|muting|snoozing|suppressing|"
    r"closing|acknowledging|ignoring|dismissing|disregarding|emptying|invalidating|resetting|cancelling|rebooting|restarting|blocking|hiding"
)
_OBJECT: Final = r"(?:the|this|that|these|those|all|every|everything|any|it|them|its|your|our|both|each|an?|cache|caches|alarms?|alerts?|incidents?|observations?|findings?|keys?|entries|data|database|logs?|history|baseline|now|immediately|monitoring|notifications?|pages?|server|service|process|host|nodes?|old|new|stale|[\ue000-\uf8ff])"
_HELD: Final = (
    r"(?:it|this|that|these|those|them|all|any)(?= (?:has|have|is|was|were|are|did)\b)"  # "if stop it was"
)
_INSTRUCTED: Final = re.compile(
    rf"(?:^|[,;:.–(] ?|\b(?:and|so|then|or|to|please|must|should|can|may|now|just|simply|finally|you|also|immediately|safely|better|need to|have to|ought to|go ahead and|recommend|advise) )(?:(?:then|also|just|simply|immediately|now|safely|quickly|first|please|finally) )*(?P<verb>{_TAKING})(?= {_OBJECT}\b| {_OBJECT}|[.!]?$)"
)
_PASSIVE: Final = re.compile(
    rf"\b(?:should|must|can|may|could|might|need to|needs to|has to|have to|ought to|to|will|shall)(?: \w+ly| now| then| just| simply)* be(?: \w+ly)? (?:{_TAKEN})\b"
)
_ONGOING: Final = re.compile(rf"\b(?P<verb>{_TAKING_ON})(?= {_OBJECT}\b| {_OBJECT}|[.!]?$)")
_WARNED: Final = re.compile(
    r"\b(?:do not|don't|never|avoid|without|rather than|instead of|not|before you|before|whether|if|nobody|no one|who|what|something|someone|somebody|anything|is|are|was|were|that|which|refrain from|hold off|against|fix|error)\b[^,;:.]{0,24}$"
)
_WHETHER: Final = re.compile(r"\b(?:do not|don't|never|avoid|without|rather than|instead of)\b[^,;:.]{0,40}$")
_LEAD: Final = re.compile(
    r"^\W*(?:(?:first|then|next|finally|also|secondly?|thirdly?|now|please|if (?:needed|so|not|possible|necessary|yes|no|need be)|otherwise|meanwhile|afterwards|lastly?|in the meantime|as a (?:first|next) step|step ~+|to (?:start|begin|confirm|verify|be sure|rule it out)|as a precaution|for now|"
    r"carefully|quickly|temporarily|briefly|directly|manually|just|simply|always|immediately)\b[,:.)]*\s*|(?:if|once|when|unless|after|before|until|while|as|since|because|where|for|to|in|at|on|with|during|should|within|from|using|as soon as)\b[^,:]*[,:]\s*)*(?:then,? |please |also |carefully |quickly |temporarily |briefly |directly |immediately )*"
)
_MENDING: Final = re.compile(
    r"(?:"
    r"(?:restore|bring back|put back|return|re-?set|recover|reinstate)\b[^;.]*\b(?:capacity|memory|limit|ttl|time to live|settings?|value|prefix|keys?|old|previous|former|original|format|size|configuration|version|builder)"
    r"|(?:roll|rolling|back|backing|revert|undo|undoing|reverting)\b[^;.]*"
    r"|(?:raise|increase|enlarge|extend|add|expand|lengthen|double|scale)\b[^;.]*\b(?:capacity|memory|ttl|time to live|size|limit|room|jitter|space|lifetimes?|expiry|timeouts?|backend)"
    r"|(?:let|allow|give|leave)\b[^;.]*\b(?:refill|warm|fill|recover|settle|request|time|client|cache)"
    r"|(?:limit|throttle|rate-limit|cap|protect|shield|shed|coalesce|collapse|reduce|slow|lower|relieve|ease|lighten|queue|guard|hold back|restrict)\b[^;.]*\b(?:concurrent|concurrency|misses|clients?|rate|backend|requests?|load|traffic|calls|pressure|lookups)"
    r"|(?:warm|preload|pre-?warm|prefill|refill|repopulate|prime|reload)\b[^;.]*"
    r"|(?:wait|hold)\b[^;.]*\b(?:refill\w*|warm|recovers?|returns?|finish\w*|complete[sd]?|deploy\w*|release)\b"
    r"|(?:take|have|get) (?:a|another|one|some) (?:\w+ )?(?:look|sample|samples|snapshot|trace)\b"
    r"|serve\b[^;.]*\bstale\b[^;.]*|keep\b[^;.]*"
    r"|(?:spread|stagger|jitter|randomi[sz]e|vary|desynchroni[sz]e)\b[^;.]*\b(?:expir|ttl|time to live|times|keys)"
    r"|(?:make|get)\b[^;.]*\b(?:keys?|sure|stable|certain)"
    r"|(?:run|execute|issue|use|call)\b[^;.]*\b(?:redis-cli|info|slowlog|latency|commandstats|ttl)\b"
    r"|(?:fix|mend|repair|correct|address|tune|adjust|align|stabili[sz]e|unify|update|migrate|move|relocate)\b[^;.]*\b(?:keys?|backend|configuration|collector|capacity|limit|ttl|time to live|cause|format|prefix|quer(?:y|ies)|values?|commands?|version|bug|release|expiry|setting|code|builder|memory)"
    r"|(?:restart|move or restart)\b (?:the |its )?(?:collector|stuck collector|it if)\b"
    r"|treat this as an outage|apply\b[^;.]*\bjitter|route\b[^;.]*|enable\b[^;.]*\b(?:stale|coalescing|jitter|locking|single-flight|rate limit\w*)|introduce\b[^;.]*\b(?:jitter|lock|limit)|hold\b[^;.]*\brelease|pause\b[^;.]*\b(?:release|rollout|client|job)"
    r")"
)
_HOLLOW: Final = re.compile(
    r"^\W*\w+ (?:nothing|away|no\b|none)|\bseverit|\b(?:report|record|document|confirm|note|log|mark|flag|classify|label|count|file|describe)\b[^.;]*? as (?!soon|well|often|many|much)"
    r"|\b(?:alarm|alert|incident|finding|notification|observation|monitoring|auditor)s? (?:\w+ )?(?:muted|silenced|off|closed|quiet|on hold|ignored)\b"
)
"""Looking at nothing, and looking that only files something away."""
MENDERS: Final = words("""cap throttle shield shed warm preload prewarm prefill stagger jitter revert undo raise limit protect restore serve spread roll coalesce collapse reduce lighten relieve
    repopulate prime randomise randomize lengthen extend enlarge increase expand let allow keep make take have fix mend repair correct hold pause wait""")
_STATES: Final = re.compile(
    r"^\W*(?:the|this|that|it|its|there|these|those|severity|status|all|everything|nothing|no|nobody|you|your|we|they|an?|[\ue000-\uf8ff]|§|my|our|one|some|any|most|half|confidence|someone|people)(?!\w)"
)
_URGED: Final = re.compile(
    r"^\W*(?:you|we|please|engineers?|one|the (?:engineer|team|operator)s?|someone) (?:\w+ly )?(?:can|could|may|must|should|shall|need|have to|ought|are|now|just|might)\b|\bplease\b|\blet's\b"
)
_FORBIDDEN: Final = re.compile(r"^\W*(?:do not|don't|never|avoid)\b(?P<rest>.*)")
_NAMED: Final = re.compile(rf"\b(?:{_TAKING}|{_TAKING_ON})\b")


@lru_cache(maxsize=1)
def own_steps() -> frozenset[str]:
    """The sentences of the auditor's own recommendations, in lower case and without code marks."""
    every = [part for steps in (*STEPS.values(), TRAFFIC, LEARNED) for part in steps]
    return frozenset(part.replace("`", "").lower() for part in every)


def is_instruction(reading: Reading) -> bool:
    """Whether a sentence tells its reader to do something."""
    bare = _bare(reading)
    verb = re.match(r"[a-z-]+", bare)
    if _FORBIDDEN.match(bare) or _URGED.search(reading.spoken):
        return True
    known = verb is not None and (
        verb[0] in LOOKING or _MENDING.match(bare) or re.match(rf"(?:{_TAKING})\b", bare)
    )
    if verb is not None and verb[0] not in _OPENERS and not verb[0].endswith(("ly", "ing", "ed", "s")):
        known = (
            known or re.match(r"[a-z-]+ (?:the|this|that|all|every|your|everything|them)\b", bare) is not None
        )
    return bool(known) and re.match(rf"[a-z-]+(?: \w+ly)? {_OBJECT}(?!\w)", bare) is not None


def _bare(reading: Reading) -> str:
    return reading.spoken[len((_LEAD.match(reading.spoken) or [""])[0]) :]


def wrong_advice(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each instruction that is none of those that may be given."""
    low = reading.spoken
    yield from _taking(low)
    if context.field != "step":
        if is_instruction(reading) and not _permitted(_bare(reading)):
            yield "it gives an instruction that is none of the recommendations"
        return
    if is_statement(reading):
        return
    if not _permitted(_bare(reading)):
        yield "it is none of the steps that may be recommended"


def is_statement(reading: Reading) -> bool:
    """Whether a sentence says how things are, and tells nobody to do anything."""
    bare = _bare(reading)
    return (_STATES.match(bare) is not None and not is_instruction(reading)) or not re.match(r"[a-z]", bare)


def _permitted(bare: str) -> bool:
    if _HOLLOW.search(bare):
        return False
    forbidden = _FORBIDDEN.match(bare)
    if forbidden is not None:
        return _NAMED.search(forbidden["rest"]) is not None
    verb = re.match(r"[a-z-]+", bare)
    if verb is None:
        return False
    return _MENDING.match(bare) is not None or (verb[0] in LOOKING and _is_looking(bare, verb[0]))


def _is_looking(bare: str, verb: str) -> bool:
    """Whether verbs that can mean much mean looking here."""
    if verb in {
        "use",
        "try",
        "go",
        "open",
        "send",
        "make",
        "get",
        "pull",
        "start",
        "begin",
        "raise",
        "tell",
        "give",
        "allow",
    }:
        return (
            re.match(
                r"(?:use (?:redis-cli|the|a)|try (?:a|one|to (?:reproduce|read|fetch))|go (?:through|over)|open the (?:log|graph|dashboard)|send one request|make sure|get the|pull (?:the|a)|start (?:with|by (?:\w*(?:check|look|compar|read|inspect|list|count|diff|sampl|group|search|review|find)))|begin (?:with|by)|raise (?:it with|this with|the)|tell (?:the|whether)|give the cache|allow the)\b",
                bare,
            )
            is not None
        )
    if verb == "consider":
        rest = bare.removeprefix("consider ")
        gerund = re.match(r"([a-z]+?)ing\b", rest)
        if gerund is None:
            return re.match(r"(?:whether|an?|the|that|if|how|temporar)\b", rest) is not None
        stem = gerund[1]
        return any(_permitted(f"{base}{rest[gerund.end() :]}") for base in (stem, f"{stem}e", stem[:-1]))
    return True


def _taking(low: str) -> Iterator[str]:
    for found in _INSTRUCTED.finditer(low):
        before = low[: found.start("verb")]
        allowed = re.match(
            r"(?:restart (?:the |its )?(?:collector|it if)|lower (?:the )?(?:load|rate|concurrency)|stop (?:the )?(?:client|release)|block (?:that|the) client|cut (?:the )?(?:load))",
            low[found.start("verb") :],
        )
        if not allowed and not _WARNED.search(before.removesuffix(" ")):
            yield f"it tells to {found['verb']}, which is none of the recommendations"
    for found in _PASSIVE.finditer(low):
        if not re.search(r"\bnot\b|\bnever\b", found[0]):
            yield "it tells to take away what the recommendations leave alone"
    for found in _ONGOING.finditer(low):
        if not _WARNED.search(low[: found.start()]):
            yield f"it tells of {found['verb']}, which is none of the recommendations"
