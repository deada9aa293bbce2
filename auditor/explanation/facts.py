"""An observation's evidence with every key there, so that the words need not ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from auditor.detection.diagnosis.figures import known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.detection.catalogue import Severity
    from auditor.detection.judgement import Observation

_ABSENT: Final[Mapping[str, Any]] = {
    "unit": "",
    "value": None,
    "expected": None,
    "lower": None,
    "upper": None,
    "p_value": None,
    "effect_absolute": None,
    "effect_relative": None,
    "n": None,
    "method": None,
    "worst_minute": None,
    "warned_minute": None,
    "resolved_minute": None,
    "flagged_windows": None,
    "first": None,
    "latest": None,
    "lead": True,
    "metrics": (),
    "unchanged": (),
    "causes": (),
    "impact": None,
    "baseline": None,
    "reasons": (),
    "silent_minutes": None,
    "back_minute": None,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the words are made from: the cache's name, the state and the evidence, each key present."""

    cache: str
    severity: Severity
    status: Literal["open", "resolved"]
    evidence: dict[str, Any]

    @property
    def leads(self) -> bool:
        """Whether this observation speaks for its incident."""
        return bool(self.evidence["lead"])

    @property
    def is_back(self) -> bool:
        """Whether this is of a silence that is over, after which the incident went on."""
        told = (self.evidence["back_minute"], self.evidence["silent_minutes"])
        return self.evidence["metric"] == "silence" and all(map(known, told))

    @property
    def cause(self) -> dict[str, Any] | None:
        """The most probable cause, if any was ranked."""
        causes = self.evidence["causes"]
        return causes[0] if causes else None

    @property
    def only_traffic(self) -> bool:
        """Whether nothing but the traffic moved."""
        return set(self.evidence["metrics"] or [self.evidence["metric"]]) == {"throughput"}


def facts_of(observation: Observation) -> Facts:
    """The observation's facts; keys that its evidence lacks are filled in as unknown."""
    from_row = {
        "metric": observation.metric_name,
        "direction": observation.direction,
        "value": observation.metric_value,
        "expected": observation.baseline_value,
        "opened_minute": observation.window_start_minute,
        "last_minute": observation.window_end_minute - 1,
        "windows": observation.window_end_minute - observation.window_start_minute,
    }
    given = {key: value for key, value in observation.evidence.items() if value is not None}
    evidence = {**_ABSENT, **from_row, **given}
    return Facts(observation.implementation_type, observation.severity, observation.status, evidence)
