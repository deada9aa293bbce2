"""What an incident's signals came to, window by window, and the joint signature they make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.impact import window_contributions
from auditor.detection.incidents import SILENCE, began, pause_of
from auditor.detection.signals import AT, LATENCY_OFFSET
from auditor.detection.signature import SIGNALS, IncidentSignature, Signal
from auditor.detection.tails.elementary import exact_exp

if TYPE_CHECKING:
    from auditor.detection.incidents import Incident
    from auditor.detection.profile import Profile
    from auditor.detection.signals import Signals
    from auditor.detection.windows import Floats, WindowBlock

FIRST: Final = 2
LAST: Final = 3
ONSET_MINUTES: Final = 15
_LATENCIES: Final = (
    "avg_response_time_ms",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "avg_hit_response_time_ms",
    "avg_miss_response_time_ms",
)
_UNKNOWN: Final = Signal(*[math.nan] * 7)


@dataclass(frozen=True, slots=True)
class Flow:
    """Every signal of a signature as a ratio, arrays of shape (n,): `observed / trials` against `expected / trials`.

    Rates are successes of trials, counts are of one window, latencies are weighted by the operations behind
    them. `trials` is 0 where nothing is known. `extra_misses` and `added_ms` are the windows' impacts, 0 where unknown.
    """

    observed: dict[str, Floats]
    trials: dict[str, Floats]
    expected: dict[str, Floats]
    extra_misses: Floats
    added_ms: Floats


def flow_of(link: Floats, block: WindowBlock, signals: Signals) -> Flow:
    """What every signal of the windows was, and what was expected of it: `link`, shape (signals, n), on the link scale."""
    rate = {
        name: 1.0 / (1.0 + exact_exp(-link[AT[name]])) for name in ("hit_rate", "error_rate", "eviction_rate")
    }
    traffic = exact_exp(link[AT["throughput"]])
    gets = traffic / (1.0 + exact_exp(-link[AT["get_share"]]))
    misses = gets * (1.0 - rate["hit_rate"])
    sets = misses * exact_exp(link[AT["sets_per_miss"]])
    counts = {
        "throughput": (block.columns["total_operations"], traffic),
        "hits": (block.columns["hits"], gets * rate["hit_rate"]),
        "misses": (block.columns["misses"], misses),
        "sets": (block.columns["sets"], sets),
        "evictions": (block.columns["evictions"], sets * rate["eviction_rate"]),
    }
    observed: dict[str, Floats] = {}
    trials: dict[str, Floats] = {}
    expected: dict[str, Floats] = {}
    for name in ("hit_rate", "error_rate"):
        weight = signals.weight[AT[name]]
        _put(name, signals.value[AT[name]], weight, rate[name] * weight, observed, trials, expected)
    for name, (seen, normal) in counts.items():
        _put(name, seen, np.ones(len(seen)), normal, observed, trials, expected)
    for name in _LATENCIES:
        weight = signals.weight[AT[name]]
        seen = exact_exp(signals.value[AT[name]]) - LATENCY_OFFSET
        normal = exact_exp(link[AT[name]]) - LATENCY_OFFSET
        _put(name, seen * weight, weight, normal * weight, observed, trials, expected)
    size = exact_exp(signals.value[AT["cache_size"]]) - 1.0
    normal_size = exact_exp(link[AT["cache_size"]]) - 1.0
    _put("cache_size", size, np.ones(len(size)), normal_size, observed, trials, expected)
    average = AT["avg_response_time_ms"]
    hits = signals.value[AT["hit_rate"]]
    extra, added = window_contributions(
        hits=hits,
        misses=signals.weight[AT["hit_rate"]] - hits,
        expected_hit_rate=rate["hit_rate"],
        avg_response_time_ms=exact_exp(signals.value[average]),
        expected_response_time_ms=exact_exp(link[average]),
    )
    return Flow(observed, trials, expected, extra, added)


def _put(
    name: str,
    seen: Floats,
    weight: Floats,
    normal: Floats,
    observed: dict[str, Floats],
    trials: dict[str, Floats],
    expected: dict[str, Floats],
) -> None:
    known = np.isfinite(seen) & (weight > 0)
    observed[name] = np.where(known, seen, 0.0)
    trials[name] = np.where(known, weight, 0.0)
    expected[name] = np.where(known, normal, np.nan)


def accumulate(incident: Incident, flow: Flow, i: int, minute: int) -> None:
    """Add window i to the sums of an incident: its impact always, its signals while it tells how the incident came about.

    What comes after the first quarter of an hour is as likely the recovery, which looks like a cause of its own: a cache
    refilling after its TTL was put back is not a flush.
    """
    incident["extra_misses"] += float(flow.extra_misses[i])
    incident["added_ms"] += float(flow.added_ms[i])
    if minute - began(incident) >= ONSET_MINUTES:
        return
    for name in SIGNALS:
        trials = float(flow.trials[name][i])
        if trials <= 0:
            continue
        seen, normal = float(flow.observed[name][i]), float(flow.expected[name][i])
        sums = incident["signals"].setdefault(
            name,
            {
                "seen": 0.0,
                "trials": 0.0,
                "normal": 0.0,
                "windows": 0,
                "newest": minute,
                "low": None,
                "lowest_at": minute,
                "high": None,
                "first": [],
                "last": [],
            },
        )
        value = seen / trials
        sums["seen"] += seen
        sums["trials"] += trials
        if sums["normal"] is not None:
            sums["normal"] = sums["normal"] + normal if math.isfinite(normal) else None
        sums["windows"] += 1
        sums["newest"] = minute
        if sums["low"] is None or value <= sums["low"]:
            sums["low"], sums["lowest_at"] = value, minute
        sums["high"] = value if sums["high"] is None else max(sums["high"], value)
        if len(sums["first"]) < FIRST:
            sums["first"].append([seen, trials])
        sums["last"] = [*sums["last"], [seen, trials]][-LAST:]


def signature_of(incident: Incident, profile: Profile) -> IncidentSignature:
    """The joint signature of an incident so far."""
    signals = {name: _signal(name, incident["signals"].get(name), profile) for name in SIGNALS}
    highest = profile.highest[AT["cache_size"]]
    silent = pause_of(incident)
    return IncidentSignature(
        windows=max((sums["windows"] for sums in incident["signals"].values()), default=1),
        signals=signals,
        flagged={
            part["metric"]: part["direction"]
            for key, part in incident["metrics"].items()
            if part["last"] >= began(incident) > part["first"] - ONSET_MINUTES
            and not (key == SILENCE and silent)
        },
        size_before=_known(incident["size_before"]),
        size_highest_known=float(exact_exp(np.array([highest]))[0] - 1.0)
        if np.isfinite(highest)
        else math.nan,
        lead_in=incident["lead_in"],
        elapsed=_elapsed(incident),
        quiet=incident["quiet"],
        size_earlier=_known(incident.get("size_earlier")),
        silent_before=silent,
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _elapsed(incident: Incident) -> int:
    """Minutes from the opening to the newest window of the signals; 0 where an older version did not note them."""
    newest = [sums.get("newest", began(incident) - 1) for sums in incident["signals"].values()]
    return int(max(newest, default=began(incident) - 1) - began(incident) + 1)


def _signal(name: str, sums: dict[str, Any] | None, profile: Profile) -> Signal:
    if sums is None:
        return _UNKNOWN
    expected = math.nan if sums["normal"] is None else sums["normal"] / sums["trials"]
    observed = sums["seen"] / sums["trials"]
    return Signal(
        expected=expected,
        first=_pooled(sums["first"]),
        observed=observed,
        last=_pooled(sums["last"]),
        lowest=sums["low"],
        highest=sums["high"],
        z=_z(name, observed, expected, sums, profile),
        since_lowest=float(sums["newest"] - sums["lowest_at"]) if "lowest_at" in sums else math.nan,
    )


def _pooled(pairs: list[list[float]]) -> float:
    return sum(pair[0] for pair in pairs) / sum(pair[1] for pair in pairs)


def _z(name: str, observed: float, expected: float, sums: dict[str, Any], profile: Profile) -> float:
    if not math.isfinite(expected):
        return math.nan
    windows, trials = sums["windows"], sums["trials"]
    if name in ("hit_rate", "error_rate"):
        p = (observed * trials + 0.5) / (trials + 1.0)
        normal = min(max(expected, 1e-9), 1.0 - 1e-9)
        away = math.log(p / (1.0 - p)) - math.log(normal / (1.0 - normal))
        counting = 1.0 / (trials * normal * (1.0 - normal))
        at = AT[name]
    else:
        least = 0.5 if name in ("throughput", "hits", "misses", "sets", "evictions") else LATENCY_OFFSET
        away = math.log(max(observed, 0.0) + least) - math.log(max(expected, 0.0) + least)
        counts = name in ("throughput", "hits", "misses", "sets", "evictions")
        counting = 1.0 / max(expected * windows, 0.5) if counts else 0.0
        at = AT["throughput"] if counts else AT[name]
    if not profile.hours[at]:
        return math.nan
    variance = float(profile.drift[at] + profile.spread[at] / windows) + counting
    return away / math.sqrt(variance)
