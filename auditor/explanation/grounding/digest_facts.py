"""The facts of the daily digest's brief: of each cache, of its incidents, and of all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auditor.detection.diagnosis.figures import known
from auditor.explanation.grounding.facts import (
    OWN,
    Facts,
    add_impact,
    add_metric,
    add_moment,
    items,
    mapping,
)
from auditor.explanation.grounding.instants import parse_moment

if TYPE_CHECKING:
    from collections.abc import Mapping

_TALLIES: Final = ("incidents", "critical", "warning", "info")
_IMPACTS: Final = ("extra_backend_calls", "added_latency_seconds", "cost")


def facts_of_digest(data: Mapping[str, Any]) -> Facts:
    """The facts of a digest; a sum over caches is one too, and each incident's belong to its cache."""
    facts = Facts("", parse_moment(data.get("to")), "digest")
    for role, key in (("began", "from"), ("as_of", "to"), ("ended", "to")):
        add_moment(facts, role, data.get(key))
    caches = [mapping(one) for one in items(data.get("caches"))]
    incidents = [mapping(one) for one in items(data.get("incidents"))]
    facts.others = list(dict.fromkeys(str(one.get("cache", "")) for one in (*caches, *incidents)))
    _coverage(facts, mapping(data.get("coverage")))
    for one in caches:
        _cache(facts, one)
    for one in incidents:
        _incident(facts, one)
    _totals(facts, caches, incidents)
    facts.add("tally", "caches", len(caches), "count")
    return facts


def _coverage(facts: Facts, coverage: Mapping[str, Any]) -> None:
    for name, value in coverage.items():
        facts.add("coverage", name, value, "count")
    windows, audited = coverage.get("windows"), coverage.get("audited")
    if known(windows) and known(audited) and windows:
        facts.add("coverage", "share", audited / windows, "share")


def _cache(facts: Facts, one: Mapping[str, Any]) -> None:
    cache = str(one.get("cache", ""))
    for name in _TALLIES:
        count = one.get(name)
        facts.add("tally", name, count, "count", cache=cache)
        if known(count) and count and name != "incidents":
            facts.severities.setdefault(cache, set()).add(name)
    add_impact(facts, one, cache)


def _incident(facts: Facts, one: Mapping[str, Any]) -> None:
    cache = str(one.get("cache", ""))
    add_metric(facts, one, cache)
    add_impact(facts, one, cache)
    minutes = one.get("minutes")
    if known(minutes):
        facts.add("duration", "minutes", 60.0 * minutes, "time", cache=cache)
    facts.severities.setdefault(cache, set()).add(str(one.get("severity", "")))
    name, confidence = str(one.get("cause", "")), one.get("confidence")
    if name and name != "None" and known(confidence):
        facts.ranks[name] = max(float(confidence), facts.ranks.get(name, 0.0))
        facts.add("confidence", name, confidence, "share", cache=cache)


def _totals(facts: Facts, caches: list[Mapping[str, Any]], incidents: list[Mapping[str, Any]]) -> None:
    for name in _TALLIES:
        facts.add("tally", name, sum(one[name] for one in caches if known(one.get(name))), "count", cache=OWN)
    if not caches:
        facts.add("tally", "incidents", len(incidents), "count")
    for status in ("open", "resolved"):
        facts.add("tally", status, sum(one.get("status") == status for one in incidents), "count")
    sums = {
        name: sum(values)
        for name in _IMPACTS
        if (values := [one[name] for one in caches if known(one.get(name))])
    }
    add_impact(facts, sums, OWN)
