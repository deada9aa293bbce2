"""What a sentence judges, and what it amounts to.

How dangerous, urgent, harmless or intended an incident is, the tests do not say, but for its severity and its state. Such
a judgement stands only where these bear it out, and a sentence with nothing in it that could be checked does not stand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.catalogue import named_causes
from auditor.explanation.grounding.matching import facts_about
from auditor.explanation.grounding.vocabulary import is_word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.reading import Reading

_BE: Final = r"(?:is|are|was|were|be|been|has been|looks?|seems?|appears?|feels?|remains?|stays?|goes|went|works?|runs?)"
_FINE: Final = r"(?:well|fine|good|great|ok|okay|normal|healthy|right|clear|quiet|in order|under control|safe|perfect(?:ly)?|as (?:it|they) should)"
_TROUBLE: Final = (
    r"(?:problem|issue|trouble|danger|risk|threat|worry|worries|concern|concerns|alarm|alert|harm|damage|loss|emergency|urgency|incidents?|anomal(?:y|ies)|outages?|"
    r"cause for|reason (?:to|for)|need (?:to|for)|action|reaction|response is|intervention|follow-up|customer|user|users|effect on users)"
)
_PLAYED_DOWN: Final = re.compile(
    rf"\bfalse (?:alarm|positive|alert)s?\b|\b(?:harmless|benign|innocuous|spurious|bogus|fictitious|safe(?:ly|ty)?|unimportant|insignificant|trivial\w*|cosmetic|acceptable|tolerable|irrelevant)\b"
    rf"|\b(?:nothing|not anything)(?: \w+)? {_BE}(?: \w+)? (?:wrong|amiss|broken|bad|lost|serious|unusual|needed|required|necessary|urgent|affected|failing|happening|to)\b"
    r"|\b(?<!show )(?<!shows )(?<!showed )nothing (?:\w+ )?(?:wrong|serious|bad|unusual|to (?:worry|fear|do|see|fix|report|investigate|be)|has happened|happened|happens|needs?|has to|must|requires?|here)\b"
    rf"|\b(?:all|everything|everyone|it all|things)(?: \w+)? {_BE}(?: \w+)? {_FINE}\b|\b(?:all|everything) (?:good|fine|clear|okay|ok)\b"
    rf"|\b(?:it|this|that|the cache|the system|the service|(?:the )?[\ue000-\uf8ff](?: cache)?) (?:{_BE}|does) (?:\w+ )?(?:{_FINE})(?=[.,;!]|$| and\b| now\b| again\b)"
    rf"|\b(?:no|without|not an?|never an?|isn't an?|hardly an?) (?:(?:real|actual|true|genuine|serious|immediate|further|other|major|big|such|any|much) )*{_TROUBLE}\b"
    r"|\b(?:no one|nobody|none of you)(?: \w+)? (?:has to|needs?|must|should|is affected|was affected|is harmed|noticed|will notice|will be)\b"
    r"|\b(?:need not|needn't|does not need|do not need|doesn't need|don't need|does not have to|do not have to|don't have to|does not require|doesn't require|(?:not|n't|never|hardly|barely|scarcely) (?:\w+ )?notic\w+|requires no|needs no|demands no|warrants no|calls for no)\b"
    r"|\bnot (?:\w+ )?(?:serious|urgent|important|worrying|worrisome|dangerous|harmful|real|alarming|broken|needed|required|necessary|a concern|worth|actionable|critical|severe)\b"
    r"|\b(?:can|may|could|should|will|to|must) (?:be )?(?:\w+ )?(?:wait\b|ignor\w+|dismiss\w*|disregard\w*|overlook\w*|forgotten|forget|skipp?\w*|rest\b|relax|sleep|mut\w+|silenc(?:e|ed)(?! of)|suppress\w*|clos\w+|acknowledg\w+|snooz\w+)"
    r"|\b(?:resolve|settle|fix|heal|sort|right|recover)s? (?:by )?(?:itself|themselves|on (?:its|their) own|alone|soon)\b|\b(?:will|should|is going to) (?:\w+ )?(?:go away|pass|recover|be (?:fine|over|normal|back|resolved))\b"
)
_PLAYED_UP: Final = re.compile(
    r"\b(?:disast\w+|catastroph\w+|emergenc\w+|meltdowns?|apocalyp\w+|devastat\w+|crisis|crises|panic\w*|dire|doom\w*|ruin\w*|fatal\w*|lethal|nightmare|chaos|calamit\w+|horr\w+|terrif\w+|terribl\w+|dreadful\w*|"
    r"danger\w*|perilous|hazard\w*|alarming\w*|unacceptable|irreparabl\w*|irreversibl\w*|unrecoverabl\w*|permanent\w*|corrupt\w*|data loss|lost data|stolen|leaked|compromised|sabotage\w*|hacked|malicious\w*)\b"
    r"|\b(?:data|everything|all (?:the )?data) (?:is|are|was|were|has been|have been) (?:\w+ )?(?:lost|gone|deleted|destroyed|at risk)\b"
    r"|\b(?:needs?|requires?|demands?|calls? for|warrants?|deserves?) (?:an? |your |the )?(?:immediate|urgent|instant|highest|prompt|swift|full|all)\b|\b(?:everyone|everybody|someone|somebody|people|engineers?|they|we|you|all) (?:\w+ )?(?:must|should|has to|have to|needs? to|ought to|had better)\b|\b(?:act|respond|intervene|escalate) (?:now|immediately|at once|fast|quickly)\b|\b(?:at once|right away|asap|straight away)\b"
)
_TO_COME: Final = re.compile(
    r"\b(?:will|won't|shall|going to(?! (?:the|an?|its|their)\b)|about to|bound to|destined to)\b|'ll\b"
)
_MEANT: Final = re.compile(
    r"\b(?:planned|scheduled|intend(?:ed|s)?|intentional\w*|deliberate\w*|on purpose|by design|as designed|drills?|exercises?|rehears\w+|experiments?|simulat\w+|game ?days?|chaos|staged|fake\w*|hoax|"
    r"announced|authori[sz]ed|approved|agreed with|sanctioned|working as|known issue|known problem|known and|expected behaviou?r|(?:this|it|that) (?:is|was) (?:\w+ )?(?:expected|normal|usual|wanted|desired)|"
    r"(?:an?|the|our|this|planned|load|only a|just a|part of a) tests?\b(?! (?:of|for|that|says|found|flag))|(?:is|was|just|only|merely) (?:an? )?(?:test(?:ing)?|noise|glitch|hiccup|blip|artefact|artifact|fluke|coincidence|formality|joke))\b"
)
_BELITTLED: Final = re.compile(
    r"\b(?:no|of no|without|little|of little|hardly any|zero) (?:\w+ )?(?:impact|consequences?|effect|importance|relevance|significance|meaning|bearing|influence)\b|\b(?:not|n't|hardly|scarcely) (?:\w+ )?matter\b|\bmatters? (?:little|not)\b"
)
_ON_SUBJECT: Final = re.compile(r" (?:on|for|in|to) (?:the |its |this |cache |average )*§")
_DOUBTED: Final = re.compile(
    rf"\b(?:alarms?|alerts?|findings?|observations?|incident|drop|fall|rise|minutes|values?|baseline|expected (?:values?|rates?|range)|evidence|tests?|auditor|detector|detection|figures|numbers|measurements?|metrics|monitoring|statistics) {_BE}(?: \w+)? (?:wrong|mistaken|stale|outdated|false|invalid|unreliable|useless|out of date|broken|faulty|off|incorrect|meaningless|flawed|(?:an? )?(?:mistakes?|(?:measurement |counting |reading )?errors?|bugs?|illusion|misreading))\b"
)
_SEVERITY: Final = re.compile(r"\bseverit(?:y|ies)\b")
_LEVEL: Final = re.compile(r"\b(?:critical|warning|info|informational)\b")
_SHOULD: Final = re.compile(
    r"\b(?:should|must|ought|too|lower(?:ed)?|raised?|reduced?|changed?|set|downgraded?|overstated)\b"
)
_DENIED: Final = re.compile(r"\b(?:not|no|never|nor|neither|hardly|n't|whether|if|unknown)\b[^,;.]{0,18}$")
_GRAVE: Final = re.compile(r"\b(?:urgent(?:ly)?|serious(?:ly)?|severe(?:ly)?|grave(?:ly)?|major)\b")
_SLIGHT: Final = re.compile(
    r"\b(?:minor|mild(?:ly)?|negligibl[ey]|marginal)\b(?! (?:change|difference|part|role))"
)
_RESTS: Final = re.compile(r"\b(?:no|without) (?:known )?(?:cause|explanation|fault of the cache)\b")
_BORNE: Final = re.compile(
    r"\b(?:critical|warning|info|severity|sudden\w*|abrupt\w*|gradual\w*|steep\w*|sharp\w*|drop\w*|drop|fall\w*|fell|ris(?:e|es|ing|en)|rose|declin\w*|increas\w*|decreas\w*|jump\w*|mov(?:ed|es|ement)|chang\w+|unchanged|persist\w*|ongoing|continu\w*|recover\w*|incidents?|windows?|resolved|ended|over|open|closed|waited|wait|"
    r"began|begun|started|lasts?|lasted|baseline|cause[sd]?|chance|random\w*|operations|requests|improve\w*|worse\w*|other caches?|similar|before|evidence|look|backend|keys?|entries|silent|quiet)\b"
)


def wrong_judgements(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each judgement that neither severity nor state bears out."""
    low = reading.spoken
    severities = context.facts.severities.get(context.cache or context.facts.cache, set())
    yield from _belittled(reading, context, calm="info" in severities or context.facts.status == "resolved")
    if any(not _trusted(found[0], context) for found in _PLAYED_UP.finditer(low)):
        yield "the evidence does not say that it is that grave"
    if context.field != "step" and _TO_COME.search(low):
        yield "the evidence says nothing of what is to come"
    for found in _MEANT.finditer(low):
        if not _DENIED.search(low[: found.start()]) and not _trusted(found[0], context):
            yield "the evidence does not say that it was meant"
    if _DOUBTED.search(low) and not _trusted(low.rstrip("."), context):
        yield "the evidence does not doubt itself"
    if _wrong_level(low, severities):
        yield "its severity is another one"


def _belittled(reading: Reading, context: Context, *, calm: bool) -> Iterator[str]:
    for found in _PLAYED_DOWN.finditer(reading.spoken):
        fine = _RESTS.search(reading.spoken[found.start() :]) or (calm and _may_rest(found[0]))
        if not fine and not _is_quiet(found[0], reading, context, found.start()):
            yield "the evidence does not say that it is harmless"
    for found in _BELITTLED.finditer(reading.spoken):
        if not _ON_SUBJECT.match(reading.low[found.end() :]):
            yield "the evidence does not say that it is harmless"


def _is_quiet(said: str, reading: Reading, context: Context, at: int) -> bool:
    """Whether it is incidents that there were none of: others, which is checked elsewhere, or any on a day without one."""
    if re.search(r"\b(?:incident|anomal|outage|all|everything)", said) is None:
        return False
    if context.field not in {"digest", "item"}:
        return re.search(r"\b(?:other|further|such)\b", said) is not None
    cache = context.cache_at(reading, at)
    return all(fact.value == 0.0 for fact in facts_about(context, cache, ("tally",), {"incidents"}))


def _wrong_level(low: str, severities: set[str]) -> bool:
    """Whether a sentence speaks of the severity without saying it, or in words that fit another one."""
    if _SEVERITY.search(low) and (not _LEVEL.search(low) or _SHOULD.search(low)):
        return True
    if not severities:
        return False
    grave = severities & {"critical", "warning"}
    return bool(
        _SLIGHT.search(low) if grave and "info" not in severities else not grave and _GRAVE.search(low)
    )


def _may_rest(said: str) -> bool:
    """What may be said where the severity is info or all is over: that nothing has to be done."""
    return re.search(r"\b(?:nothing|no action|not need|need not)\b", said) is not None


def _trusted(said: str, context: Context) -> bool:
    return any(said in text for text in context.facts.trusted)


def empty(reading: Reading, context: Context) -> Iterator[str]:
    """A reason where a sentence holds nothing that could be checked, or says it in words that could mean anything."""
    if context.field == "step" or reading.quantities or reading.moments:
        return
    held = reading.subjects or reading.caches or reading.errors or list(named_causes(reading.spoken))
    if not held and not _BORNE.search(reading.spoken):
        yield "it says nothing that could be checked"
        return
    for word in re.findall(r"(?<![\w'-])[a-z]+(?:'[a-z]+)?(?![\w'-])", reading.low):
        if (
            not is_word(word)
            and not (len(word) > 5 and word.endswith("ly"))
            and word not in _allowed(reading)
        ):
            yield f"it says “{word[:24]}”, for which the evidence gives no ground"
            return


def _allowed(reading: Reading) -> frozenset[str]:
    """The words of the causes that a sentence names."""
    return frozenset(
        word
        for one in named_causes(reading.spoken)
        for word in re.findall(r"[a-z]+", reading.spoken[one.start : one.end])
    )
