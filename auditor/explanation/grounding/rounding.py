"""How far a written number may be from the one it stands for: half a unit of its last digit, more where it says "about"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FLOATING: Final = 1e-9
"""What floating point may add to a number that is exactly half a digit off."""


class Hedge(StrEnum):
    """How a number is qualified."""

    NONE = "none"
    ABOUT = "about"
    ABOVE = "above"
    BELOW = "below"
    EITHER_ABOVE = "over"
    """"over 13 minutes": more than, or in the course of."""


_ABOVE: Final = r"(?:barely|little|hardly|not much|a bit|somewhat|slightly|a little|well|far|much) (?:more than|over|above)|more than|greater than|higher than|at least|no less than|no fewer than|well over|just over|just above|slightly over|slightly more than|a little over|a little more than|upwards of|exceeding|above|in excess of"
_BELOW: Final = r"(?:well|somewhat|slightly|a bit|a little|just|far) (?:under|below|less than|shy of)|just short of|shy of|less than|fewer than|lower than|at most|no more than|not more than|nearly|almost|just under|just below|just short of|slightly under|slightly less than|a little under|a little less than|close to|(?<!add )(?<!adds )(?<!added )(?<!adding )(?<!amounts )up to|below|under|not quite|approaching|barely"
_ABOUT: Final = r"about|around|roughly|approximately|approx\.?|circa|ca\.?|some|an estimated|more or less|somewhere near|in the region of|on the order of|of the order of|nearly about|or so"
HEDGES: Final = re.compile(
    rf"\b(?:(?P<above>{_ABOVE})|(?P<below>{_BELOW})|(?P<about>{_ABOUT})|(?P<over>over))(?: (?:the|an?|its|only|just))?\s*$"
)


def hedge_before(left: str) -> tuple[Hedge, int]:
    """What qualifies the number that follows, and where the text before the qualifier ends."""
    found = HEDGES.search(left)
    if found is None:
        return Hedge.NONE, len(left)
    kind = next(name for name in ("above", "below", "about", "over") if found[name])
    return {
        "above": Hedge.ABOVE,
        "below": Hedge.BELOW,
        "about": Hedge.ABOUT,
        "over": Hedge.EITHER_ABOVE,
    }[kind], found.start()


@dataclass(frozen=True, slots=True)
class Written:
    """A number as it was written: its value, half a unit of its last digit, and half of its last digit that is not nought."""

    value: float
    half: float
    round_half: float

    def times(self, factor: float) -> Written:
        """The same in another unit."""
        return Written(self.value * factor, self.half * abs(factor), self.round_half * abs(factor))

    def means(self, truth: float, hedge: Hedge = Hedge.NONE) -> bool:
        """Whether the number may stand for `truth`, both taken without their sign."""
        value, truth = abs(self.value), abs(truth)
        slack = FLOATING * max(truth, value)
        if (
            hedge in {Hedge.ABOVE, Hedge.EITHER_ABOVE}
            and value - slack <= truth <= value + self._span() + slack
        ):
            return True
        if hedge is Hedge.BELOW and value - self._span() - slack <= truth <= value + slack:
            return True
        near = self.half if hedge is Hedge.NONE else max(self.half, min(self.round_half, 0.07 * value))
        if value >= 1000.0:
            near = max(near, min(self.round_half, 0.025 * value))
        return abs(value - truth) <= near + slack

    def _span(self) -> float:
        """How far a bound may lie from what it bounds: a unit of its last digit, at most a quarter of it."""
        return min(max(2.0 * self.half, 2.0 * self.round_half), 0.25 * abs(self.value))


def written(digits: str, scale: float = 1.0) -> Written:
    """What a number in digits ("2,040", "41.20", "3.8e-53") may stand for.

    A last digit of 5 before noughts counts as rounded to fives.
    """
    bare = re.sub(r"[, ](?=\d{3})", "", digits)
    mantissa, _, exponent = bare.partition("e")
    scale *= 10.0 ** max(-400, min(300, int(exponent or 0)))
    places = len(mantissa.partition(".")[2])
    value = float(mantissa) * scale
    half = 0.5 * 10.0**-places * scale
    if places or "e" in bare:
        return Written(value, half, half)
    stripped = mantissa.rstrip("0")
    round_half = 0.5 * 10.0 ** (len(mantissa) - len(stripped)) * scale
    if stripped.endswith("5") and len(mantissa) > 1:
        round_half *= 5.0
    return Written(value, half, round_half if stripped else half)


def exactly(value: float, half: float, round_half: float | None = None) -> Written:
    """A number in words that may stand for anything within `half` of it."""
    if math.isnan(half):
        half = 0.0
    return Written(value, half, half if round_half is None else round_half)
