"""What is left of a model's answer once code has checked it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal


class Rejection(StrEnum):
    """What a rejected claim was about; a label of the metrics, so there are few."""

    NUMBER = "number"
    TIME = "time"
    DIRECTION = "direction"
    METRIC = "metric"
    CAUSE = "cause"
    CACHE = "cache"
    NAME = "name"
    STANDING = "standing"
    """Severity, status, certainty, and what is said of other incidents."""
    JUDGEMENT = "judgement"
    """How dangerous, urgent or intended it is, where the evidence says nothing of that."""
    ADVICE = "advice"
    """A step that is none of the looking and mending that the auditor itself gives."""
    EMPTY = "empty"
    """Nothing that could be checked."""
    MARKUP = "markup"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A claim that was taken out: the field it stood in, its text (neutralised), why it failed, and of what kind that is."""

    field: str
    text: str
    reason: str
    kind: Rejection

    def as_json(self) -> dict[str, str]:
        """The object as `explanation.checks.rejected` holds it."""
        return {"field": self.field, "text": self.text, "reason": self.reason, "kind": str(self.kind)}


@dataclass(frozen=True, slots=True)
class RankedCause:
    """A cause in the order shown: its id, a confidence of at most what the tests gave it, and a checked sentence or two."""

    cause: str
    confidence: float
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked explanation.

    Parameters
    ----------
    source
        "model" where the model's words stand, "template" where so much was rejected that the deterministic text has to.
    description, recommendation
        Neutralised plain text, lines separated by a line feed; empty where `source` is "template".
    causes
        In the order shown; empty where `source` is "template".
    confidence
        Of the first cause, 0..1.
    sentences
        Sentences that were checked.
    rejected
        Those of them that failed, and every other claim that did.
    """

    source: Literal["model", "template"]
    description: str
    recommendation: str
    causes: tuple[RankedCause, ...]
    confidence: float
    sentences: int
    rejected: tuple[Rejected, ...]

    @property
    def grounded_share(self) -> float:
        """Share of the sentences that stand, 0..1; 1 where there were none."""
        failed = len({(one.field, one.text) for one in self.rejected})
        return max(0.0, 1.0 - failed / self.sentences) if self.sentences else 1.0

    def as_checks(self) -> dict[str, Any]:
        """The object as `explanation.checks` holds it."""
        return {
            "sentences": self.sentences,
            "grounded_share": round(self.grounded_share, 4),
            "rejected": [one.as_json() for one in self.rejected],
        }
