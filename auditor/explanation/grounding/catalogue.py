"""The causes of the catalogue as people name them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLOW: Final = r"(?:slow(?:er|ed|ness|ing|s)?(?: down)?|sluggish(?:ness)?|degraded|degradation|struggling|overloaded|overload|saturated|saturation|lagging|laggy|latency|congested)"
_BACK: Final = r"(?:backend|origin|upstream|database|data store|source of truth)"
_BE: Final = r"(?:(?:is|was|has|have|had|got|gets|became|becoming|being|turned|may|might|be|been|itself|server|now|simply) ){0,3}"
_CUT: Final = r"(?:cut|cuts|reduc(?:ed|tion)|shrunk|shrinking|smaller|lower(?:ed)?|less|limited|tightened|downsized|decreased?|halved|trimmed|drop in|loss of)"

_PHRASES: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("stampede",), r"stampedes?|thundering herds?|dog-?pil(?:e|ing)|(?:hot|popular) keys? (?:that )?(?:has |have )?expir\w+|many requests for (?:the same|one) expired key|expired keys"),
    (("flush",), r"flush(?:ed|es|ing)?|cold[- ](?:re)?start\w*|re-?start(?:ed|s|ing)?|reboot(?:ed|s|ing)?|wip(?:ed|e|ing)(?: out)?|cleared|purg(?:ed?|ing)|invalidated|emptied(?! by)|lost its contents?|bounced|fail(?:ed)?[- ]?over"),
    (("capacity_cut",), (rf"{_CUT}(?: of| in| to)? (?:the |its )?(?:cache'?s? |[\ue000-\uf8ff]'s )?(?:configured )?(?:capacity|memory|max-?memory|memory limit)|(?:capacity|memory limit|maxmemory)(?: (?:was|is|has been|being|has|got))? (?:\w+ )?{_CUT}"
                        rf"|capacity (?:cut|loss|reduction)|eviction pressure|memory pressure|out of memory|ran out of (?:room|memory|space)|(?:resized|downsized)(?: cache)?|cache (?:was |has been )?(?:resized|made smaller)|the capacity|its capacity|capacity")),
    (("ttl_cut",), r"ttls?|times?[- ]to[- ]live|(?:shorter|reduced|shortened|lower) (?:lifetimes?|expiry|expiration)|expir(?:y|ation)(?: times?)?|entries (?:now )?expir(?:e|ed|ing) (?:too )?(?:soon|early|fast|quick)\w*"),
    (("ttl_cut", "stampede"), r"expir(?:e|es|ed|ing)"),
    (("surge_new_keys",), r"(?:surges?|flood(?:s|ed|ing)?|bursts?|waves?|influx|spikes?) (?:of|in) (?:requests|lookups|traffic|new|unseen|unknown|cold|never)\b(?:[\w ]{0,20}? keys)?|crawlers?|scrap(?:er|ing)|bots?\b|key scan"),
    (("surge_new_keys", "working_set_growth", "key_change"), r"new keys"),
    (("surge_new_keys", "working_set_growth"), r"(?:unseen|unfamiliar|never[- ]seen|previously unseen|unknown|cold) keys|keys (?:that were )?never (?:seen|asked)|flood(?:s|ed|ing)? the cache"),
    (("working_set_growth",), r"(?:working|key) ?set(?:s)?(?: \w+)? (?:grew|grown|growth|has grown|outgrew|expanded|widened)|(?:grown|growing|larger|bigger|wider|growth (?:of|in)) (?:the |its )?(?:working set|set of keys|key ?space)|working[- ]set|(?:more|wider range of|wider variety of) (?:distinct |different )keys|outgrow\w*|outgrew"),
    (("key_change",), (r"(?:cache )?keys?[- ](?:formats?|schemes?|schemas?|versions?|version bump|prefix(?:es)?|naming|layouts?|changes?|templates?|structures?|construction|builder|hash(?:ing)?|mismatch)|keys? (?:that )?(?:have |has |are |were |is |being )*(?:changed|differ\w*|renamed|built differently|unstable|altered|reformatted|no longer match)"
                     r"|(?:changed?|different|altered|unstable|renamed|modified|mismatched) (?:in |of |to |the |cache |the cache |in the |of the |to the |in how |how )*(?:cache )?keys?(?: formats?| schemes?| versions?| prefix(?:es)?)?\b|how (?:the |its |cache )*keys are (?:built|formed|made|constructed|composed)|format of (?:the |its )?(?:cache )?keys|(?:key|keys) (?:prefix|version)")),
    (("backend_errors",), rf"errors? (?:from|in|of|at|by) (?:the |its )?{_BACK}|{_BACK}(?:'s)?[- ](?:{_BE})(?:errors?|failures?|failing|fails|failed|outage|down|erroring|broken|unavailable|returning errors)|{_BACK} (?:now |also |is |keeps |probably |possibly |most likely |almost certainly )?(?:returns|returned|throws|threw|gives|gave|produces|produced|reports|raises|returning|throwing) (?:\w+ )?errors|(?:failing|broken|faulty|erroring|unavailable) {_BACK}"),
    (("backend_slow",), rf"{_SLOW} (?:of |in |at |from )?(?:the |its )?{_BACK}|{_BACK}(?:'s)?[- ](?:{_BE})(?:responds? |answers? |responding |answering |running |performing )?(?:more )?{_SLOW}|slow(?:er|ness)?(?: of| in)? the {_BACK}"),
    (("cache_slow",), rf"(?<!\w){_SLOW} (?:of |in )?(?:the |this |its )?cache(?: server| itself| process)?(?! (?:hits|misses|size|keys))|cache(?: server| itself| process|'s own)?,? (?:{_BE})(?:responds? |answers? |running )?{_SLOW}(?= |[.,;)]|$)"),
    (("collector_fault",), r"collector(?:'s)? (?:\w+ )?(?:faults?|bugs?|errors?|problem|failure|misbehav\w+|miscount\w*|broken|is wrong)|(?:faults?|bugs?|errors?|problem) (?:in|of|with) (?:the |its )?collector|(?:faulty|broken|buggy|misbehaving) collector|miscount\w*|windows (?:that )?contradict"),
    (("silence",), r"silence of the cache|(?:cache|collector|application)(?: or its collector)? (?:has |have |is |went |fell |being )*(?:silent|quiet|dead|stopped(?: reporting)?|down|stuck)|silent collector|stopped reporting|outage"),
    (("improvement",), r"(?:an |the |a genuine |real )?improvements?|improved|got better"),
    (("unknown",), r"cause (?:that )?(?:is |remains |stays )(?:not known|unknown|unclear|undetermined)|unknown cause|no known cause|unexplained|cause unknown|none of the (?:known )?causes|not explained by any"),
    (("cache_slow",), r"slow cache"),
)  # fmt: skip
_PATTERN: Final = re.compile(
    "|".join(rf"(?P<g{index}>(?<![\w-])(?:{phrase})(?![\w-]))" for index, (_, phrase) in enumerate(_PHRASES))
)


@dataclass(frozen=True, slots=True)
class Named:
    """A cause at a place of a sentence; words that fit several causes name each of them."""

    start: int
    end: int
    causes: tuple[str, ...]


def named_causes(low: str) -> Iterator[Named]:
    """Every cause that a sentence in lower case names or describes."""
    for found in _PATTERN.finditer(low):
        name = found.lastgroup
        if name is not None:
            yield Named(found.start(), found.end(), _PHRASES[int(name[1:])][0])
