"""Everything that the brief says, as facts a sentence can be checked against: subject, part, value, unit, cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.diagnosis.figures import known
from auditor.explanation.grounding.instants import parse_moment
from auditor.explanation.grounding.subjects import subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

LEAST_P: Final = 1e-300
"""A p-value of nought is one below this."""
OWN: Final = ""
"""The cache of a fact that is not tied to a cache: it holds for each that is spoken of."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One number of the brief.

    Parameters
    ----------
    subject
        What it is about, as `subjects` names it, or one of "duration", "flagged", "calls", "waiting", "cost",
        "confidence", "baseline", "past", "tally", "n", "chance".
    role
        Its part: a `roles.Role`, or empty where it has only one.
    value
        In its unit, with its sign.
    unit
        "%", "pt", "time" (seconds), "times", "share", "count" or "money".
    cache
        Whose it is; empty where it is nobody's in particular.
    native
        What one of the metric's own unit is in seconds, for times.
    """

    subject: str
    role: str
    value: float
    unit: str
    cache: str = OWN
    native: float = 1.0


@dataclass(slots=True)
class Facts:
    """The brief as facts.

    Parameters
    ----------
    numbers
        Every number.
    directions
        For each cache and subject what it did: "down", "up", "same", "moved", "absent".
    moments
        Each moment as (part, moment): "began", "ended", "mattered", "as_of", "past", or "worst" with a subject.
    ranks
        The causes' confidences, in the order of the evidence.
    trusted, own
        The brief's own sentences in lower case; of those only `own` are about its cache, and stand as they are.
    """

    cache: str
    as_of: datetime | None
    status: str
    severities: dict[str, set[str]] = field(default_factory=dict)
    numbers: list[Fact] = field(default_factory=list)
    directions: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    moments: list[tuple[str, datetime]] = field(default_factory=list)
    ranks: dict[str, float] = field(default_factory=dict)
    past_causes: set[str] = field(default_factory=set)
    others: list[str] = field(default_factory=list)
    lead: str = ""
    hours: dict[str, list[float]] = field(default_factory=dict)
    hour_from: datetime | None = None
    hour_step: int = 5
    errors: list[str] = field(default_factory=list)
    has_baseline: bool = False
    trusted: list[str] = field(default_factory=list)
    own: set[str] = field(default_factory=set)
    past: int = 0

    def say(self, cache: str, subject: str, did: str) -> None:
        """Add what a subject did."""
        self.directions.setdefault((cache, subject), set()).add(did)

    def did(self, cache: str, subjects: tuple[str, ...]) -> set[str]:
        """What any of some subjects of a cache did; of any cache where none is given."""
        return {
            did
            for (whose, subject), dids in self.directions.items()
            if subject in subjects and (not cache or whose in {cache, OWN})
            for did in dids
        }

    def add(
        self, subject: str, role: str, value: object, unit: str, *, cache: str = OWN, native: float = 1.0
    ) -> None:
        """Add a number, if it is one."""
        if known(value):
            self.numbers.append(Fact(subject, role, float(value), unit, cache, native))


def mapping(value: object) -> Mapping[str, Any]:
    """A part of the brief that should be an object; nothing where it is not."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """A part of the brief that should be a list; nothing where it is not."""
    return list(value) if isinstance(value, (list, tuple)) else []


def facts_of_incident(data: Mapping[str, Any]) -> Facts:
    """The facts of an incident's brief, without those that stand in the sentences of its causes."""
    incident = mapping(data.get("incident"))
    cache = str(data.get("cache", ""))
    facts = Facts(cache, parse_moment(data.get("as_of")), str(incident.get("status", "open")))
    facts.severities[cache] = {str(incident.get("severity", ""))}
    _moments(facts, incident, data)
    _durations(facts, incident, "duration", cache)
    metrics = [mapping(one) for one in items(data.get("metrics"))]
    for metric in metrics:
        add_metric(facts, metric, cache)
    lead = next((one for one in metrics if one.get("lead")), metrics[0] if metrics else {})
    facts.lead = subject_of(str(lead.get("metric", "")))
    for one in items(data.get("unchanged")):
        facts.say(cache, subject_of(str(mapping(one).get("metric", ""))), "same")
    for one in items(data.get("causes")):
        cause = mapping(one)
        name, confidence = str(cause.get("cause", "")), cause.get("confidence")
        if known(confidence):
            facts.ranks[name] = min(1.0, max(0.0, float(confidence)))
            facts.add("confidence", name, facts.ranks[name], "share")
    if not facts.ranks:
        facts.ranks["unknown"] = 0.0  # what the prompt asks for where nothing was ranked
    add_impact(facts, mapping(data.get("impact")), cache)
    _baseline(facts, data.get("baseline"))
    _hour(facts, mapping(data.get("hour")))
    _company(facts, data)
    _tallies(facts, data)
    return facts


def add_metric(facts: Facts, metric: Mapping[str, Any], cache: str) -> None:
    """Add a metric's numbers, what it did, and what follows from them: ratios, and the misses that go with hits."""
    subject, unit = subject_of(str(metric.get("metric", ""))), str(metric.get("unit", ""))
    parts = {
        role: metric.get(role) for role in ("value", "expected", "lower", "upper", "first", "effect_absolute")
    }
    _values(facts, subject, parts, unit, cache)
    _relations(facts, subject, parts, metric.get("effect_relative"), cache)
    if subject == "hit_rate":
        _misses(facts, parts, cache)
    facts.add("n", "", metric.get("n"), "count", cache=cache)
    p_value = metric.get("p_value")
    if known(p_value) and 0.0 <= p_value <= 1.0:
        facts.add("chance", "", max(p_value, LEAST_P), "share", cache=cache)
    _durations(facts, metric, f"duration {subject}", cache)
    add_moment(facts, "began", metric.get("began"))
    add_moment(facts, "ended", metric.get("ended"))
    add_moment(facts, "mattered", metric.get("mattered_at"))
    add_moment(facts, f"worst {subject}", metric.get("worst_at"))
    for did in _did(str(metric.get("direction", "")), parts["value"], parts["expected"]):
        facts.say(cache, subject, did)
        if subject == "hit_rate" and did in {"down", "up"}:
            facts.say(cache, "miss_rate", {"down": "up", "up": "down"}[did])


def _values(facts: Facts, subject: str, parts: Mapping[str, Any], unit: str, cache: str) -> None:
    kind, scale = _kind(unit)
    for role, value in parts.items():
        if known(value):
            part = {"value": "now", "effect_absolute": "effect"}.get(role, role)
            as_points = role == "effect_absolute" and kind == "%"
            facts.add(subject, part, value * scale, "pt" if as_points else kind, cache=cache, native=scale)


def _relations(facts: Facts, subject: str, parts: Mapping[str, Any], relative: object, cache: str) -> None:
    """The relative effect and the ratio of what is to what was expected."""
    if known(relative):
        facts.add(subject, "effect", 100.0 * relative, "%", cache=cache)
    value, expected = parts["value"], parts["expected"]
    if not (known(value) and known(expected) and expected):
        return
    ratio = value / expected
    facts.add(subject, "ratio", ratio, "times", cache=cache)
    if 0.0 < ratio < 1.0:
        facts.add(subject, "inverse", 1.0 / ratio, "times", cache=cache)
    if relative is None:
        facts.add(subject, "effect", 100.0 * (ratio - 1.0), "%", cache=cache)


def _kind(unit: str) -> tuple[str, float]:
    if unit == "%":
        return "%", 1.0
    return ("time", 1e-3) if unit == "ms" else ("count", 1.0)


def _did(direction: str, value: object, expected: object) -> Iterator[str]:
    if direction in {"drop", "absent"}:
        yield "down"
    if direction == "rise":
        yield "up"
    if direction == "absent":
        yield "absent"
    if direction in {"moved", "invalid"} and known(value) and known(expected) and value != expected:
        yield "up" if value > expected else "down"
    yield "moved"


def _misses(facts: Facts, parts: Mapping[str, Any], cache: str) -> None:
    swapped = {"value": "now", "expected": "expected", "lower": "upper", "upper": "lower", "first": "first"}
    for role, part in swapped.items():
        if known(parts[role]):
            facts.add("miss_rate", part, 100.0 - parts[role], "%", cache=cache)
    value, expected, effect = parts["value"], parts["expected"], parts["effect_absolute"]
    if known(effect):
        facts.add("miss_rate", "effect", -effect, "pt", cache=cache)
    if known(value) and known(expected) and expected < 100.0:
        ratio = (100.0 - value) / (100.0 - expected)
        facts.add("miss_rate", "ratio", ratio, "times", cache=cache)
        facts.add("miss_rate", "effect", 100.0 * (ratio - 1.0), "%", cache=cache)


def _durations(facts: Facts, part: Mapping[str, Any], subject: str, cache: str) -> None:
    for role in ("minutes", "flagged_minutes"):
        value = part.get(role)
        if known(value):
            facts.add(subject, role, 60.0 * value, "time", cache=cache)


def _moments(facts: Facts, incident: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    add_moment(facts, "began", incident.get("began"))
    add_moment(facts, "ended", incident.get("ended"))
    add_moment(facts, "as_of", data.get("as_of"))


def add_moment(facts: Facts, part: str, value: object) -> None:
    """Add a moment, if it is one."""
    moment = parse_moment(value) if value is not None else None
    if moment is not None:
        facts.moments.append((part, moment))


def add_impact(facts: Facts, impact: Mapping[str, Any], cache: str) -> None:
    """Add what it cost."""
    facts.say(cache, "backend_calls", "up") if known(impact.get("extra_backend_calls")) else None
    facts.add("calls", "", impact.get("extra_backend_calls"), "count", cache=cache)
    facts.add("waiting", "", impact.get("added_latency_seconds"), "time", cache=cache)
    for name, subject in (("added_latency_seconds", "waiting"), ("extra_backend_calls", "backend_calls")):
        if (known(impact.get(name)) or 0.0) > 0.0:
            facts.say(cache, subject, "up")
    facts.add("cost", "", impact.get("cost"), "money", cache=cache)


def _baseline(facts: Facts, part: object) -> None:
    baseline = mapping(part)
    facts.has_baseline = bool(baseline)
    age, windows = baseline.get("age_hours"), baseline.get("windows")
    if known(age):
        facts.add("baseline", "age", 3600.0 * age, "time")
    if known(windows):
        facts.add("baseline", "windows", windows, "count")
        facts.add("baseline", "windows", 60.0 * windows, "time")


def _hour(facts: Facts, hour: Mapping[str, Any]) -> None:
    facts.hour_from = parse_moment(hour.get("from")) if hour.get("from") else None
    step = hour.get("step_minutes")
    facts.hour_step = int(step) if known(step) and step >= 1 else 5
    for name, column in mapping(hour.get("columns")).items():
        facts.hours[subject_of(str(name))] = [
            float(one) if known(one) else float("nan") for one in items(column)
        ]


def _company(facts: Facts, data: Mapping[str, Any]) -> None:
    for part in items(data.get("others")):
        other = mapping(part)
        name, subject = str(other.get("cache", "")), subject_of(str(other.get("metric", "")))
        facts.others.append(name)
        facts.severities.setdefault(name, set()).add(str(other.get("severity", "")))
        facts.say(name, subject, "moved")
    for part in items(data.get("errors")):
        error = mapping(part)
        facts.errors.append(str(error.get("type", "")))
        facts.add(f"error {error.get('type', '')}", "", error.get("count"), "count")
    for part in items(data.get("past")):
        past = mapping(part)
        facts.past += 1
        add_moment(facts, "past", past.get("began"))
        minutes = past.get("minutes")
        if known(minutes):
            facts.add("past", "", 60.0 * minutes, "time")
        facts.past_causes.add(str(past.get("cause", "")))
        facts.severities.setdefault("past", set()).add(str(past.get("severity", "")))


def _tallies(facts: Facts, data: Mapping[str, Any]) -> None:
    for name, key in (
        ("metrics", "metrics"),
        ("unchanged", "unchanged"),
        ("causes", "causes"),
        ("caches", "others"),
        ("incidents", "past"),
        ("errors", "errors"),
    ):
        count = len(items(data.get(key)))
        if count:
            facts.add("tally", name, count, "count")
        if name == "metrics" and count > 1:
            facts.add("tally", "others moved", count - 1, "count")
