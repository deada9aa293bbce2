"""A number in its sentence, with the words about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.quantities import Quantity
    from auditor.explanation.grounding.reading import Reading

_OUTER: Final = re.compile(r"[;:]| while | whereas | but | although | though ")


@dataclass(frozen=True, slots=True)
class Spot:
    """A number, its sentence, the words before and after it up to the next number or clause, and the cache spoken of."""

    reading: Reading
    index: int
    one: Quantity
    context: Context
    left: str
    right: str
    cache: str


def spot_of(reading: Reading, index: int, context: Context) -> Spot:
    """The place of a sentence's number."""
    one = reading.quantities[index]
    left, right = _near(reading, index)
    return Spot(reading, index, one, context, left, right, context.cache_at(reading, one.start))


def _near(reading: Reading, index: int, before: int = 60, after: int = 45) -> tuple[str, str]:
    """The text about a number up to the numbers beside it or the end of its clause."""
    one = reading.quantities[index]
    first = last = index
    while first > 0 and _apposed(reading, first - 1):
        first -= 1
    while last + 1 < len(reading.quantities) and _apposed(reading, last):
        last += 1
    starts = [other.end for other in reading.quantities[:first]]
    ends = [other.start for other in reading.quantities[last + 1 :]]
    left = reading.spoken[max([one.start - before, 0, *starts]) : one.start]
    right = reading.spoken[one.end : min([one.end + after, len(reading.low), *ends])]
    return _OUTER.split(left)[-1], _OUTER.split(right)[0]


def _apposed(reading: Reading, index: int) -> bool:
    """Whether a number is followed by another that says the same: 431 seconds (7.2 minutes)."""
    one, after = reading.quantities[index], reading.quantities[index + 1]
    return (
        re.fullmatch(
            r"\s*(?:\((?:or |i\.e\. |that is )?|,? or|,? i\.e\.,?|/|=)\s*(?:about|around|roughly|some|nearly|almost|over|just over)?\s*",
            reading.low[one.end : after.start],
        )
        is not None
    )
