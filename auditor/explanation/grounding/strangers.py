"""Words that the brief does not account for: names, hosts, versions, addresses, code, and metrics that nobody measured."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.advice import LOOKING, MENDERS
from auditor.explanation.grounding.slots import odd_names
from auditor.explanation.grounding.vocabulary import UNMEASURED, UNTOLD, is_plain, is_word, words
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
_CAPITALS: Final = words("""january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday""")
_COMMANDED: Final = re.compile(
    r"[A-Z][a-z]+ (?:the|a|an|that|this|its|any|all|how|whether|for|if|each|both|which|what|some|more|back|with|keys|entries|misses|out)\b"
)
_UNTOLD: Final = re.compile(rf"\b(?:{UNTOLD})\b")
_UNMEASURED: Final = re.compile(rf"(?<![\w§])(?:{UNMEASURED})\b")


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


def active(reading: Reading, _: Context) -> Iterator[str]:
    """A reason for what does something where it is shown, or passes for another letter."""
    if _ACTIVE.search(reading.text):
        yield "it holds a link, a tag, a mention or code"
    elif not _PROSE.fullmatch(reading.named):
        yield "it holds characters that English prose does not have"


def strangers(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each word that a reader could take for a fact that nobody measured."""
    yield from _odd_tokens(reading, context)
    yield from _untold(reading, context)
    for name in odd_names(reading, in_step=context.field == "step"):
        yield f"{shortly(name)} is no name in the evidence"


def _odd_tokens(reading: Reading, context: Context) -> Iterator[str]:
    inside = reading.named
    spans = [(one.start, one.end) for one in reading.moments]
    spans += [(one.start, one.end) for one in reading.subjects]
    spans += [(one.start, one.end) for one in reading.quantities]
    for start, end in spans:
        inside = inside[:start] + " " * (end - start) + inside[end:]
    in_step = context.field == "step"
    for found in _TOKEN.finditer(inside):
        token = found[0].strip(".:'”“\"/-…*·")
        if not token or (in_step and token in _commands()):
            continue
        bare = token.removesuffix("'s").removesuffix("’s")
        if _is_odd(bare, inside, found.start(), in_step=in_step):
            yield f"{shortly(bare)} stands nowhere in the evidence"


def _is_odd(token: str, inside: str, at: int, *, in_step: bool) -> bool:
    """Whether a token is a number in disguise, an identifier or a proper noun that the evidence does not have."""
    if not token or token in _ACRONYMS or all(ord(letter) >= 0xE000 for letter in token) or _compound(token):
        return False
    if any(letter.isdigit() for letter in token):
        return True
    if _IDENTIFIER.search(token):
        return not (in_step and token.lower() in advised())
    return token[:1].isupper() and _is_proper(token, inside, at, in_step=in_step)


def _compound(token: str) -> bool:
    """Whether a token is made of words: key-format, and/or."""
    parts = [part for part in re.split(r"[-/]", token) if part]
    return len(parts) > 1 and all(
        part.isalpha() and (is_plain(part.lower()) or part in _ACRONYMS) for part in parts
    )


def _is_proper(token: str, inside: str, at: int, *, in_step: bool) -> bool:
    """Whether a capitalised token is a name rather than a word that starts a sentence, or a step's imperative."""
    low = token.lower()
    if low in _CAPITALS:
        return False
    if token.isupper() and len(token) > 1:
        return not is_word(low) or len(token) <= 3
    if in_step and (low in advised() or low in LOOKING or low in MENDERS or _COMMANDED.match(inside, at)):
        return False
    before = inside[:at]
    starts = not before.strip(" (“‘-–'”") or re.search(r"[.:!?]\s*[“'(]?$", before) is not None
    return not (is_plain(low) if starts else is_word(low))


def shortly(token: str) -> str:
    """A token, cut to a length that a reason can bear."""
    return token if len(token) <= 24 else f"{token[:23]}…"


def unmeasured(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each metric that no window of a cache holds."""
    for found in _UNMEASURED.finditer(reading.low) if context.field != "step" else ():
        if not _trusted(found[0], context):
            yield f"nobody measured the {shortly(found[0])}"


def _untold(reading: Reading, context: Context) -> Iterator[str]:
    for found in _UNTOLD.finditer(reading.low) if context.field != "step" else ():
        if not _trusted(found[0], context):
            yield f"the evidence says nothing of {shortly(found[0])}"


def _trusted(word: str, context: Context) -> bool:
    return any(re.search(rf"\b{re.escape(word)}\b", text) for text in context.facts.trusted)
