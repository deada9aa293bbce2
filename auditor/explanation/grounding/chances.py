"""Numbers that say how sure a cause is, and how rare chance alone would bring such a minute."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.catalogue import named_causes
from auditor.explanation.grounding.facts import Fact
from auditor.explanation.grounding.matching import agrees, facts_about
from auditor.explanation.grounding.rounding import Hedge
from auditor.explanation.grounding.spot import Spot

if TYPE_CHECKING:
    from auditor.explanation.grounding.quantities import Quantity
    from auditor.explanation.grounding.spot import Spot

_CONFIDENT: Final = re.compile(
    r"confiden|certain|\bsure\b|probab|likel|\bodds\b|weight|\bscore|credence|belief|\bposterior"
)

_RANKED: Final = re.compile(
    r"\b(?:distant|close|comes?|ranks?|a) second\b|\b(?:explanation|candidate|hypothesis|rank(?:s|ed)?)\b"
)

_CHANCE: Final = re.compile(
    r"\b(?:once (?:in|every|per)|p[- ]?value|p\s*(?:=|of|is|below|about|at most|above|<|\(|:)|by chance|at random|random|by accident|one in|1 in|coincidence|odds|luck|accidental)"
)


def confidence(spot: Spot) -> bool | None:
    """Whether a number is the confidence of the cause it is said of; None where it speaks of no confidence."""
    causes = [named for named in named_causes(spot.reading.spoken) if named.end <= spot.one.start]
    beside: object = causes and re.fullmatch(
        r"\s*(?:\(|,|:|at|with|–|-)?\s*(?:about|around|roughly|some)?\s*",
        spot.reading.spoken[causes[-1].end : spot.one.start],
    )
    bracketed = spot.left.rstrip().endswith("(") and re.match(r"\s*\)[.!]?$", spot.right) is not None
    if causes and bracketed and "§" not in spot.reading.low[causes[-1].end : spot.one.start]:
        beside = True
    told = _told_before(spot) or _CONFIDENT.search(spot.right[:28])
    if (
        (beside and spot.left.rstrip().endswith("(")) or spot.right.lstrip().startswith("confiden")
    ) and spot.one.unit in {
        "pt",
        "time",
        "times",
    }:
        return False
    if spot.one.unit not in {"%", "share", ""} or not (told or beside) or "once" in spot.left:
        return None
    if _CHANCE.search(spot.left) and not beside and "confiden" not in spot.left + spot.right:
        return None
    about = (
        causes[-1].causes
        if causes
        else next((named.causes for named in named_causes(spot.reading.spoken)), ())
    )
    names = set(about) & set(spot.context.facts.ranks) or {spot.context.cause}
    if spot.context.field == "why" and not about:
        names = {spot.context.cause}
    allowed = [spot.context.facts.ranks[name] for name in names if name in spot.context.facts.ranks]
    allowed += [spot.context.confidences[name] for name in names if name in spot.context.confidences]
    if spot.context.field in {"item", "digest"} and not about:
        allowed = list(spot.context.facts.ranks.values())
    return any(agrees(spot.one, Fact("confidence", "", value, "share")) for value in allowed)


def _told_before(spot: Spot) -> bool:
    """Whether words of confidence stand before a number, with no subject in between."""
    left = spot.left[-40:]
    found = _CONFIDENT.search(left) or _RANKED.search(left)
    if found is None:
        return False
    return "§" not in spot.reading.low[spot.one.start - len(left) + found.end() : spot.one.start]


def rarity(spot: Spot) -> bool | None:
    """Whether a number says how rare chance would bring it; None where it does not speak of chance."""
    if not (
        _CHANCE.search(spot.left[-30:])
        or (spot.one.unit == "share" and _CHANCE.search(spot.left + spot.right))
    ):
        return None
    if spot.one.unit not in {"time", "share", "", "%"}:
        return None
    bounded = spot.one.hedge in {Hedge.ABOVE, Hedge.BELOW, Hedge.EITHER_ABOVE} or re.search(
        r"\b(?:less|fewer|rarer|more rarely) (?:often )?than\b", spot.left
    )
    return any(
        _as_rare(spot.one, fact.value, bool(bounded))
        for fact in facts_about(spot.context, spot.cache, ("chance",))
    )


def _as_rare(one: Quantity, p_value: float, bounded: bool) -> bool:
    """Whether a number says a chance: once in so many years of minutes, one in so many, or the p-value itself.

    A bound must be true and within a factor of a thousand, or one that is commonly given.
    """
    if one.number.value <= 0.0:
        return False
    if one.is_time:
        said, truth = one.number.value / 60.0, 1.0 / p_value
        usual = abs(one.number.value / 31_557_600.0 - 1e4) < 10.0
        return (
            (truth >= 0.95 * said and (usual or truth <= 1e3 * said))
            if bounded
            else abs(said / truth - 1.0) <= 0.06
        )
    value = one.number.value / (100.0 if one.unit == "%" else 1.0)
    if bounded:
        usual = any(math.isclose(value, common) for common in (0.05, 0.01, 0.001, 0.0001, 1e-5, 1e-6))
        return p_value <= value * 1.05 and (usual or value <= 1e3 * p_value)
    if one.unit == "share":
        return abs(math.log(value / p_value)) <= 0.06
    return one.number.means(p_value * (100.0 if one.unit == "%" else 1.0), Hedge.NONE)
