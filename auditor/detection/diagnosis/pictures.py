"""What each cause looks like: for every clue, how probable each of its kinds is under that cause.

The physics is that of a cache-aside cache with least-recently-used eviction and a time to live: a miss asks the backend, then
sets; a set into a full cache evicts and is recorded; an expiry is not recorded as an eviction. A cause that shows
differently in a full cache and in one with room has a picture for each, and so has a flush of all entries and of a part: one node, one tenant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Kinds = dict[str, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """One way in which a cause shows.

    Parameters
    ----------
    cause
        One of `signature.CAUSES`.
    prior
        How common it is, relative to `UNKNOWN_PRIOR`.
    shows
        For each clue it speaks of, the probability of each kind.
    """

    cause: str
    prior: float
    shows: Mapping[str, Kinds] = field(default_factory=dict)


UNKNOWN_PRIOR: Final = 1.0

ANYTHING: Final[Mapping[str, Kinds]] = {
    "hit_rate": {"fell": 0.4, "same": 0.4, "rose": 0.2},
    "hits_left": {"few": 0.15, "some": 0.35, "most": 0.5},
    "hit_trend": {"falling": 0.25, "flat": 0.5, "recovering": 0.25},
    "gets": {"fell": 0.15, "same": 0.6, "rose": 0.25},
    "hits": {"fell": 0.35, "same": 0.45, "rose": 0.2},
    "size": {"emptied": 0.12, "fell": 0.2, "same": 0.5, "rose": 0.18},
    "size_trend": {"falling": 0.2, "flat": 0.6, "refilling": 0.2},
    "eviction_share": {"none": 0.4, "some": 0.25, "most": 0.35},
    "evictions": {"fell": 0.25, "same": 0.4, "rose": 0.35},
    "landed": {"no": 0.5, "yes": 0.5},
    "refill": {"no": 0.5, "yes": 0.5},
    "size_floor": {"within": 0.5, "beyond": 0.5},
    "swing": {"level": 0.5, "swinging": 0.5},
    "surplus": {"little": 0.4, "matching": 0.3, "excess": 0.3},
    "sets_per_miss": {"fell": 0.15, "same": 0.7, "rose": 0.15},
    "miss_latency": {"fell": 0.1, "same": 0.65, "rose": 0.25},
    "hit_latency": {"fell": 0.1, "same": 0.7, "rose": 0.2},
    "hit_lag": {"shared": 0.4, "misses_only": 0.6},
    "latency": {"fell": 0.15, "explained": 0.55, "rose": 0.3},
    "latency_shape": {"level": 0.5, "tall": 0.5},
    "errors": {"same": 0.9, "rose": 0.1},
    "onset": {"sudden": 0.75, "gradual": 0.25},
    "brief": {"no": 0.5, "yes": 0.5},
    "silence": {"no": 0.9, "yes": 0.1},
    "validity": {"no": 0.9, "yes": 0.1},
    "harm": {"no": 0.35, "yes": 0.65},
}
"""What an unknown cause may show: the measure against which every picture is weighed."""

_CALM: Final[Mapping[str, Kinds]] = {
    "gets": {"fell": 0.03, "same": 0.94, "rose": 0.03},
    "sets_per_miss": {"fell": 0.04, "same": 0.92, "rose": 0.04},
    "miss_latency": {"fell": 0.03, "same": 0.87, "rose": 0.1},
    "hit_latency": {"fell": 0.03, "same": 0.94, "rose": 0.03},
    "hit_lag": {"shared": 0.3, "misses_only": 0.7},
    "latency": {"fell": 0.05, "explained": 0.88, "rose": 0.07},
    "errors": {"same": 0.985, "rose": 0.015},
    "onset": {"sudden": 0.95, "gradual": 0.05},
    "silence": {"no": 0.999, "yes": 0.001},
    "validity": {"no": 0.999, "yes": 0.001},
    "harm": {"no": 0.03, "yes": 0.97},
}
_HEALTHY_HITS: Final[Mapping[str, Kinds]] = {
    "hit_rate": {"fell": 0.05, "same": 0.93, "rose": 0.02},
    "hits_left": {"few": 0.01, "some": 0.06, "most": 0.93},
    "hits": {"fell": 0.08, "same": 0.88, "rose": 0.04},
    "size": {"emptied": 0.01, "fell": 0.05, "same": 0.9, "rose": 0.04},
    "size_trend": {"falling": 0.06, "flat": 0.88, "refilling": 0.06},
    "evictions": {"fell": 0.08, "same": 0.86, "rose": 0.06},
}
_FEWER_HITS: Final[Mapping[str, Kinds]] = {
    "hit_rate": {"fell": 0.93, "same": 0.065, "rose": 0.005},
    "hits": {"fell": 0.85, "same": 0.14, "rose": 0.01},
}
_INTO_FULL: Final[Mapping[str, Kinds]] = {
    "size": {"emptied": 0.002, "fell": 0.01, "same": 0.94, "rose": 0.048},
    "size_trend": {"falling": 0.02, "flat": 0.93, "refilling": 0.05},
    "eviction_share": {"none": 0.03, "some": 0.27, "most": 0.7},
    "evictions": {"fell": 0.01, "same": 0.12, "rose": 0.87},
    "landed": {"no": 0.06, "yes": 0.94},
}
_INTO_ROOM: Final[Mapping[str, Kinds]] = {
    "size": {"emptied": 0.002, "fell": 0.01, "same": 0.2, "rose": 0.788},
    "size_trend": {"falling": 0.02, "flat": 0.28, "refilling": 0.7},
    "eviction_share": {"none": 0.7, "some": 0.2, "most": 0.1},
    "evictions": {"fell": 0.02, "same": 0.7, "rose": 0.28},
    "landed": {"no": 0.06, "yes": 0.94},
}
_UNSTABLE_KEYS: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_FEWER_HITS,
    "hits_left": {"few": 0.96, "some": 0.035, "most": 0.005},
    "hit_trend": {"falling": 0.1, "flat": 0.87, "recovering": 0.03},
    "brief": {"no": 0.95, "yes": 0.05},
}
_RENAMED_KEYS: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_FEWER_HITS,
    "hits_left": {"few": 0.3, "some": 0.65, "most": 0.05},
    "hit_trend": {"falling": 0.01, "flat": 0.19, "recovering": 0.8},
    "brief": {"no": 0.2, "yes": 0.8},
}
_GROWTH: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_FEWER_HITS,
    "hits_left": {"few": 0.04, "some": 0.76, "most": 0.2},
    "hit_trend": {"falling": 0.35, "flat": 0.6, "recovering": 0.05},
    "brief": {"no": 0.9, "yes": 0.1},
    "onset": {"sudden": 0.6, "gradual": 0.4},
}
_SURGE: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_FEWER_HITS,
    "gets": {"fell": 0.001, "same": 0.049, "rose": 0.95},
    "hits": {"fell": 0.2, "same": 0.74, "rose": 0.06},
    "hits_left": {"few": 0.3, "some": 0.5, "most": 0.2},
    "surplus": {"little": 0.02, "matching": 0.93, "excess": 0.05},
    "hit_trend": {"falling": 0.1, "flat": 0.8, "recovering": 0.1},
}
_STAMPEDE: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_HEALTHY_HITS,
    "hit_rate": {"fell": 0.93, "same": 0.065, "rose": 0.005},
    "hits": {"fell": 0.5, "same": 0.45, "rose": 0.05},
    "hits_left": {"few": 0.12, "some": 0.6, "most": 0.28},
    "hit_trend": {"falling": 0.15, "flat": 0.55, "recovering": 0.3},
    "gets": {"fell": 0.02, "same": 0.68, "rose": 0.3},
    "landed": {"no": 0.95, "yes": 0.05},
    "miss_latency": {"fell": 0.01, "same": 0.24, "rose": 0.75},
    "hit_lag": {"shared": 0.05, "misses_only": 0.95},
    "latency": {"fell": 0.02, "explained": 0.38, "rose": 0.6},
}
_CROWDS: Final[Mapping[str, Kinds]] = {
    "gets": {"fell": 0.001, "same": 0.099, "rose": 0.9},
    "hits": {"fell": 0.2, "same": 0.6, "rose": 0.2},
    "surplus": {"little": 0.1, "matching": 0.7, "excess": 0.2},
    "miss_latency": {"fell": 0.005, "same": 0.095, "rose": 0.9},
    "latency": {"fell": 0.01, "explained": 0.19, "rose": 0.8},
}
_NO_EVICTIONS: Final[Mapping[str, Kinds]] = {
    "eviction_share": {"none": 0.8, "some": 0.16, "most": 0.04},
    "evictions": {"fell": 0.6, "same": 0.37, "rose": 0.03},
}
_BETTER: Final[Mapping[str, Kinds]] = {
    **_CALM,
    "harm": {"no": 0.99, "yes": 0.01},
    "onset": ANYTHING["onset"],
    "miss_latency": {"fell": 0.2, "same": 0.78, "rose": 0.02},
    "hit_latency": {"fell": 0.2, "same": 0.78, "rose": 0.02},
    "latency": {"fell": 0.4, "explained": 0.58, "rose": 0.02},
}

_FASTER: Final[Mapping[str, Kinds]] = {**_BETTER, "hit_rate": {"fell": 0.02, "same": 0.93, "rose": 0.05}}
_TRAFFIC: Final[Mapping[str, Kinds]] = {
    **_CALM,
    "harm": {"no": 0.5, "yes": 0.5},
    "hits_left": {"few": 0.02, "some": 0.3, "most": 0.68},
    "onset": ANYTHING["onset"],
}
MORE_TRAFFIC: Final[Mapping[str, Kinds]] = {
    "gets": {"fell": 0.001, "same": 0.049, "rose": 0.95},
    "hits": {"fell": 0.002, "same": 0.048, "rose": 0.95},
    "hit_rate": {"fell": 0.2, "same": 0.5, "rose": 0.3},
    "surplus": {"little": 0.93, "matching": 0.06, "excess": 0.01},
    "size": {"emptied": 0.01, "fell": 0.02, "same": 0.6, "rose": 0.37},
    "evictions": {"fell": 0.05, "same": 0.3, "rose": 0.65},
}
LESS_TRAFFIC: Final[Mapping[str, Kinds]] = {
    "gets": {"fell": 0.95, "same": 0.049, "rose": 0.001},
    "hits": {"fell": 0.95, "same": 0.048, "rose": 0.002},
    "hit_rate": {"fell": 0.4, "same": 0.55, "rose": 0.05},
    "size": {"emptied": 0.02, "fell": 0.4, "same": 0.57, "rose": 0.01},
    "size_trend": {"falling": 0.5, "flat": 0.49, "refilling": 0.01},
    "evictions": {"fell": 0.65, "same": 0.34, "rose": 0.01},
}

PICTURES: Final = (
    Picture(
        "flush",
        1.0,
        {
            **_CALM,
            **_FEWER_HITS,
            **_NO_EVICTIONS,
            "hit_trend": {"falling": 0.05, "flat": 0.4, "recovering": 0.55},
            "brief": {"no": 0.4, "yes": 0.6},
            "size": {"emptied": 0.66, "fell": 0.29, "same": 0.045, "rose": 0.005},
            "size_trend": {"falling": 0.04, "flat": 0.16, "refilling": 0.8},
            "refill": {"no": 0.05, "yes": 0.95},
            "swing": {"level": 0.05, "swinging": 0.95},
            "size_floor": {"within": 0.93, "beyond": 0.07},
        },
    ),
    Picture(
        "flush",
        0.25,
        {
            **_CALM,
            **_FEWER_HITS,
            **_NO_EVICTIONS,
            "hits_left": {"few": 0.05, "some": 0.65, "most": 0.3},
            "hit_trend": {"falling": 0.03, "flat": 0.37, "recovering": 0.6},
            "brief": {"no": 0.4, "yes": 0.6},
            "size": {"emptied": 0.05, "fell": 0.9, "same": 0.045, "rose": 0.005},
            "size_trend": {"falling": 0.04, "flat": 0.26, "refilling": 0.7},
            "refill": {"no": 0.05, "yes": 0.95},
            "swing": {"level": 0.1, "swinging": 0.9},
            "size_floor": {"within": 0.3, "beyond": 0.7},
        },
    ),
    Picture(
        "capacity_cut",
        0.8,
        {
            **_CALM,
            **_FEWER_HITS,
            "hit_trend": {"falling": 0.2, "flat": 0.75, "recovering": 0.05},
            "brief": {"no": 0.9, "yes": 0.1},
            "size": {"emptied": 0.3, "fell": 0.67, "same": 0.028, "rose": 0.002},
            "size_trend": {"falling": 0.12, "flat": 0.85, "refilling": 0.03},
            "refill": {"no": 0.95, "yes": 0.05},
            "swing": {"level": 0.9, "swinging": 0.1},
            "eviction_share": {"none": 0.02, "some": 0.2, "most": 0.78},
            "evictions": {"fell": 0.02, "same": 0.1, "rose": 0.88},
            "landed": {"no": 0.25, "yes": 0.75},
        },
    ),
    Picture(
        "ttl_cut",
        0.8,
        {
            **_CALM,
            **_FEWER_HITS,
            **_NO_EVICTIONS,
            "hit_trend": {"falling": 0.35, "flat": 0.6, "recovering": 0.05},
            "brief": {"no": 0.9, "yes": 0.1},
            "size": {"emptied": 0.4, "fell": 0.4, "same": 0.195, "rose": 0.005},
            "size_trend": {"falling": 0.42, "flat": 0.33, "refilling": 0.25},
            "refill": {"no": 0.85, "yes": 0.15},
            "swing": {"level": 0.1, "swinging": 0.9},
            "size_floor": {"within": 0.4, "beyond": 0.6},
            "landed": {"no": 0.95, "yes": 0.05},
            "onset": {"sudden": 0.6, "gradual": 0.4},
        },
    ),
    Picture("key_change", 0.5, {**_UNSTABLE_KEYS, **_INTO_FULL}),
    Picture("key_change", 0.4, {**_UNSTABLE_KEYS, **_INTO_ROOM}),
    Picture("key_change", 0.35, {**_RENAMED_KEYS, **_INTO_FULL}),
    Picture("key_change", 0.3, {**_RENAMED_KEYS, **_INTO_ROOM}),
    Picture("working_set_growth", 0.6, {**_GROWTH, **_INTO_FULL}),
    Picture("working_set_growth", 0.4, {**_GROWTH, **_INTO_ROOM}),
    Picture("surge_new_keys", 0.6, {**_SURGE, **_INTO_FULL}),
    Picture("surge_new_keys", 0.4, {**_SURGE, **_INTO_ROOM}),
    Picture("stampede", 0.35, _STAMPEDE),
    Picture("stampede", 0.3, {**_STAMPEDE, **_CROWDS}),
    Picture(
        "backend_slow",
        1.0,
        {
            **_CALM,
            **_HEALTHY_HITS,
            "miss_latency": {"fell": 0.002, "same": 0.018, "rose": 0.98},
            "hit_lag": {"shared": 0.03, "misses_only": 0.97},
            "latency": {"fell": 0.01, "explained": 0.07, "rose": 0.92},
            "latency_shape": {"level": 0.15, "tall": 0.85},
            "onset": {"sudden": 0.8, "gradual": 0.2},
        },
    ),
    Picture(
        "cache_slow",
        0.7,
        {
            **_CALM,
            **_HEALTHY_HITS,
            "hit_latency": {"fell": 0.002, "same": 0.018, "rose": 0.98},
            "miss_latency": {"fell": 0.02, "same": 0.6, "rose": 0.38},
            "hit_lag": {"shared": 0.96, "misses_only": 0.04},
            "latency": {"fell": 0.01, "explained": 0.07, "rose": 0.92},
            "latency_shape": {"level": 0.85, "tall": 0.15},
            "onset": {"sudden": 0.8, "gradual": 0.2},
        },
    ),
    Picture(
        "backend_errors",
        1.0,
        {
            **_CALM,
            "errors": {"same": 0.03, "rose": 0.97},
            "gets": {"fell": 0.3, "same": 0.67, "rose": 0.03},
            "hit_rate": {"fell": 0.35, "same": 0.4, "rose": 0.25},
            "sets_per_miss": {"fell": 0.75, "same": 0.24, "rose": 0.01},
            "size": {"emptied": 0.03, "fell": 0.27, "same": 0.68, "rose": 0.02},
            "evictions": {"fell": 0.5, "same": 0.45, "rose": 0.05},
            "miss_latency": {"fell": 0.2, "same": 0.5, "rose": 0.3},
            "latency": ANYTHING["latency"],
        },
    ),
    Picture("unknown", 0.15, {**_CALM, **_HEALTHY_HITS}),
    Picture("unknown", 0.6, {**_TRAFFIC, **MORE_TRAFFIC}),
    Picture("unknown", 0.6, {**_TRAFFIC, **LESS_TRAFFIC}),
    Picture("silence", 1.0, {"silence": {"no": 0.001, "yes": 0.999}, "harm": _CALM["harm"]}),
    Picture(
        "collector_fault",
        1.0,
        {"validity": {"no": 0.001, "yes": 0.999}, "harm": _CALM["harm"], "silence": _CALM["silence"]},
    ),
    Picture("improvement", 0.5, {**_BETTER, "hit_rate": {"fell": 0.01, "same": 0.04, "rose": 0.95}}),
    Picture("improvement", 0.4, {**_FASTER, "latency": {"fell": 0.96, "explained": 0.03, "rose": 0.01}}),
    Picture("improvement", 0.4, {**_FASTER, "miss_latency": {"fell": 0.96, "same": 0.03, "rose": 0.01}}),
    Picture("improvement", 0.4, {**_FASTER, "hit_latency": {"fell": 0.96, "same": 0.03, "rose": 0.01}}),
)

DECISIVE: Final = frozenset({"silence", "validity"})
"""Clues that are reports, not measurements: they count in full."""
