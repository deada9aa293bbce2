"""What a newly learned profile says to people: the baseline's row, and whether normal has moved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.catalogue import BASELINE, BY_NAME, Severity
from auditor.detection.evidence import scale_of
from auditor.detection.findings import LEAST_OPERATIONS
from auditor.detection.hours import MINUTES, History, Part, counting_variances
from auditor.detection.incidents import NEW_NORMAL_AFTER_MINUTES, fingerprint, incident_id
from auditor.detection.judgement import LearnedBaseline, Observation
from auditor.detection.load import log_lookups
from auditor.detection.medians import median
from auditor.detection.signals import AT

if TYPE_CHECKING:
    from auditor.detection.policy import Policy
    from auditor.detection.profile import Profile

AGREE_AFTER_HOURS: Final = 24
"""Hours of history before there is a normal that can have moved."""
CHANCE_DEVIATIONS: Final = 3.0
TRACK: Final = "baseline"
WATCHED: Final = ("hit_rate", "error_rate", "avg_response_time_ms")


@dataclass(frozen=True, slots=True)
class Relearned:
    """The levels that are agreed from now on, and what has to be said of the difference."""

    agreed: dict[str, Any] | None
    observations: tuple[Observation, ...]


def relearn(
    implementation_type: str,
    agreed: dict[str, Any] | None,
    profile: Profile,
    history: History,
    policy: Policy,
) -> Relearned:
    """Say so where the last day's normal, by a profile just learned, is materially not the one agreed.

    A metric without an agreed level, new or called normal by an engineer, is agreed as it is. The comparison is always with the level last agreed or reported, never with yesterday's, so that a decay too slow for any
    day to show is reported when it has come to something, and not absorbed.
    """
    level = median(history.parts[-24:, :, Part.LEVEL].astype(np.float64))
    today, behind = _display_levels(level), _behind(level)
    if len(history.parts) < AGREE_AFTER_HOURS:
        return Relearned(agreed, ())
    chance = _chance(profile, history)
    if agreed is None:
        first = {"minute": profile.learned_minute, "levels": today, "behind": behind}
        return Relearned(first, ())
    unknown = {name: level for name, level in today.items() if name not in agreed["levels"]}
    if unknown:
        agreed = agreed | {
            "levels": agreed["levels"] | unknown,
            "behind": agreed.get("behind", {}) | {name: behind[name] for name in unknown if name in behind},
        }
    moved = [
        name
        for name in WATCHED
        if profile.weight[AT[name]] >= LEAST_OPERATIONS
        and _has_moved(name, _nearest(name, agreed, behind, today.get(name)), today.get(name), policy, chance)
    ]
    if not moved:
        return Relearned(agreed, ())
    observations = tuple(
        _moved(implementation_type, name, agreed, today[name], profile, policy) for name in moved
    )
    minute = profile.learned_minute
    now = {
        "minute": minute,
        "levels": agreed["levels"] | {name: today[name] for name in moved},
        "behind": agreed.get("behind", {}) | {name: behind[name] for name in moved if name in behind},
        "earlier": {
            name: {"level": agreed["levels"][name], "until": minute}
            for name in moved
            if not _is_worse(name, agreed["levels"][name], today[name])
        },
    }
    return Relearned(now, observations)


def _is_worse(name: str, before: float, now: float) -> bool:
    return (now < before) == (name == "hit_rate")


def _returns(name: str, agreed: dict[str, Any], now: float, minute: int, policy: Policy) -> bool:
    """Whether a level is what it was before an improvement that has not become normal since."""
    earlier = agreed.get("earlier", {}).get(name)
    if earlier is None or minute - earlier["until"] > NEW_NORMAL_AFTER_MINUTES:
        return False
    return not (_is_worse(name, earlier["level"], now) and _matters(name, earlier["level"], now, policy))


def _display_levels(level: np.typing.NDArray[np.float64]) -> dict[str, float]:
    shown = {}
    for name in WATCHED:
        value = float(level[AT[name]])
        if math.isfinite(value):
            shown[name] = (
                math.exp(value) if name == "avg_response_time_ms" else 100.0 / (1.0 + math.exp(-value))
            )
    return shown


def _link(name: str, shown: float) -> float:
    if name == "avg_response_time_ms":
        return math.log(max(shown, 1e-9))
    share = min(max(shown / 100.0, 1e-9), 1.0 - 1e-9)
    return math.log(share / (1.0 - share))


def _behind(level: np.typing.NDArray[np.float64]) -> dict[str, float]:
    """What hit rate and average latency follow without anything being wrong: the logarithms of lookups, and of the share of misses."""
    followed = {
        "hit_rate": float(log_lookups(level[AT["throughput"]], level[AT["get_share"]])),
        "avg_response_time_ms": -math.log1p(math.exp(min(float(level[AT["hit_rate"]]), 700.0))),
    }
    return {name: value for name, value in followed.items() if math.isfinite(value)}


def _nearest(name: str, agreed: dict[str, Any], behind: dict[str, float], now: float | None) -> float | None:
    """The level agreed, or what it may have become by other lookups (`load`) or by another share of misses: the nearest to that of now."""
    before: float | None = agreed["levels"].get(name)
    followed = agreed.get("behind", {}).get(name)
    if before is None or now is None or followed is None or name not in behind:
        return before
    times = math.exp(behind[name] - followed)
    moved = before * times
    if name == "hit_rate":
        moved = 100.0 * moved / (100.0 - before + moved)
    return min(max(now, min(before, moved)), max(before, moved))


def _chance(profile: Profile, history: History) -> dict[str, float]:
    """On the link scale, how far apart by chance alone the medians of two days may be that show the same.

    The variance of a median of n is half of pi that of a mean: of what counting and the drift give an hour.
    """
    parts = history.parts[-24:].astype(np.float64)
    trials = parts[:, :, Part.WEIGHT] * parts[:, :, Part.COUNT]
    (counting,) = counting_variances(parts[:, :, Part.LEVEL], (trials,))
    of_hour = median(counting) + profile.drift
    number = np.maximum(np.isfinite(parts[:, :, Part.LEVEL]).sum(axis=0), 1)
    apart = CHANCE_DEVIATIONS * np.sqrt(math.pi * of_hour / number)
    return {name: float(np.nan_to_num(apart[AT[name]])) for name in WATCHED}


def _has_moved(
    name: str, before: float | None, now: float | None, policy: Policy, chance: dict[str, float]
) -> bool:
    if before is None or now is None or abs(_link(name, now) - _link(name, before)) < chance[name]:
        return False
    return _matters(name, before, now, policy)


def _matters(name: str, before: float, now: float, policy: Policy) -> bool:
    if name == "error_rate":
        return abs(now - before) >= 100.0 * policy.error_rate.warning
    floor = policy.hit_rate if name == "hit_rate" else policy.response_time
    return abs(now - before) >= floor.warning * before


def _moved(
    implementation_type: str, name: str, agreed: dict[str, Any], now: float, profile: Profile, policy: Policy
) -> Observation:
    before = agreed["levels"][name]
    since, minute = agreed["minute"], profile.learned_minute
    returns = _returns(name, agreed, now, minute, policy)
    worse = _is_worse(name, before, now) and not returns
    key = f"{name}:moved"
    metric = BY_NAME[name]
    evidence: dict[str, Any] = {
        "metric": name,
        "unit": metric.unit,
        "direction": "moved",
        "value": now,
        "expected": before,
        "lower": None,
        "upper": None,
        "p_value": None,
        "effect_absolute": now - before,
        "effect_relative": (now - before) / before if before else None,
        "n": float(profile.windows),
        "method": "median of the last day's hours against the level last agreed",
        "worst_minute": minute,
        "opened_minute": since,
        "last_minute": minute,
        "windows": minute - since,
        "flagged_windows": 0,
        "first": before,
        "lead": True,
        "reasons": [],
        "metrics": [name],
        "unchanged": [],
        "causes": [],
        "impact": {"extra_backend_calls": None, "added_latency_seconds": None, "cost": None},
        "baseline": {"learned_minute": minute, "windows": profile.windows},
        "resolved_minute": minute,
    } | ({"returned": True} if returns else {})
    return Observation(
        fingerprint=fingerprint(implementation_type, TRACK, minute, key),
        incident_id=incident_id(implementation_type, TRACK, minute),
        implementation_type=implementation_type,
        severity=Severity.WARNING if worse else Severity.INFO,
        category=metric.category if worse else BASELINE.category,
        metric_name=name,
        direction="moved",
        metric_value=now,
        baseline_value=before,
        deviation_percentage=100.0 * (now - before) / before if before else None,
        timestamp_minute=minute,
        window_start_minute=since,
        window_end_minute=minute,
        status="resolved",
        evidence=evidence,
    )


def learned_baseline(
    implementation_type: str, profile: Profile, history: History, reason: str
) -> LearnedBaseline:
    """The row of a baseline: what the profile says was learned from the history, and why it was."""
    centre = median(history.parts[:, :, Part.LEVEL].astype(np.float64))

    def level(name: str) -> float | None:
        value = float(centre[AT[name]])
        if not math.isfinite(value):
            return None
        return scale_of(name) / (1.0 + math.exp(-value)) if scale_of(name) > 1 else math.exp(value)

    def deviation(name: str) -> float:
        return math.sqrt(float(profile.drift[AT[name]] + profile.spread[AT[name]]))

    hit_rate, average = level("hit_rate"), level("avg_response_time_ms")
    share = 0.0 if hit_rate is None else hit_rate / 100.0
    return LearnedBaseline(
        implementation_type=implementation_type,
        period_start_minute=profile.period_start_minute,
        period_end_minute=history.last_hour * MINUTES + MINUTES,
        learned_minute=profile.learned_minute,
        hit_rate=hit_rate,
        avg_response_time_ms=average,
        p95_response_time_ms=level("p95_response_time_ms"),
        error_rate=level("error_rate"),
        hit_rate_stddev=None if hit_rate is None else 100.0 * share * (1.0 - share) * deviation("hit_rate"),
        response_time_stddev=None if average is None else average * deviation("avg_response_time_ms"),
        sample_size=profile.windows,
        reason=reason,
        profile=profile.as_json(),
    )
