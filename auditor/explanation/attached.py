"""The explanation as a row holds it: a model's checked words, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.explanation.brief import Brief
    from auditor.explanation.checked import Checked

REJECTED = "rejected: too little of what the model said is so"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who words it: the prompt's id, version and hash, and the model's name."""

    prompt_id: str
    prompt_version: int
    prompt_hash: str
    model: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call used: tokens, and its cost in the currency of the prices, None where it is not known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None


def explained(
    checked: Checked, brief: Brief, of: Mapping[str, Any] | None, origin: Origin, spent: Spent
) -> dict[str, Any]:
    """The object `explanation` of a checked answer.

    A description says of which minute its numbers are. Where so much was rejected that the deterministic text has to stand, there is no
    text and `checks.failure` says so.

    Parameters
    ----------
    of
        What the finding was when the brief was made, as the database told it; None where it is of no finding.
    """
    origins = _origins(brief, of, origin, spent)
    checks = checked.as_checks()
    if checked.source == "template":
        return {"source": "template", "checks": {"failure": REJECTED, **checks}, **origins}
    return {
        "source": "model",
        "description": f"{_as_of(brief)}{checked.description}",
        "recommendation": checked.recommendation,
        "causes": [
            {"cause": one.cause, "confidence": one.confidence, "why": one.why} for one in checked.causes
        ],
        "confidence": checked.confidence,
        "checks": checks,
        **origins,
    }


def unexplained(
    reason: str, brief: Brief, of: Mapping[str, Any] | None, origin: Origin, spent: Spent
) -> dict[str, Any]:
    """The object `explanation` where the model failed; the deterministic text stands, and `checks.failure` says why."""
    return {
        "source": "template",
        "checks": {"failure": reason},
        **_origins(brief, of, origin, spent),
    }


def _origins(brief: Brief, of: Mapping[str, Any] | None, origin: Origin, spent: Spent) -> dict[str, Any]:
    return {
        "model": origin.model,
        "prompt": {"id": origin.prompt_id, "version": origin.prompt_version, "hash": origin.prompt_hash},
        "evidence_hash": brief.hash,
        "as_of": brief.data.get("as_of") or brief.data.get("to"),
        "of": None if of is None else dict(of),
        "tokens": {"input": spent.input_tokens, "output": spent.output_tokens},
        "cost": spent.cost,
    }


def _as_of(brief: Brief) -> str:
    """`As of 10:45 UTC: `; nothing where the brief is of no minute."""
    moment = str(brief.data.get("as_of") or "")
    return f"As of {moment[11:16]} UTC: " if len(moment) >= 16 else ""
