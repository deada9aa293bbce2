"""A model's words checked against the evidence: every number, metric, direction, moment, name and cause."""

from auditor.explanation.grounding.verdict import check

__all__ = ["check"]
