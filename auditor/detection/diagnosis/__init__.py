"""What caused an incident: causes ranked from its joint signature by the physics of a cache."""

from auditor.detection.diagnosis.ranking import rank_causes

__all__ = ["rank_causes"]
