"""An observation in words, complete without any model: the row as it is stored, with title, description and advice."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.diagnosis.figures import moment
from auditor.explanation.description import describe
from auditor.explanation.facts import facts_of
from auditor.explanation.recommendation import recommend
from auditor.explanation.title import title_of

if TYPE_CHECKING:
    from auditor.detection.judgement import Observation

TEMPLATE_VERSION: Final = 1
NAMESPACE: Final = uuid.UUID("6f1e4c0e-0c3b-5d0a-9a57-2f0a4f1f6f10")
"""The namespace of observation ids: an id follows from the fingerprint alone."""


def observation_row(observation: Observation) -> dict[str, Any]:
    """The complete row of `cache_auditor_observations` by column name, ready for JSON.

    The columns that belong to the engineer (acknowledgement, verdict) are left out. Title, description and
    recommendation follow from the evidence alone, so the same evidence always reads the same.
    """
    facts = facts_of(observation)
    evidence = facts.evidence
    causes = evidence["causes"]
    return {
        "id": str(uuid.uuid5(NAMESPACE, observation.fingerprint)),
        "severity": str(observation.severity),
        "category": str(observation.category),
        "title": title_of(facts),
        "description": describe(facts),
        "recommendation": recommend(facts),
        "implementation_type": observation.implementation_type,
        "metric_name": observation.metric_name,
        "metric_value": _number(observation.metric_value),
        "baseline_value": _number(observation.baseline_value),
        "deviation_percentage": _number(observation.deviation_percentage),
        "metadata": {
            "direction": observation.direction,
            "lead": evidence["lead"],
            "windows": evidence["windows"],
            "cause": causes[0]["cause"] if causes else None,
        },
        "timestamp": moment(observation.timestamp_minute).isoformat(),
        "window_start": moment(observation.window_start_minute).isoformat(),
        "window_end": moment(observation.window_end_minute).isoformat(),
        "status": observation.status,
        "fingerprint": observation.fingerprint,
        "incident_id": observation.incident_id,
        "evidence": _plain(observation.evidence),
        "explanation": {"source": "template", "version": TEMPLATE_VERSION},
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """JSON holds no NaN and no infinity: they become null."""
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value
