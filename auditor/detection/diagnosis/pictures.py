"""What each cause looks like: for every clue, how probable each of its kinds is under that cause.

The physics is that of a cache-aside cache with least-recently-used eviction and a time to live: a miss asks the backend, then
sets; a set into a full cache evicts and is recorded; an expiry is not recorded as an eviction. A cause that shows
differently in a full cache and in one with room has a picture for each, and so has a flush of all entries and of a part: one node, one tenant.

The probabilities were set from that physics and then fitted to simulated faults: the conditional likelihood of the cause that was done, less the
divergence from what had been set (a discriminative fit of a naive Bayes; Ng and Jordan 2002). docs/method.md says on what.
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
    "size_earlier": {"fell": 0.2, "same": 0.8},
    "size_trend": {"falling": 0.2, "flat": 0.6, "refilling": 0.2},
    "eviction_share": {"none": 0.4, "some": 0.25, "most": 0.35},
    "evicted": {"no": 0.65, "yes": 0.35},
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
    "silent_before": {"no": 0.8, "yes": 0.2},
    "silence": {"no": 0.9, "yes": 0.1},
    "validity": {"no": 0.9, "yes": 0.1},
    "harm": {"no": 0.35, "yes": 0.65},
}
"""What an unknown cause may show: the measure against which every picture is weighed."""

_CALM: Final[Mapping[str, Kinds]] = {
    "gets": {"fell": 0.09, "same": 0.891, "rose": 0.019},
    "sets_per_miss": {"fell": 0.11, "same": 0.76, "rose": 0.13},
    "miss_latency": {"fell": 0.03, "same": 0.87, "rose": 0.1},
    "hit_latency": {"fell": 0.011, "same": 0.979, "rose": 0.01},
    "hit_lag": {"shared": 0.3, "misses_only": 0.7},
    "latency": {"fell": 0.04, "explained": 0.84, "rose": 0.12},
    "errors": {"same": 0.985, "rose": 0.015},
    "onset": {"sudden": 0.95, "gradual": 0.05},
    "silence": {"no": 0.999, "yes": 0.001},
    "validity": {"no": 0.999, "yes": 0.001},
    "harm": {"no": 0.03, "yes": 0.97},
}
_HEALTHY_HITS: Final[Mapping[str, Kinds]] = {
    "hit_rate": {"fell": 0.021, "same": 0.951, "rose": 0.028},
    "hits_left": {"few": 0.02, "some": 0.06, "most": 0.92},
    "hits": {"fell": 0.29, "same": 0.6, "rose": 0.11},
    "size": {"emptied": 0.01, "fell": 0.011, "same": 0.961, "rose": 0.018},
    "size_trend": {"falling": 0.014, "flat": 0.964, "refilling": 0.022},
    "evictions": {"fell": 0.06, "same": 0.68, "rose": 0.26},
}
_FEWER_HITS: Final[Mapping[str, Kinds]] = {
    "hit_rate": {"fell": 0.927, "same": 0.06, "rose": 0.013},
    "hits": {"fell": 0.65, "same": 0.31, "rose": 0.04},
    "miss_latency": {"fell": 0.03, "same": 0.91, "rose": 0.06},
}
_INTO_FULL: Final[Mapping[str, Kinds]] = {
    "size": {"emptied": 0.002, "fell": 0.002, "same": 0.974, "rose": 0.022},
    "size_trend": {"falling": 0.028, "flat": 0.862, "refilling": 0.11},
    "eviction_share": {"none": 0.37, "some": 0.2, "most": 0.43},
    "evictions": {"fell": 0.01, "same": 0.27, "rose": 0.72},
    "landed": {"no": 0.013, "yes": 0.987},
}
_INTO_ROOM: Final[Mapping[str, Kinds]] = {
    "size": {"emptied": 0.002, "fell": 0.02, "same": 0.768, "rose": 0.21},
    "size_trend": {"falling": 0.01, "flat": 0.6, "refilling": 0.39},
    "eviction_share": {"none": 0.969, "some": 0.021, "most": 0.01},
    "evictions": {"fell": 0.01, "same": 0.8, "rose": 0.19},
    "landed": {"no": 0.01, "yes": 0.99},
}
_UNSTABLE_KEYS: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_FEWER_HITS,
    "hits_left": {"few": 0.99, "some": 0.005, "most": 0.005},
    "hit_trend": {"falling": 0.06, "flat": 0.93, "recovering": 0.01},
    "brief": {"no": 0.95, "yes": 0.05},
}
_RENAMED_KEYS: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_FEWER_HITS,
    "hits_left": {"few": 0.38, "some": 0.61, "most": 0.01},
    "hit_trend": {"falling": 0.01, "flat": 0.22, "recovering": 0.77},
    "brief": {"no": 0.2, "yes": 0.8},
}
_GROWTH: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_FEWER_HITS,
    "hits_left": {"few": 0.01, "some": 0.43, "most": 0.56},
    "hit_trend": {"falling": 0.35, "flat": 0.632, "recovering": 0.018},
    "brief": {"no": 0.9, "yes": 0.1},
    "onset": {"sudden": 0.6, "gradual": 0.4},
}
_SURGE: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_FEWER_HITS,
    "gets": {"fell": 0.01, "same": 0.03, "rose": 0.96},
    "hits": {"fell": 0.1, "same": 0.71, "rose": 0.19},
    "hits_left": {"few": 0.1, "some": 0.84, "most": 0.06},
    "surplus": {"little": 0.02, "matching": 0.93, "excess": 0.05},
    "hit_trend": {"falling": 0.06, "flat": 0.92, "recovering": 0.02},
    "miss_latency": {"fell": 0.02, "same": 0.9, "rose": 0.08},
}
_STAMPEDE: Final[Mapping[str, Kinds]] = {
    **_CALM,
    **_HEALTHY_HITS,
    "hit_rate": {"fell": 0.905, "same": 0.09, "rose": 0.005},
    "hits": {"fell": 0.699, "same": 0.28, "rose": 0.021},
    "hits_left": {"few": 0.19, "some": 0.6, "most": 0.21},
    "hit_trend": {"falling": 0.08, "flat": 0.85, "recovering": 0.07},
    "gets": {"fell": 0.07, "same": 0.71, "rose": 0.22},
    "landed": {"no": 0.92, "yes": 0.08},
    "miss_latency": {"fell": 0.01, "same": 0.023, "rose": 0.967},
    "hit_lag": {"shared": 0.018, "misses_only": 0.982},
    "latency": {"fell": 0.013, "explained": 0.06, "rose": 0.927},
}
_CROWDS: Final[Mapping[str, Kinds]] = {
    "gets": {"fell": 0.002, "same": 0.37, "rose": 0.628},
    "hits": {"fell": 0.08, "same": 0.65, "rose": 0.27},
    "surplus": {"little": 0.25, "matching": 0.46, "excess": 0.29},
    "miss_latency": {"fell": 0.005, "same": 0.013, "rose": 0.982},
    "latency": {"fell": 0.015, "explained": 0.09, "rose": 0.895},
}
_NO_EVICTIONS: Final[Mapping[str, Kinds]] = {
    "evicted": {"no": 0.93, "yes": 0.07},
    "eviction_share": {"none": 0.58, "some": 0.34, "most": 0.08},
    "evictions": {"fell": 0.78, "same": 0.05, "rose": 0.17},
}
_BETTER: Final[Mapping[str, Kinds]] = {
    **_CALM,
    "harm": {"no": 0.99, "yes": 0.01},
    "onset": ANYTHING["onset"],
    "miss_latency": {"fell": 0.2, "same": 0.78, "rose": 0.02},
    "hit_latency": {"fell": 0.2, "same": 0.78, "rose": 0.02},
    "latency": {"fell": 0.4, "explained": 0.58, "rose": 0.02},
    "size": {"emptied": 0.01, "fell": 0.04, "same": 0.8, "rose": 0.15},
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
            "hit_trend": {"falling": 0.016, "flat": 0.29, "recovering": 0.694},
            "brief": {"no": 0.4, "yes": 0.6},
            "silent_before": {"no": 0.1, "yes": 0.9},
            "size": {"emptied": 0.56, "fell": 0.43, "same": 0.005, "rose": 0.005},
            "size_earlier": {"fell": 0.05, "same": 0.95},
            "size_trend": {"falling": 0.16, "flat": 0.25, "refilling": 0.59},
            "refill": {"no": 0.017, "yes": 0.983},
            "swing": {"level": 0.43, "swinging": 0.57},
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
            "hits_left": {"few": 0.06, "some": 0.59, "most": 0.35},
            "hit_trend": {"falling": 0.08, "flat": 0.3, "recovering": 0.62},
            "brief": {"no": 0.4, "yes": 0.6},
            "size": {"emptied": 0.025, "fell": 0.958, "same": 0.012, "rose": 0.005},
            "size_earlier": {"fell": 0.05, "same": 0.95},
            "size_trend": {"falling": 0.07, "flat": 0.3, "refilling": 0.63},
            "refill": {"no": 0.12, "yes": 0.88},
            "swing": {"level": 0.14, "swinging": 0.86},
            "size_floor": {"within": 0.1, "beyond": 0.9},
        },
    ),
    Picture(
        "capacity_cut",
        0.8,
        {
            **_CALM,
            **_FEWER_HITS,
            "hit_trend": {"falling": 0.42, "flat": 0.54, "recovering": 0.04},
            "brief": {"no": 0.9, "yes": 0.1},
            "silent_before": {"no": 0.9, "yes": 0.1},
            "size": {"emptied": 0.47, "fell": 0.526, "same": 0.002, "rose": 0.002},
            "size_earlier": {"fell": 0.06, "same": 0.94},
            "size_trend": {"falling": 0.33, "flat": 0.56, "refilling": 0.11},
            "refill": {"no": 0.99, "yes": 0.01},
            "swing": {"level": 0.99, "swinging": 0.01},
            "eviction_share": {"none": 0.01, "some": 0.025, "most": 0.965},
            "evictions": {"fell": 0.01, "same": 0.04, "rose": 0.95},
            "evicted": {"no": 0.41, "yes": 0.59},
            "landed": {"no": 0.3, "yes": 0.7},
        },
    ),
    Picture(
        "ttl_cut",
        0.8,
        {
            **_CALM,
            **_FEWER_HITS,
            **_NO_EVICTIONS,
            "hit_trend": {"falling": 0.16, "flat": 0.45, "recovering": 0.39},
            "brief": {"no": 0.9, "yes": 0.1},
            "silent_before": {"no": 0.9, "yes": 0.1},
            "size": {"emptied": 0.4, "fell": 0.4, "same": 0.195, "rose": 0.005},
            "size_earlier": {"fell": 0.45, "same": 0.55},
            "size_trend": {"falling": 0.72, "flat": 0.04, "refilling": 0.24},
            "refill": {"no": 0.989, "yes": 0.011},
            "swing": {"level": 0.04, "swinging": 0.96},
            "size_floor": {"within": 0.4, "beyond": 0.6},
            "landed": {"no": 0.66, "yes": 0.34},
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
            "miss_latency": {"fell": 0.002, "same": 0.002, "rose": 0.996},
            "hit_lag": {"shared": 0.01, "misses_only": 0.99},
            "latency": {"fell": 0.01, "explained": 0.1, "rose": 0.89},
            "latency_shape": {"level": 0.13, "tall": 0.87},
            "onset": {"sudden": 0.8, "gradual": 0.2},
        },
    ),
    Picture(
        "cache_slow",
        0.7,
        {
            **_CALM,
            **_HEALTHY_HITS,
            "hit_latency": {"fell": 0.002, "same": 0.002, "rose": 0.996},
            "miss_latency": {"fell": 0.011, "same": 0.539, "rose": 0.45},
            "hit_lag": {"shared": 0.99, "misses_only": 0.01},
            "latency": {"fell": 0.02, "explained": 0.03, "rose": 0.95},
            "latency_shape": {"level": 0.99, "tall": 0.01},
            "onset": {"sudden": 0.8, "gradual": 0.2},
        },
    ),
    Picture(
        "backend_errors",
        1.0,
        {
            **_CALM,
            "errors": {"same": 0.01, "rose": 0.99},
            "gets": {"fell": 0.11, "same": 0.83, "rose": 0.06},
            "hit_rate": {"fell": 0.07, "same": 0.81, "rose": 0.12},
            "sets_per_miss": {"fell": 0.51, "same": 0.39, "rose": 0.1},
            "size": {"emptied": 0.01, "fell": 0.08, "same": 0.9, "rose": 0.01},
            "evictions": {"fell": 0.38, "same": 0.44, "rose": 0.18},
            "miss_latency": {"fell": 0.11, "same": 0.76, "rose": 0.13},
            "latency": {"fell": 0.08, "explained": 0.83, "rose": 0.09},
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
