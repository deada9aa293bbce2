"""What the mix of hits and misses explains, taken out before anything is judged.

Misses are slow, and every miss brings a set and perhaps an eviction; so the average latency and the operations rise whenever the
hit rate falls, though neither the backend nor the traffic has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.load import log_lookups
from auditor.detection.signals import AT, LATENCY_OFFSET
from auditor.detection.tails.elementary import bare_exp, bare_log

if TYPE_CHECKING:
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.signals import Signals
    from auditor.detection.windows import Floats

MOST_FOLLOW_UPS: Final = 4.0
"""On the log scale: beyond fifty operations a get it is no longer the gets that brought them."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a window's average latency, arrays of shape (n,) on the log scale.

    `drift` is the part of `variance` that neighbouring windows share; `weight` is 0 where nothing can be said.
    """

    centre: Floats
    variance: Floats
    drift: Floats
    weight: Floats


def follow_ups(profile: Profile, signals: Signals, link: Floats) -> Floats:
    """By how much, on the log scale, a window's sets and evictions raise its operations above what is usual for its gets.

    Nought where the gets are not known.
    """
    at = AT["get_share"]
    gets, total = signals.value[at], signals.weight[at]
    known = (total > 0) & (gets > 0) & bool(profile.hours[at])
    usual = -bare_log(1.0 / (1.0 + bare_exp(-link[at])))
    now = bare_log(np.where(known, total / np.where(known, gets, 1.0), 1.0))
    return np.where(known, np.minimum(np.maximum(now - usual, -MOST_FOLLOW_UPS), MOST_FOLLOW_UPS), 0.0)


def lookups_of(profile: Profile, link: Floats) -> Floats:
    """The logarithm of the lookups that are expected, shape (n,), of links of shape (signals, n); of all operations where gets are not known."""
    operations: Floats = link[AT["throughput"]]
    if not profile.hours[AT["get_share"]]:
        return operations
    return log_lookups(operations, link[AT["get_share"]])


def average_by_mix(profile: Profile, signals: Signals, outlook: Outlook) -> Expected:
    """What the window's own mix of hits and misses should have cost.

    Where hits and misses are timed apart, the average of the window's gets is expected to be the mix of their normals;
    the expectation is then moved by what other timed operations (sets, say) did to the average of all. Elsewhere the
    learned average is scaled by the share of misses where that is above normal, which takes out at least what the mix explains.
    """
    if profile.hours[AT["avg_hit_response_time_ms"]] and profile.hours[AT["avg_miss_response_time_ms"]]:
        return _of_parts(profile, signals, outlook)
    return _scaled(profile, signals, outlook)


def _of_parts(profile: Profile, signals: Signals, outlook: Outlook) -> Expected:
    link = outlook.link
    hit_at, miss_at, rate_at = AT["avg_hit_response_time_ms"], AT["avg_miss_response_time_ms"], AT["hit_rate"]
    gets = signals.weight[rate_at]
    hits = np.nan_to_num(signals.value[rate_at])
    misses = np.maximum(gets - hits, 0.0)
    of_hits = hits * bare_exp(link[hit_at])
    of_misses = misses * bare_exp(link[miss_at])
    mixed = np.maximum(of_hits + of_misses, 1e-9)
    timed = np.where(hits > 0, hits * bare_exp(signals.value[hit_at]), 0.0)
    timed = timed + np.where(misses > 0, misses * bare_exp(signals.value[miss_at]), 0.0)
    by_hits, by_misses = of_hits / mixed, of_misses / mixed
    drift = by_hits**2 * outlook.drift[hit_at] + by_misses**2 * outlook.drift[miss_at]
    beyond = by_hits**2 * profile.spread_at(hit_at, hits) * (hits > 0)
    beyond = beyond + by_misses**2 * profile.spread_at(miss_at, misses) * (misses > 0)
    average = signals.value[AT["avg_response_time_ms"]]
    known = (gets > 0) & np.isfinite(timed) & np.isfinite(average) & (timed > 0)
    others = average - bare_log(np.where(known, timed / np.maximum(gets, 1.0), LATENCY_OFFSET))
    centre = np.where(known, bare_log(mixed / np.maximum(gets, 1.0)) + others, 0.0)
    return Expected(centre, drift + beyond, drift, np.where(known, gets, 0.0))


def _scaled(profile: Profile, signals: Signals, outlook: Outlook) -> Expected:
    link = outlook.link
    at, rate_at = AT["avg_response_time_ms"], AT["hit_rate"]
    weight = signals.weight[at]
    rated = signals.weight[rate_at] > 0
    misses = 1.0 - np.nan_to_num(signals.value[rate_at]) / np.maximum(signals.weight[rate_at], 1.0)
    usual = 1.0 / (1.0 + bare_exp(link[rate_at])) if profile.hours[rate_at] else np.ones(len(weight))
    excess = np.where(rated, np.maximum(misses / np.maximum(usual, 1e-9), 1.0), 1.0)
    drift = outlook.drift[at]
    return Expected(link[at] + bare_log(excess), drift + profile.spread_at(at, weight), drift, weight)
