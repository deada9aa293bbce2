"""Whether a written number may be a fact's: units converted, rounding allowed, the sign kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.facts import OWN
from auditor.explanation.grounding.rounding import Hedge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.facts import Fact
    from auditor.explanation.grounding.quantities import Quantity
    from auditor.explanation.grounding.rounding import Written

_FACTORS: Final = {
    ("%", "%"): 1.0, ("%", "share"): 0.01, ("%", "times"): 0.01,
    ("pt", "pt"): 1.0,
    ("time", "time"): 1.0,
    ("share", "share"): 1.0, ("share", "%"): 100.0, ("share", "times"): 1.0,
    ("times", "times"): 1.0, ("times", "share"): 1.0,
    ("", "count"): 1.0, ("", "money"): 1.0, ("", "%"): 1.0, ("", "share"): 1.0, ("", "pt"): 1.0, ("", "times"): 1.0,
}  # fmt: skip
"""From a written unit to a fact's, where they are compatible at all."""


def agrees(one: Quantity, fact: Fact) -> bool:
    """Whether the quantity may stand for the fact."""
    if one.sign and fact.role in {"effect", "change"} and one.sign * fact.value < 0.0:
        return False
    if one.sign < 0 and fact.role not in {"effect", "change"} and fact.value > 0.0:
        return False
    whole = one.unit == "times" and one.hedge is Hedge.ABOVE and one.number.value.is_integer()
    if whole and fact.unit == "times" and one.number.value <= fact.value < one.number.value + 1.0:
        return True
    return any(number.means(fact.value, one.hedge) for number in _converted(one, fact))


def _converted(one: Quantity, fact: Fact) -> list[Written]:
    if one.unit == "" and fact.unit == "time":
        return [one.number.times(fact.native)] if fact.native != 1.0 else []
    if fact.unit == "count" and one.unit not in {"%", "pt", "time", "share", "times", ""}:
        return [one.number]
    factor = _FACTORS.get((one.unit, fact.unit))
    if factor is None:
        return []
    found = [one.number.times(factor)]
    if one.unit == "" and fact.unit in {"%", "pt"} and one.number.value <= 1.0 and one.number.half < 0.5:
        found.append(one.number.times(100.0))
    return found


def facts_about(
    context: Context, cache: str, subjects: tuple[str, ...], roles: set[str] | None = None
) -> Iterator[Fact]:
    """The facts about some subjects of a cache, in some parts where these are given; of any cache where none is."""
    for fact in context.facts.numbers:
        if (
            fact.subject in subjects
            and (roles is None or fact.role in roles)
            and (not cache or fact.cache in {cache, OWN})
        ):
            yield fact


def any_agrees(one: Quantity, facts: Iterator[Fact]) -> bool:
    """Whether the quantity may stand for one of them."""
    return any(agrees(one, fact) for fact in facts)
