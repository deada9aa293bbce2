"""Answers made of the sentences that a test is about, and what is left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.explanation.grounding import check
from auditor.explanation.grounding.prose import plain, sentences, shown
from auditor.explanation.reply import Reply, ReplyCause

if TYPE_CHECKING:
    from auditor.explanation.brief import Brief
    from auditor.explanation.checked import Checked


def reply(brief: Brief, **changes: Any) -> Reply:
    """An answer in the evidence's order and confidences, changed in the named fields."""
    causes = [
        ReplyCause(cause=one["cause"], confidence=one["confidence"], why="", reordered_because=None)
        for one in brief.data["causes"]
    ]
    fields: dict[str, Any] = {
        "summary": "It needs a look.",
        "causes": causes,
        "impact": None,
        "steps": ["Look at the start of it."],
        "confidence": causes[0].confidence,
        **changes,
    }
    return Reply(**fields)


def with_sentence(brief: Brief, field: str, sentence: str) -> Reply:
    """An answer that says one sentence in a field: summary, why, impact or step."""
    if field == "why":
        first, *rest = reply(brief).causes
        return reply(brief, causes=[first.model_copy(update={"why": sentence}), *rest])
    return reply(
        brief, **{field if field != "step" else "steps": [sentence] if field == "step" else sentence}
    )


def stands(brief: Brief, field: str, sentence: str) -> bool:
    """Whether a sentence, put into a field of an answer, is left there whole."""
    checked = check(with_sentence(brief, field, sentence), brief)
    return not any(one.field != "causes" for one in checked.rejected) and all(
        shown(one) in left(checked) for one in sentences(plain(sentence))
    )


def left(checked: Checked) -> str:
    """Every word that is left of an answer."""
    return "\n".join((checked.description, checked.recommendation, *(one.why for one in checked.causes)))
