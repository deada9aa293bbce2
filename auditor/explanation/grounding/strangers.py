"""Words that the brief does not account for: names, hosts, versions, addresses, code, and metrics that nobody measured."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.catalogue import named_causes
from auditor.explanation.grounding.subjects import SHARE_OF
from auditor.explanation.grounding.vocabulary import UNMEASURED, UNTOLD, is_plain, is_word
from auditor.explanation.recommendations import LEARNED, STEPS, TRAFFIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.reading import Reading

_PROSE: Final = re.compile(r"[ -~“”‘’–°±\ue000-\uf8ff]*")
_ACTIVE: Final = re.compile(
    r"://|\bwww\.|<\s*/?\s*[a-z!]|\]\s*\(|&#?\w+;|@\w|`|\bjavascript:|\bdata:", re.IGNORECASE
)
_TOKEN: Final = re.compile(r"[^\s,;()“”‘’–!?]+")
_IDENTIFIER: Final = re.compile(
    r"\w[_/\\=]\w|\w\.\w|[a-z]+[A-Z]|[A-Z]{2,}[a-z]+[A-Z]|[A-Za-z]-?\d|\d[A-Za-z]|[:#$@\\^|{}\[\]~]\S|[#$€£@\\|{}\[\]]|--\w"
)
_NUMERIC: Final = re.compile(
    r"[+-]?\d[\d.,:]*(?:%|ms|s|k|m|min|h|d|x|pp|pt|points?|th|st|nd|rd|z|utc|e[+-]?\d+|-(?:minute|point|hour|day|second|fold|operation|percent)\w*)?[.:]?",
    re.IGNORECASE,
)
_ACRONYMS: Final = frozenset(
    {
        "UTC",
        "GMT",
        "TTL",
        "TTLs",
        "OK",
        "AM",
        "PM",
        "P95",
        "P99",
        "P50",
        "I",
        "ID",
        "Z",
        "LRU",
        "LFU",
        "vs",
        "e.g",
        "i.e",
        "p.m",
        "a.m",
    }
)
_CAPITALS: Final = frozenset(
    """january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday""".split()
)
_QUOTED: Final = re.compile(r"“([^”]*)”|‘([^’]*)’|(?<!\w)'([^']{1,80})'(?!\w)|”([^”]{1,80})”")
_UNTOLD: Final = re.compile(rf"\b(?:{UNTOLD})\b")
_UNMEASURED: Final = re.compile(rf"(?<![\w§])(?:{UNMEASURED})\b")
_BEFORE_CACHE: Final = re.compile(r"\b(?P<word>[a-z][\w'-]*) (?:cache|implementation)\b(?!-)")
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
    r"\b(?:arriv\w+|c[ao]me|coming|received|reports?|reported|data|windows|served|traffic|requests|operations|lookups|errors) (?:from|by|to) (?P<rest>[a-z][\w'-]*(?: [a-z][\w'-]*)?)"
)
_HYPHENED: Final = re.compile(r"\b(?P<word>[a-z]+)-cache\b")
_BEFORE_SUBJECT: Final = re.compile(r"(?<!['\w-])(?P<word>[a-z][\w'-]*) §")
_HEAD: Final = re.compile(r"^(?P<word>[a-z][\w'-]*)(?=[:,]? |:)")
_VERB: Final = r"(?:has|have|had|is|are|was|were|shows?|showed|saw|sees|lost|loses|went|goes|fell|falls|rose|rises|dropped|drops|climbed|jumped|experienced|suffered|suffers|serves?|served|recovered|waited|wait|waits|reports?|stopped|became|stands)"
_SUBJECT_OF_VERB: Final = re.compile(rf"(?<![\w'-])(?P<word>[a-z][a-z-]*) (?P<verb>{_VERB})\b")
_LABELS: Final = frozenset(
    """summary impact cause causes since overall note unchanged unusual usual expected likely cost confidence evidence against for first then next status severity result baseline
    reason duration effect steps step traffic errors toll moved affected others also unaffected now before alternatively verdict finding symptom symptoms""".split()
)
_THINGS: Final = frozenset(
    """this its thus as is was has does hits misses lookups sets evictions errors requests operations entries keys items calls metrics signals causes minutes windows hours days seconds others
    caches counts figures values levels times points things results tests readings rates reads writes gets samples alternatives explanations hypotheses percentiles deviations replies responses answers facts sentences
    always perhaps sometimes afterwards besides what's that's there's it's less unless whereas losses incidents alerts warnings tails clues symptoms effects changes drops rises falls increases decreases
    thirds quarters fifths halves tenths dozens hundreds thousands millions ms queries failures surplus waits costs conditions sizes shares numbers bounds limits ranges differences loss excess series analysis hypothesis process
    latencies entries' ones ours yours theirs users' access status focus basis bonus bus gas plus minus versus across towards upwards downwards bounds terms means""".split()
)
_DETERMINED: Final = frozenset(
    """the a an this that these those its their it them each every all any both no one some such our which what how when where order total part turn time itself average
    worst other short particular practice sum theory principle detail brief light view favour favor case cases effect essence reality now example instance comparison reference context good certain
    top balance account paper present once best last second third next either neither absolute relative real simple plain parallel spite terms keeping time roughly nearly almost
    fact full general addition response step line first only just about around between more most less under over normal usual""".split()
)
_OF_WHAT: Final = frozenset(
    """hits misses lookups sets evictions errors requests operations entries traffic cache cached keys calls it this its minutes windows most many several half backend reads writes gets
    work data service metrics waiting latency comparison contrast parallel particular response sum short error hit miss later earlier recent yesterday today january february march april may june
    july august september october november december monday tuesday wednesday thursday friday saturday sunday least first worst night noon midnight and or so as is was not but then there
    exactly roughly nearly almost approximately slightly percentage points percent up down by severity everything anything""".split()
)
_CACHE_KINDS: Final = frozenset(
    """the a an this that its whole entire same full empty emptied cold warm smaller larger affected healthy slow slower almost nearly of own our smaller-than-usual shrunken shrinking growing normal new
    old in from for to by with and or no each every per one any at on as is was past through via extra more less hit miss between beyond around inside into out behind over under about than when while where
    which if because only still other another monitored refilled refilling filled cut served reach reaching reached hitting missing keep kept leave left make makes made have has had let fills fill filled stale faster fast
    lose losing lost use using used see saw find found restart flush warmed single local actual current configured second bypass past against but until since before after during so not both without within all
    across these those affected flush named called existing remaining underlying failing caching recovering running serving warming say says their explains explain gives give stop stopped start started""".split()
)


@lru_cache(maxsize=1)
def advised() -> frozenset[str]:
    """Every word of the advice that the auditor itself gives: commands, programs and their arguments among them."""
    texts = [part for steps in (*STEPS.values(), TRAFFIC, LEARNED) for part in steps]
    return frozenset(
        token.strip(".,:;()'`").lower()
        for text in texts
        for token in re.split(r"[\s`]+", text)
        if token.strip(".,:;()'`")
    )


@lru_cache(maxsize=1)
def _commands() -> frozenset[str]:
    texts = " ".join(part for steps in (*STEPS.values(), TRAFFIC, LEARNED) for part in steps)
    within = " ".join([*re.findall(r"`([^`]+)`", texts), *re.findall(r"\(on (\w+):", texts)])
    return frozenset(within.split())


def strangers(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each word that a reader could take for a fact that nobody measured."""
    if _ACTIVE.search(reading.text):
        yield "it holds a link, a tag, a mention or code"
        return
    if not _PROSE.fullmatch(reading.named):
        yield "it holds characters that English prose does not have"
        return
    yield from _odd_tokens(reading, context)
    yield from _untold(reading, context)
    yield from _odd_names(reading, context)


def _odd_tokens(reading: Reading, context: Context) -> Iterator[str]:
    inside = reading.named
    for one in (*reading.moments, *reading.subjects):
        inside = inside[: one.start] + " " * (one.end - one.start) + inside[one.end :]
    for one in reading.quantities:
        inside = inside[: one.start] + " " * (one.end - one.start) + inside[one.end :]
    in_step = context.field == "step"
    for found in _TOKEN.finditer(inside):
        token = found[0].strip(".:'”“\"/-…*·")
        if not token or (in_step and token in _commands()):
            continue
        bare = token.removesuffix("'s").removesuffix("’s")
        if _is_odd(bare, inside, found.start(), in_step=in_step):
            yield f"{_shortly(bare)} stands nowhere in the evidence"


def _is_odd(token: str, inside: str, at: int, *, in_step: bool) -> bool:
    if not token or token in _ACRONYMS or all(ord(letter) >= 0xE000 for letter in token):
        return False
    parts = [part for part in re.split(r"[-/]", token) if part]
    if len(parts) > 1 and all(
        part.isalpha() and (is_plain(part.lower()) or part in _ACRONYMS) for part in parts
    ):
        return False
    if any(letter.isdigit() for letter in token):
        return True
    if _IDENTIFIER.search(token):
        return not (in_step and token.lower() in advised())
    if token[:1].isupper():
        low = token.lower()
        starts = not inside[:at].strip(" (“‘-–'”") or re.search(r"[.:!?]\s*[“'(]?$", inside[:at]) is not None
        if token.isupper() and len(token) > 1:
            return not (is_word(low) and len(token) > 3)
        if low in _CAPITALS:
            return False
        return not is_plain(low) if starts else not is_word(low)
    return False


def _shortly(token: str) -> str:
    return token if len(token) <= 24 else f"{token[:23]}…"


def _untold(reading: Reading, context: Context) -> Iterator[str]:
    low = reading.low
    for found in _UNMEASURED.finditer(low):
        if context.field != "step" and not _trusted(found[0], context):
            yield f"nobody measured the {_shortly(found[0])}"
    if context.field == "step":
        return
    for found in _UNTOLD.finditer(low):
        if not _trusted(found[0], context):
            yield f"the evidence says nothing of {_shortly(found[0])}"


def _trusted(word: str, context: Context) -> bool:
    return any(re.search(rf"\b{re.escape(word)}\b", text) for text in context.facts.trusted)


def _odd_names(reading: Reading, context: Context) -> Iterator[str]:
    """A name where only the cache's own may stand: before or after "cache", before an 's, after "hit rate of"."""
    low, in_step = reading.low, context.field == "step"
    for found in _QUOTED.finditer(reading.named):
        inner = next(part for part in found.groups() if part is not None)
        if not _quotable(inner, reading):
            yield f"{_shortly(inner)} is no name in the evidence"
    for pattern, allowed in ((_BEFORE_CACHE, _CACHE_KINDS), (_CALLED, _DETERMINED)):
        for found in pattern.finditer(low):
            word = found["word"]
            if word not in allowed and not _modifies(word) and not in_step:
                yield f"{_shortly(word)} is no cache in the evidence"
    if in_step:
        return
    for found in _AFTER_CACHE.finditer(low):
        if not is_word(found["word"]) and not is_plain(found["word"]):
            yield f"{_shortly(found['word'])} is no cache in the evidence"
    for found in _POSSESSIVE.finditer(low):
        if not _may_own(found["word"]):
            yield f"{_shortly(found['word'])} is nobody in the evidence"
    yield from _odd_slots(_without_claims(reading))


def _modifies(word: str) -> bool:
    return word.endswith("ly") and len(word) > 4


def _may_own(word: str) -> bool:
    owners = {
        "cache",
        "backend",
        "it",
        "incident",
        "minute",
        "hour",
        "day",
        "collector",
        "evidence",
        "that",
        "what",
        "there",
        "here",
        "let",
        "application",
        "today",
        "yesterday",
        "window",
        "baseline",
        "entrie",
        "minute",
        "thi",
        "it",
        "hit",
        "key",
        "request",
        "lookup",
        "operation",
        "miss",
    }
    return (
        word in owners
        or is_word(word + "s")
        and word + "s" in {"hits", "misses", "minutes", "hours", "days", "keys"}
    )


def _without_claims(reading: Reading) -> str:
    """The sentence in lower case with its numbers and the names of causes blanked."""
    text = reading.low
    for start, end in [
        *((one.start, one.end) for one in reading.quantities),
        *((one.start, one.end) for one in named_causes(reading.spoken)),
    ]:
        held = "".join("§" if letter == "§" else "~" for letter in text[start:end])
        text = text[:start] + held + text[end:]
    return text


def _odd_slots(low: str) -> Iterator[str]:
    for found in _HYPHENED.finditer(low):
        if found["word"] not in {"in", "sub", "near", "non", "multi", "per", "cross"}:
            yield f"{_shortly(found[0])} is no cache in the evidence"
    for found in (*_OF.finditer(low), *_OPENING.finditer(low), *_AFFECTS.finditer(low), *_FROM.finditer(low)):
        first, *rest = found["rest"].split()
        if first in _OF_WHAT or first in _DETERMINED or first in SHARE_OF or first.endswith("ly"):
            if first in {"the", "this", "our", "that"} and rest and not is_plain(rest[0]):
                yield f"{_shortly(rest[0])} stands nowhere in the evidence"
            continue
        yield f"{_shortly(first)} is no cache in the evidence"
    for found in _BEFORE_SUBJECT.finditer(low):
        if not is_plain(found["word"]):
            yield f"{_shortly(found['word'])} stands nowhere in the evidence"
    head = _HEAD.match(low)
    if head is not None and (
        not is_plain(head["word"])
        or (low[head.end() : head.end() + 1] == ":" and head["word"] not in _LABELS)
    ):
        yield f"{_shortly(head['word'])} stands nowhere in the evidence"
    for found in _SUBJECT_OF_VERB.finditer(low):
        word = found["word"]
        named = not is_plain(word) or (word.endswith("s") and word not in _THINGS)
        if named and not (
            re.match(r"(?:has |have |had )?wait", low[found.start("verb") :])
            and word in {"users", "clients", "callers"}
        ):
            yield f"{_shortly(found['word'])} stands nowhere in the evidence"


def _quotable(inner: str, reading: Reading) -> bool:
    text = inner.strip(" .,;:")
    if not text or all(ord(letter) >= 0xE000 for letter in text):
        return True
    return bool(
        all(is_word(word.strip(".,;:").lower()) for word in re.split(r"[\s/-]+", text))
        and len(text.split()) > 1
    ) or text.lower().replace("_", " ") in {"hit rate", "error rate", "flush", "unknown"}
