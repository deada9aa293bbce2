"""Answers as asking a model gives them."""

from __future__ import annotations

from typing import Any

from auditor.explanation.checked import Checked, RankedCause, Rejected, Rejection
from auditor.model.asking import Asked


def answered(checked: Checked | None = None, **given: Any) -> Asked:
    """One outcome of asking."""
    blank: dict[str, Any] = {
        "failure": None,
        "detail": "",
        "retry_after": None,
        "repaired": False,
        "input_tokens": 2000,
        "output_tokens": 200,
        "cost": 0.001,
        "uncertain": False,
        "seconds": 1.0,
        "model": "m",
        "raw": None,
    }
    return Asked(checked=checked, **(blank | given))


def checked(
    description: str = "The hit rate of answers fell to 40 %, where 78 % is expected.",
    *,
    recommendation: str = "Look for a flush.",
    cause: str = "flush",
    why: str = "It started suddenly.",
    **changes: Any,
) -> Checked:
    """A checked explanation with one cause."""
    given: dict[str, Any] = {
        "source": "model",
        "description": description,
        "recommendation": recommendation,
        "causes": (RankedCause(cause, 0.9, why),),
        "confidence": 0.9,
        "sentences": 10,
        "rejected": (),
    }
    return Checked(**given | changes)


def rejected(count: int) -> tuple[Rejected, ...]:
    """So many claims that failed."""
    return tuple(Rejected("summary", f"claim {i}", "no such number", Rejection.NUMBER) for i in range(count))
