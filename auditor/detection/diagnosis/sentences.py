"""The evidence in whole sentences: what a clue measured, and what the cause would have shown instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auditor.detection.diagnosis.facts import fact
from auditor.detection.diagnosis.refutations import REFUTATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.detection.diagnosis.pictures import Picture
    from auditor.detection.diagnosis.readings import Reading
    from auditor.detection.signature import IncidentSignature

WORTH_SAYING: Final = 0.12
MOST_SENTENCES: Final = 5

NAMES: Final[Mapping[str, str]] = {
    "flush": "a flush or cold restart",
    "capacity_cut": "a cut of the cache's capacity",
    "ttl_cut": "a shorter time to live",
    "key_change": "a changed key format",
    "working_set_growth": "a grown working set",
    "surge_new_keys": "a surge of requests for new keys",
    "stampede": "a stampede on expired keys",
    "backend_slow": "a slow backend",
    "cache_slow": "a slow cache",
    "backend_errors": "errors from the backend",
    "silence": "silence of the cache or its collector",
    "collector_fault": "a fault in the collector",
    "improvement": "an improvement",
    "unknown": "a cause that is not known",
}
"""Each cause as a noun phrase."""

_WOULD_SHOW: Final[Mapping[str, Mapping[str, str]]] = {
    "hit_rate": {"fell": "a lower hit rate", "same": "an unchanged hit rate", "rose": "a higher hit rate"},
    "hits_left": {
        "few": "the loss of most hits",
        "some": "the loss of part of the hits",
        "most": "almost all hits left",
    },
    "hit_trend": {
        "falling": "a hit rate that goes on falling",
        "flat": "a hit rate that stays down",
        "recovering": "a hit rate that recovers",
    },
    "gets": {"fell": "fewer lookups", "same": "as many lookups as ever", "rose": "more lookups"},
    "hits": {"fell": "fewer hits", "same": "as many hits as ever", "rose": "more hits"},
    "size": {
        "emptied": "an almost empty cache",
        "fell": "a smaller cache",
        "same": "a cache of unchanged size",
        "rose": "a growing cache",
    },
    "size_earlier": {
        "fell": "a cache that was smaller already some minutes before",
        "same": "a size that was as expected until then",
    },
    "size_trend": {
        "falling": "a size that goes on falling",
        "flat": "a size that stays where it is",
        "refilling": "a size that climbs",
    },
    "eviction_share": {
        "none": "hardly any evictions",
        "some": "evictions on part of the sets",
        "most": "an eviction on most sets",
    },
    "evicted": {
        "no": "entries gone that no evictions account for",
        "yes": "evictions that account for the entries gone",
    },
    "evictions": {"fell": "fewer evictions", "same": "as many evictions as ever", "rose": "more evictions"},
    "landed": {"no": "surplus sets that take no room", "yes": "surplus sets that take room"},
    "refill": {"no": "sets that do not fill the cache up", "yes": "sets that fill the cache up again"},
    "size_floor": {
        "within": "a cache that holds no more than was set since",
        "beyond": "a cache that still holds older entries",
    },
    "swing": {"level": "a size that stands still", "swinging": "a size that moves"},
    "surplus": {
        "little": "added lookups that are mostly hits",
        "matching": "as many added misses as added lookups",
        "excess": "far more added misses than lookups",
    },
    "sets_per_miss": {
        "fell": "fewer sets for each miss",
        "same": "as many sets for each miss as ever",
        "rose": "more sets for each miss",
    },
    "miss_latency": {"fell": "faster misses", "same": "misses as fast as ever", "rose": "slower misses"},
    "hit_latency": {"fell": "faster hits", "same": "hits as fast as ever", "rose": "slower hits"},
    "hit_lag": {"shared": "hits that slow down with the misses", "misses_only": "misses alone slowing down"},
    "latency": {
        "fell": "a lower average response time",
        "explained": "a response time that the share of misses explains",
        "rose": "a response time beyond what the share of misses explains",
    },
    "latency_shape": {
        "level": "all requests slower by about as much",
        "tall": "the slowest requests moving most",
    },
    "errors": {"same": "no more errors than usual", "rose": "more errors"},
    "onset": {"sudden": "a sudden start", "gradual": "a slow start"},
    "brief": {"no": "a dip that lasts", "yes": "a dip that is soon over"},
    "silent_before": {"no": "no silence before", "yes": "a silence before"},
    "silence": {"no": "operations still arriving", "yes": "no operations at all"},
    "validity": {"no": "windows that add up", "yes": "windows that contradict themselves"},
    "harm": {"no": "nothing getting worse", "yes": "something getting worse"},
}


def sentences(
    picture: Picture,
    weights: Mapping[str, float],
    readings: Mapping[str, Reading],
    signature: IncidentSignature,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sentences for a cause and those against it, the weightiest first."""
    order = sorted(weights, key=lambda clue: -abs(weights[clue]))
    supports: list[str] = []
    opposes: list[str] = []
    for clue in order:
        weight, reading = weights[clue], readings[clue]
        said = fact(reading, signature)
        if not said or abs(weight) < WORTH_SAYING:
            continue
        if weight > 0.0:
            supports.append(f"{said}.")
        elif (typical := _typical(picture, clue)) != reading.kind and not reading.leans_to(typical):
            opposes.append(f"{said}; {NAMES[picture.cause]} would show {_WOULD_SHOW[clue][typical]}.")
    return tuple(supports[:MOST_SENTENCES]), tuple(opposes[:MOST_SENTENCES])


def unknown_sentences(readings: Mapping[str, Reading], signature: IncidentSignature) -> tuple[str, ...]:
    """What moved, where no cause accounts for it."""
    calm = {"same", "flat", "explained", "most", "sudden", "no", "misses_only", "shared"}
    moved = [
        reading
        for clue, reading in readings.items()
        if reading.kind not in calm and clue not in {"eviction_share", "hits_left", "harm", "landed", "swing"}
    ]
    moved.sort(key=lambda reading: -abs(reading.value) / reading.error)
    said = tuple(f"{text}." for reading in moved[:MOST_SENTENCES] if (text := fact(reading, signature)))
    if signature.flagged and set(signature.flagged) <= {"throughput"}:
        return (*said, "Only the traffic moved; the cache itself behaves as it always did.")
    return said or ("No signal moved in a way that a known cause explains.",)


def refutation(cause: str) -> str:
    """The check that would rule a cause out."""
    return REFUTATIONS[cause]


def _typical(picture: Picture, clue: str) -> str:
    shows = picture.shows[clue]
    return max(shows, key=lambda kind: shows[kind])
