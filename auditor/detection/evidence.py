"""From an incident to its observations: the facts that rows, words and prompts are made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.accumulation import signature_of
from auditor.detection.answers import effect_of_part, ignored
from auditor.detection.catalogue import Category
from auditor.detection.diagnosis.ranking import rank_causes
from auditor.detection.findings import INFO
from auditor.detection.impact import incident_impact
from auditor.detection.incidents import (
    COLLECTOR,
    METRICS,
    SILENCE,
    fingerprint,
    improves,
    incident_id,
    opened_in,
    pause_of,
    severity_of,
)
from auditor.detection.judgement import Observation
from auditor.detection.signature import SIGNALS as SIGNATURE_SIGNALS
from auditor.detection.signature import Cause, IncidentSignature, Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.detection.answers import Answer
    from auditor.detection.incidents import Incident
    from auditor.detection.policy import Policy
    from auditor.detection.profile import Profile

PERCENT: Final = frozenset({"hit_rate", "error_rate", "eviction_rate"})


def scale_of(metric: str) -> float:
    """What a metric's own scale is multiplied by for people: rates are shown in percent."""
    return 100.0 if metric in PERCENT else 1.0


def observations_of(
    implementation_type: str,
    track: str,
    incident: Incident,
    profile: Profile | None,
    judged: list[str],
    policy: Policy,
    answers: Sequence[Answer] = (),
) -> list[Observation]:
    """Every observation of an incident as it stands, the leader first.

    `judged` names the metrics that were tested in it, whether they moved or not; `answers` are what engineers have answered so far.
    """
    lead = incident["lead"]
    keys = [lead, *(key for key in incident["metrics"] if key != lead)]
    causes = [cause.as_json() for cause in _causes(track, incident, profile)]
    names = list(dict.fromkeys(incident["metrics"][key]["metric"] for key in keys))
    shared: dict[str, Any] = {
        "metrics": names,
        "unchanged": [] if track == COLLECTOR else [name for name in judged if name not in names],
        "causes": causes,
        "impact": _impact(track, incident, policy),
        "baseline": None
        if profile is None
        else {"learned_minute": profile.learned_minute, "windows": profile.windows},
        "resolved_minute": incident["resolved"],
        **_pause(incident),
    }
    observations = [_observation(implementation_type, track, incident, key, shared) for key in keys]
    for key, observation in zip(keys, observations, strict=True):
        observation.evidence.update(_quietened(incident["metrics"][key], answers))
    return observations


def _quietened(part: dict[str, Any], answers: Sequence[Answer]) -> dict[str, Any]:
    """By whose answer a finding is no more than an info, and until when."""
    effect = effect_of_part(part)
    answer = ignored(answers, part["metric"], part["direction"], part["last"], effect)
    if answer is None or part["level"] > INFO:
        return {}
    return {"ignored": {"fingerprint": answer.fingerprint, "until_minute": answer.until_minute}}


def _observation(
    implementation_type: str, track: str, incident: Incident, key: str, shared: dict[str, Any]
) -> Observation:
    part = incident["metrics"][key]
    metric = METRICS[part["metric"]]
    worst = part["worst"]
    scale = scale_of(metric.name)
    value, expected = _known(worst["value"], scale), _known(worst["expected"], scale)
    relative = worst["relative"]
    has_effect = bool(worst["expected"])
    evidence = {
        "metric": metric.name,
        "unit": metric.unit,
        "direction": part["direction"],
        "value": value,
        "expected": expected,
        "lower": _known(worst["lower"], scale),
        "upper": _known(worst["upper"], scale),
        "p_value": worst["p_value"],
        "effect_absolute": _known(worst["absolute"], scale),
        "effect_relative": relative if has_effect else None,
        "n": worst["n"],
        "method": worst["method"],
        "worst_minute": worst["minute"],
        "opened_minute": part["first"],
        "last_minute": part["last"],
        "warned_minute": part["warned"],
        "windows": part["last"] - part["first"] + 1,
        "flagged_windows": part["flagged"],
        "first": _known(part["first_value"], scale),
        "latest": _known(part.get("now"), scale),
        "lead": key == incident["lead"],
        "reasons": list(incident["reasons"]) if metric.name == "window_validity" else [],
        **({"returned": True} if worst.get("returned") else {}),
        **shared,
    }
    named = opened_in(track, incident)
    category = Category.ANOMALY if improves(metric.name, part["direction"]) else metric.category
    return Observation(
        fingerprint=fingerprint(implementation_type, named, incident["opened"], key),
        incident_id=incident_id(implementation_type, named, incident["opened"]),
        implementation_type=implementation_type,
        severity=severity_of(incident, key),
        category=category,
        metric_name=metric.name,
        direction=part["direction"],
        metric_value=value if value is not None else 0.0,
        baseline_value=expected,
        deviation_percentage=relative * 100.0 if has_effect else None,
        timestamp_minute=_told_at(part, key == incident["lead"]) + 1,
        window_start_minute=part["first"],
        window_end_minute=part["last"] + 1,
        status="open" if incident["resolved"] is None else "resolved",
        evidence=evidence,
    )


def _told_at(part: dict[str, Any], leads: bool) -> int:
    """The window that made it what it is: of what leads an incident that pages the first to warn, else the first of all."""
    return int(part["warned"] if leads and part["warned"] is not None else part["first"])


def _pause(incident: Incident) -> dict[str, int]:
    """For how long the cache was silent in an incident that has gone on since, and when operations came back."""
    silent = pause_of(incident)
    return (
        {"silent_minutes": silent, "back_minute": incident["metrics"][SILENCE]["last"] + 1} if silent else {}
    )


def _known(value: float | None, scale: float) -> float | None:
    return None if value is None or not math.isfinite(value) else value * scale


def _causes(track: str, incident: Incident, profile: Profile | None) -> tuple[Cause, ...]:
    if profile is not None and track != COLLECTOR:
        return rank_causes(signature_of(incident, profile))
    blank = Signal(*[math.nan] * 7)
    return rank_causes(
        IncidentSignature(
            windows=max(1, incident["flagged"]),
            signals=dict.fromkeys(SIGNATURE_SIGNALS, blank),
            flagged={part["metric"]: part["direction"] for part in incident["metrics"].values()},
            size_before=math.nan,
            size_highest_known=math.nan,
            lead_in=0,
        )
    )


def _impact(track: str, incident: Incident, policy: Policy) -> dict[str, float | None]:
    if track == COLLECTOR:
        return {"extra_backend_calls": None, "added_latency_seconds": None, "cost": None}
    impact = incident_impact(
        extra_misses=incident["extra_misses"],
        added_milliseconds=incident["added_ms"],
        cost_per_miss=policy.cost_per_miss,
    )
    return impact.as_json()
