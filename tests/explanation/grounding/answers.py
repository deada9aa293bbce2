"""Answers made of the sentences that a test is about, and what is left of them."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.grounding.prose import plain, sentences, shown
from auditor.explanation.grounding.told import facts_of
from auditor.explanation.grounding.verdict import check_against
from auditor.explanation.reply import Reply, ReplyCause

if TYPE_CHECKING:
    from auditor.explanation.checked import Checked
    from auditor.explanation.grounding.facts import Facts


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


@cache
def _facts(purpose: Purpose, text: str) -> Facts:
    return facts_of(Brief(purpose, json.loads(text)))


def facts(brief: Brief) -> Facts:
    """The facts of a brief, read once for all the sentences that are checked against them."""
    return _facts(brief.purpose, brief.text)


def checked(answer: Reply, brief: Brief) -> Checked:
    """An answer's check, for tests of thousands of answers to a few briefs."""
    return check_against(facts(brief), answer)


def stands(brief: Brief, field: str, sentence: str) -> bool:
    """Whether a sentence, put into a field of an answer, is left there whole."""
    found = checked(with_sentence(brief, field, sentence), brief)
    return not any(one.field != "causes" for one in found.rejected) and all(
        shown(one) in left(found) for one in sentences(plain(sentence))
    )


def left(found: Checked) -> str:
    """Every word that is left of an answer."""
    return "\n".join((found.description, found.recommendation, *(one.why for one in found.causes)))
