"""Answers as asking a model gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditor.explanation.checked import Checked, RankedCause, Rejected, Rejection


@dataclass(frozen=True, slots=True)
class Answered:
    """One outcome of asking."""

    checked: Checked | None = None
    failure: str | None = None
    detail: str = ""
    repaired: bool = False
    input_tokens: int | None = 2000
    output_tokens: int | None = 200
    cost: float | None = 0.001
    seconds: float = 1.0
    model: str = "m"
    raw: str | None = None


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
