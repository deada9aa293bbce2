"""What to do next: a first check, a second step, and the check that would rule the top cause out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.detection.catalogue import Severity
from auditor.explanation.names import neutral_text
from auditor.explanation.recommendations import LEARNED, STEPS, TRAFFIC, Steps
from auditor.explanation.wording import metric_names

if TYPE_CHECKING:
    from auditor.explanation.facts import Facts


def recommend(facts: Facts) -> str:
    """The advice for a person who has just been woken, or who need not have been."""
    evidence = facts.evidence
    if not facts.leads:
        leader = metric_names(list(evidence["metrics"][:1]))
        of = f" of the {leader[0]}" if leader else ""
        return f"Work on the leading observation{of} of this incident; this one will settle with it."
    steps = _steps(facts)
    parts = [*_urgency(facts), f"First: {_lower(steps.first)}", f"Then: {_lower(steps.then)}"]
    cause = facts.cause
    if cause is not None and steps not in (TRAFFIC, LEARNED) and cause.get("refute"):
        parts.append(f"To rule it out: {_lower(neutral_text(cause['refute']))}")
    return " ".join(parts)


def _steps(facts: Facts) -> Steps:
    evidence = facts.evidence
    if evidence["metric"] == "baseline" or evidence["direction"] == "moved":
        return LEARNED
    if evidence["metric"] == "window_validity":
        return STEPS["collector_fault"]
    if evidence["metric"] == "silence" and not facts.is_back:
        return STEPS["silence"]
    if facts.only_traffic:
        return TRAFFIC
    cause = facts.cause
    return STEPS.get(cause["cause"] if cause else "unknown", STEPS["unknown"])


def _urgency(facts: Facts) -> list[str]:
    if facts.status == "resolved":
        return ["It is over; what follows helps to find out why and to keep it from coming back."]
    if facts.severity is Severity.INFO:
        return ["Nothing has to be done tonight."]
    return []


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"
