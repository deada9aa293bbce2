"""Names where only a cache of the brief may stand: beside "cache", before an 's, after "hit rate of", before a verb."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.catalogue import named_causes
from auditor.explanation.grounding.subjects import SHARE_OF
from auditor.explanation.grounding.vocabulary import is_plain, is_word, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.reading import Reading

_QUOTED: Final = re.compile(r"“([^”]*)”|‘([^’]*)’|(?<!\w)'([^']{1,80})'(?!\w)|”([^”]{1,80})”")
_OWNERS: Final = words("""cache backend it incident minute hour day collector evidence that what there here let application today yesterday window baseline
    entrie thi hit key request lookup operation miss hits misses minutes hours days keys""")
_HYPHENS: Final = words("in sub near non multi per cross")
_BEFORE_CACHE: Final = re.compile(r"\b(?P<word>[a-z][\w'-]*) (?:caches?|implementation)\b(?!-)")
_AFTER_CACHE: Final = re.compile(r"\bcache (?:named |called )?(?P<word>[a-z][\w'-]*)")
_CALLED: Final = re.compile(r"\b(?:named|called|known as)\s+(?P<word>[a-z][\w'-]*)")
_POSSESSIVE: Final = re.compile(r"\b(?P<word>[a-z][\w-]*)(?:'s|s')(?= )")
_OF: Final = re.compile(
    r"(?:§|\b(?:incident|anomaly|problem|cache|drop|fall|rise|outage|silence|degradation|alert|operations|traffic|increase|decline|jump|spike|slowdown|observation|issue)) (?:of|for|in|on|at|affecting) (?P<rest>[a-z][\w'-]*(?: [a-z][\w'-]*)?)"
)
_OPENING: Final = re.compile(
    r"(?:^|[;:,] (?:and )?)(?:in|for|on|at|of) (?P<rest>[a-z][\w'-]*(?: [a-z][\w'-]*)?)"
)
_AFFECTS: Final = re.compile(
    r"\b(?:affects?|affecting|impacts|impacting|concerns|hitting) (?P<rest>[a-z][\w'-]*(?: [a-z][\w'-]*)?)"
)
_FROM: Final = re.compile(
    r"\b(?:arriv\w+|heard|hears|c[ao]me|coming|received|reports?|reported|data|windows|served|traffic|requests|operations|lookups|errors|writes|written|wrote) (?:from|by|to|for) (?P<rest>[a-z][\w'-]*(?: [a-z][\w'-]*)?)"
)
_BESIDE: Final = re.compile(r"~ (?:on|for|in) (?P<rest>[a-z][\w'-]*(?: [a-z][\w'-]*)?)")
_HYPHENED: Final = re.compile(r"\b(?P<word>[a-z]+)-cache\b")
_BEFORE_SUBJECT: Final = re.compile(r"(?<!['\w-])(?P<word>[a-z][\w'-]*) §")
_HEAD: Final = re.compile(r"^(?P<word>[a-z][\w'-]*)(?=[:,]? |:)")
_VERB: Final = r"(?:has|have|had|is|are|was|were|shows?|showed|saw|sees|lost|loses|went|goes|fell|falls|rose|rises|dropped|drops|climbed|jumped|experienced|suffered|suffers|serves?|served|recovered|waited|wait|waits|responds?|behaves?|performs?|runs|keeps|remains?|looks|seems|appears|returned|came|sits|stood|reports?|stopped|became|stands)"
_SUBJECT_OF_VERB: Final = re.compile(rf"(?<![\w'-])(?P<word>[a-z][a-z-]*) (?P<verb>{_VERB})\b")
_APPOSED: Final = re.compile(rf", (?P<word>[a-z][a-z-]*), {_VERB}\b")
_LABELS: Final = words("""summary impact cause causes since overall note unchanged unusual usual expected likely cost confidence evidence against for first then next status severity result baseline
    reason duration effect size lookups evictions sets hits misses throughput latency errors p95 p99 news steps step traffic errors toll moved affected others also unaffected now before alternatively verdict finding symptom symptoms""")
_THINGS: Final = words("""this its thus as is was has does hits misses lookups sets evictions errors requests operations entries keys items calls metrics signals causes minutes windows hours days seconds others
    caches counts figures values levels times points things results tests readings rates reads writes gets samples alternatives explanations hypotheses percentiles deviations replies responses answers facts sentences
    always perhaps sometimes afterwards besides what's that's there's it's less unless whereas losses incidents alerts warnings tails clues symptoms effects changes drops rises falls increases decreases
    thirds quarters fifths halves tenths dozens hundreds thousands millions ms queries failures surplus waits costs conditions sizes shares numbers bounds limits ranges differences loss excess series analysis hypothesis process
    latencies entries' ones ours yours theirs users' access status focus basis bonus bus gas plus minus versus across towards upwards downwards bounds terms means""")
_DETERMINED: Final = words("""the a an this that these those its their it them each every all any both no one some such our which what how when where order total part turn time itself average
    worst other short particular practice sum theory principle detail brief light view favour favor case cases effect essence reality now example instance comparison reference context good certain
    top balance account paper present once best last second third next either neither absolute relative real simple plain parallel spite terms keeping time roughly nearly almost
    fact full general addition response step line first only just about around between more most less under over normal usual""")
_OF_WHAT: Final = words("""hits misses lookups sets evictions errors requests operations entries traffic cache cached keys calls it this its minutes windows most many several half backend reads writes gets
    work data service metrics waiting latency comparison contrast parallel particular response sum short error hit miss later earlier recent yesterday today january february march april may june
    july august september october november december monday tuesday wednesday thursday friday saturday sunday least first worst night noon midnight and or so as is was not but then there
    exactly roughly nearly almost approximately slightly percentage points percent up down by severity everything anything""")
_CACHE_KINDS: Final = words("""the a an this that its whole entire same full empty emptied cold warm smaller larger affected healthy slow slower almost nearly of own our smaller-than-usual shrunken shrinking growing normal new
    old in from for to by with and or no each every per one any at on as is was past through via extra more less hit miss between beyond around inside into out behind over under about than when while where
    which if because only still other another monitored refilled refilling filled cut served reach reaching reached hitting missing keep kept leave left make makes made have has had let fills fill filled stale faster fast
    lose losing lost use using used see saw find found restart flush warmed single local actual current configured second bypass past against but until since before after during so not both without within all
    across these those affected flush several two both three four many various more further neighbouring named called existing remaining underlying failing caching recovering running serving warming say says their explains explain gives give stop stopped start started""")


def odd_names(reading: Reading, *, in_step: bool) -> Iterator[str]:
    """Every word in such a place that is no cache of the brief and no word of the language of incidents."""
    for found in _QUOTED.finditer(reading.named):
        inner = next(part for part in found.groups() if part is not None)
        if not _quotable(inner):
            yield inner
    if in_step:
        return
    low = reading.low
    for pattern, allowed in ((_BEFORE_CACHE, _CACHE_KINDS), (_CALLED, _DETERMINED), (_HYPHENED, _HYPHENS)):
        for found in pattern.finditer(low):
            if found["word"] not in allowed and not _is_adverb(found["word"]):
                yield found["word"]
    yield from (found["word"] for found in _AFTER_CACHE.finditer(low) if not is_plain(found["word"]))
    yield from (found["word"] for found in _POSSESSIVE.finditer(low) if found["word"] not in _OWNERS)
    bare = _without_claims(reading)
    yield from _objects(bare)
    yield from _heads(bare)


def _is_adverb(word: str) -> bool:
    return word.endswith("ly") and len(word) > 4


def _without_claims(reading: Reading) -> str:
    """The sentence in lower case with its numbers and the names of causes blanked."""
    text = reading.low
    spans = [(one.start, one.end) for one in reading.quantities]
    spans += [(one.start, one.end) for one in named_causes(reading.spoken)]
    for start, end in spans:
        held = "".join("§" if letter == "§" else "~" for letter in text[start:end])
        text = text[:start] + held + text[end:]
    return text


def _objects(low: str) -> Iterator[str]:
    """Names after "hit rate of", "in", "affects" and the like."""
    for pattern in (_OF, _OPENING, _AFFECTS, _FROM, _BESIDE):
        for found in pattern.finditer(low):
            first, *rest = found["rest"].split()
            if first in {"the", "this", "our", "that"}:
                yield from (word for word in rest if not is_plain(word))
            elif (
                first not in _OF_WHAT
                and first not in _DETERMINED
                and first not in SHARE_OF
                and not _is_adverb(first)
            ):
                yield first


def _heads(low: str) -> Iterator[str]:
    """Names before a metric, at the start, and before a verb."""
    yield from (found["word"] for found in _BEFORE_SUBJECT.finditer(low) if not is_plain(found["word"]))
    head = _HEAD.match(low)
    if head is not None:
        labels = low[head.end() : head.end() + 1] == ":" and head["word"] not in _LABELS
        if labels or not is_plain(head["word"]):
            yield head["word"]
    for found in _APPOSED.finditer(low):
        if not is_plain(found["word"]) or (found["word"].endswith("s") and found["word"] not in _THINGS):
            yield found["word"]
    for found in _SUBJECT_OF_VERB.finditer(low):
        word = found["word"]
        waiting = word in {"users", "clients", "callers"} and re.match(
            r"[^.;]{0,40}\bwait", low[found.start("verb") :]
        )
        if not waiting and (not is_plain(word) or (word.endswith("s") and word not in _THINGS)):
            yield word


def _quotable(inner: str) -> bool:
    """Whether what stands in quotation marks is a masked name, a metric, or words."""
    text = inner.strip(" .,;:")
    if not text or all(ord(letter) >= 0xE000 for letter in text):
        return True
    parts = re.split(r"[\s/-]+", text)
    worded = len(parts) > 1 and all(is_word(word.strip(".,;:").lower()) for word in parts)
    return worded or text.lower() in {"flush", "unknown", "open", "resolved"}
