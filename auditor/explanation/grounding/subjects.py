"""What a sentence speaks of: the quantities of a cache, by the names that people give them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LATENCY: Final = r"(?:response[- ]times?|latenc(?:y|ies)|service[- ]times?|resp\.? times?)"
_MEAN: Final = r"(?:average|mean|avg\.?)[- ]"
_95: Final = r"(?:p[- ]?95|95(?:th)?[- ]percentile|95 ?% (?:percentile|quantile)|ninety-fifth[- ]percentile)"
_99: Final = r"(?:p[- ]?99|99(?:th)?[- ]percentile|99 ?% (?:percentile|quantile)|ninety-ninth[- ]percentile)"
_50: Final = r"(?:p[- ]?50|50th[- ]percentile|median)"


def _quantile(name: str) -> str:
    of = rf"(?: (?:of )?(?:the )?(?:\w+'s )?{_LATENCY})?"
    return rf"(?:{name}{of}(?!\w)|{_LATENCY} (?:at (?:the )?)?{name})"


_PHRASES: Final[tuple[tuple[str, str], ...]] = (
    ("p95_response_time_ms", _quantile(_95)),
    ("p99_response_time_ms", _quantile(_99)),
    ("p50_response_time_ms", _quantile(_50)),
    ("hit_latency", rf"(?:{_MEAN})?(?:{_LATENCY}|speed) (?:of|for|on) (?:the )?(?:cache )?hits|(?:cache[- ])?hit[- ](?:{_LATENCY}|times?)"),
    ("miss_latency", rf"(?:{_MEAN})?(?:{_LATENCY}|speed) (?:of|for|on) (?:the )?(?:cache )?misses|(?:cache[- ])?miss[- ](?:{_LATENCY}|times?)"),
    ("avg_response_time_ms", (rf"(?:average|mean|avg\.?)(?: of the)?[- ]{_LATENCY}|{_LATENCY} (?:on average|average|mean)"
                             r"|requests? takes?|requests? took|the (?:average|mean)(?= (?:by|rose|fell|has|had|jumped|climbed|dropped|went|is|was|grew)|,? (?:about |only |just )?[\d.,]+ ?(?:ms|s|seconds)\b)")),
    ("waiting", r"(?:added|extra|additional|accumulated|cumulative|total|surplus) (?:latency|waiting(?: time)?|wait(?: time)?|delay|response time)|waiting time"),
    ("latency", _LATENCY),
    ("hit_rate", (r"(?:cache[- ])?hit[- ](?:rates?|ratios?|percentage|share)|share of (?:cache )?hits"
                 r"|share of (?:lookups|requests|gets) (?:that (?:hit|are hits|were hits)|served from (?:the )?cache|answered from (?:the )?cache)")),
    ("miss_rate", r"(?:cache[- ])?miss[- ](?:rates?|ratios?|percentage|share)|share of (?:cache )?misses"),
    ("error_rate", r"errors?[- ](?:rates?|ratios?|percentage|share)|failure[- ]rates?|share of (?:errors|failures|failed requests)"),
    ("eviction_rate", r"evictions?[- ](?:rates?|ratios?|percentage|share)|share of evictions"),
    ("sets_per_miss", r"(?:number of )?sets (?:for|per) (?:each |every |one )?miss"),
    ("throughput", (r"throughput|(?:request|operation|query|operations)[- ](?:rate|volume)|traffic|(?:number|volume|rate) of (?:requests|operations)"
                   r"|request load|load on the cache")),
    ("cache_size", (r"(?:cache[- ]|its )size|size of (?:the|this) cache|(?:number|count) of (?:cached |stored )?(?:entries|items|keys)"
                   r"|entry count|item count|cached entries|the (?:cache's )?size|(?<=more )entries(?= than)|(?<=fewer )entries(?= than)|(?<!\w )entries(?= (?:went|fell|dropped|rose|shrank|grew|declined))|a size|(?<=usual )size|(?<=normal )size|(?<=expected )size|(?<=former )size|cache(?= (?:is|was|keeps|has been|goes on) (?:filling|refilling|shrinking|growing))")),
    ("backend_calls", r"(?:(?:extra|additional|more|surplus) )?(?:backend|origin) (?:calls?|load|traffic|requests)|load on the backend|calls? to the backend"),
    ("lookups", r"(?<!per )(?:look-?ups|gets|cache reads)"),
    ("misses", r"(?:cache )?misses"),
    ("hits", r"(?:cache )?hits(?= (?:that|which|are|were|fell|rose|dropped|have|by|to|stay|remain|alike|and|,|is|slow|changed?|got|take|took|became|also|down|up|too|lag|from)|[,.;]|$)|(?:fewer|more|faster|slower|most|usual) hits"),
    ("sets", r"(?:cache )?(?:sets|writes)(?= (?:are|were|fell|rose|dropped|have|by|stay|remain|and|do|fill|came|took|evict|a minute|per)|[,.;]|$)|(?:fewer|more|most|surplus|added) sets"),
    ("evictions", r"evictions"),
    ("errors", r"(?<!backend )errors(?! (?:from|in|of|at|by) (?:the|its) backend)|failures|failed requests"),
    ("validity", r"window validity|consistency of the windows"),
)  # fmt: skip
_PATTERN: Final = re.compile(
    "|".join(rf"(?P<g{index}>(?<![\w-])(?:{phrase})(?![\w-]))" for index, (_, phrase) in enumerate(_PHRASES))
)

COLUMNS: Final[Mapping[str, str]] = {
    "avg_hit_response_time_ms": "hit_latency",
    "avg_miss_response_time_ms": "miss_latency",
    "total_operations": "throughput",
    "avg_cache_size": "cache_size",
    "silence": "throughput",
    "window_validity": "validity",
    "gets": "lookups",
}
"""Columns whose subject has another name."""

JUDGED: Final = frozenset({
    *("hit_rate", "error_rate", "eviction_rate", "throughput", "avg_response_time_ms", "p95_response_time_ms"),
    *("p99_response_time_ms", "p50_response_time_ms", "cache_size", "miss_rate", "latency", "validity"),
})  # fmt: skip
"""Subjects that may be spoken of only where the brief has them."""

LATENCIES: Final = (
    *("avg_response_time_ms", "p95_response_time_ms", "p99_response_time_ms", "p50_response_time_ms"),
    *("hit_latency", "miss_latency"),
)
_KIN: Final[Mapping[str, tuple[str, ...]]] = {
    "latency": LATENCIES,
    "errors": ("errors", "error_rate"),
    "evictions": ("evictions", "eviction_rate"),
    "lookups": ("lookups", "throughput"),
    "misses": ("misses", "miss_rate"),
    "hits": ("hits", "hit_rate"),
    "backend_calls": ("backend_calls", "calls"),
}
SHARE_OF: Final[Mapping[str, str]] = {
    "hits": "hit_rate",
    "lookups": "hit_rate",
    "misses": "miss_rate",
    "errors": "error_rate",
    "evictions": "eviction_rate",
}
"""What a percentage of these is."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A subject at a place of a sentence."""

    start: int
    end: int
    subject: str


def subject_of(metric: str) -> str:
    """The subject that a metric or a column is about."""
    return COLUMNS.get(metric, metric)


def kin(subject: str) -> tuple[str, ...]:
    """The subjects whose facts speak for one: those of any latency for "latency", its own for most."""
    return _KIN.get(subject, (subject,))


def mentions(low: str) -> Iterator[Mention]:
    """Every subject in a sentence in lower case, in order, the longest phrase first."""
    for found in _PATTERN.finditer(low):
        name = found.lastgroup
        if name is not None:
            yield Mention(found.start(), found.end(), _PHRASES[int(name[1:])][0])
