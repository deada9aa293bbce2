"""The title: which cache, what happened, what is normal, in at most 80 characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auditor.detection.diagnosis.figures import count, known, minutes
from auditor.explanation.names import neutral_name
from auditor.explanation.wording import change, metric_names, normal_range, wording

if TYPE_CHECKING:
    from auditor.explanation.facts import Facts

LONGEST: Final = 80


def title_of(facts: Facts) -> str:
    """`answers: hit rate fell to 41 % (normal 71–79 %)`; the cache's name gives way where room is short."""
    for text in _choices(facts):
        room = LONGEST - len(text) - 2
        if room >= min(12, len(neutral_name(facts.cache))):
            return f"{neutral_name(facts.cache, min(room, 64))}: {text}"
    return f"{neutral_name(facts.cache, 20)}: {_choices(facts)[-1]}"[:LONGEST]


def _choices(facts: Facts) -> list[str]:
    """The text after the name, the fullest first."""
    evidence = facts.evidence
    metric, direction = evidence["metric"], evidence["direction"]
    if metric == "window_validity" or direction == "invalid":
        return ["the collector's windows contradict themselves"]
    if facts.is_back:
        since = [name for name in evidence["metrics"] if name != "silence"]
        silent = f"silent for {minutes(evidence['silent_minutes'])}"
        others = [metric_names(since[:most]) for most in (3, 2, 1)] if since else []
        return [
            *(f"{silent}, since then unusual: {', '.join(names)}" for names in others),
            f"{silent}, and not as before since",
        ]
    if metric == "silence" or direction == "absent":
        expected = evidence["expected"]
        if known(expected) and expected > 0:
            return [
                f"silent, where {count(expected)} operations/min are normal",
                "silent, no operations arrive",
            ]
        return ["silent, no operations arrive"]
    if metric == "baseline":
        moved = [name for name in evidence["metrics"] if name != "baseline"]
        return [f"what is normal has moved ({', '.join(metric_names(moved))})"] * bool(moved) + [
            "what is normal has moved"
        ]
    name, did, normal = wording(metric, evidence["unit"]).name, change(evidence), normal_range(evidence)
    if direction == "moved":
        name = f"normal {name}"
    about = f"normal {normal}" if normal else ""
    if not about and known(evidence["expected"]) and known(evidence["lower"]):
        about = f"expected {wording(metric, evidence['unit']).figure(evidence['expected'])}"
    return [f"{name} {did} ({about})"] * bool(about and direction != "moved") + [f"{name} {did}"]
