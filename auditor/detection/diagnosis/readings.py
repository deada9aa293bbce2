"""What a signature shows: each clue as a measured value with its uncertainty, sorted softly into kinds.

A clue is a number (mostly the logarithm of observed over expected), a standard error, and cuts that divide the line into
named kinds such as fell, same, rose. What a clue says is the probability of each kind, given that the true value is normal
about the measured one. A clue that cannot be measured says nothing at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Kinds = tuple[float, tuple[tuple[str, float], ...]]
LEANS: Final = 0.75
"""The share of a kind behind which a value is nearly of the next."""
_CHANGE: Final[Kinds] = (-1.2, (("fell", -0.2), ("same", 0.2), ("rose", 1.2)))
_YES_NO: Final[Kinds] = (-0.5, (("no", 0.5), ("yes", 1.5)))
CUTS: Final[Mapping[str, Kinds]] = {
    "hit_rate": (-1.5, (("fell", -0.15), ("same", 0.15), ("rose", 1.5))),
    "hits_left": (math.log(0.05), (("few", math.log(0.22)), ("some", math.log(0.88)), ("most", 0.15))),
    "hit_trend": (-1.0, (("falling", -0.25), ("flat", 0.36), ("recovering", 1.0))),
    "gets": _CHANGE,
    "hits": _CHANGE,
    "size": (
        -3.0,
        (("emptied", math.log(0.35)), ("fell", math.log(0.9)), ("same", math.log(1.05)), ("rose", 0.5)),
    ),
    "size_earlier": (-1.0, (("fell", math.log(0.9)), ("same", 0.2))),
    "size_trend": (-0.6, (("falling", -0.06), ("flat", 0.06), ("refilling", 0.6))),
    "eviction_share": (0.0, (("none", 0.15), ("some", 0.6), ("most", 1.0))),
    "evicted": (-0.2, (("no", 0.3), ("yes", 1.1))),
    "evictions": (-1.3, (("fell", -0.3), ("same", 0.25), ("rose", 1.3))),
    "sets_per_miss": (-1.2, (("fell", -0.2), ("same", 0.25), ("rose", 1.2))),
    "miss_latency": _CHANGE,
    "hit_latency": _CHANGE,
    "latency": (-1.2, (("fell", -0.15), ("explained", 0.15), ("rose", 1.2))),
    "latency_shape": (0.0, (("level", math.log(1.7)), ("tall", math.log(4.0)))),
    "hit_lag": (0.0, (("shared", 0.6), ("misses_only", 1.0))),
    "errors": (-0.01, (("same", 0.008), ("rose", 0.15))),
    "onset": (0.0, (("sudden", 3.5), ("gradual", 30.0))),
    "brief": _YES_NO,
    "landed": (-0.2, (("no", 0.35), ("yes", 1.1))),
    "refill": (0.0, (("no", 0.68), ("yes", 1.1))),
    "size_floor": (-0.5, (("within", math.log(1.8)), ("beyond", 1.7))),
    "swing": (0.0, (("level", 0.4), ("swinging", 2.0))),
    "surplus": (-0.2, (("little", 0.55), ("matching", 1.7), ("excess", 3.0))),
    "silent_before": _YES_NO,
    "silence": _YES_NO,
    "validity": _YES_NO,
    "harm": _YES_NO,
}
"""Each clue's lowest value that is told apart from lower ones, and its kinds with their upper ends."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One clue as measured.

    Parameters
    ----------
    clue
        Its name in `CUTS`.
    value, error
        The measured value and its standard error, on the clue's own scale.
    """

    clue: str
    value: float
    error: float

    def likelihoods(self) -> Mapping[str, float]:
        """How probable the measured value is under each kind, true values being spread evenly over the kind.

        A measurement whose error is wide is about as probable under every kind, and so tells nothing.
        """
        start, kinds = CUTS[self.clue]
        value = min(kinds[-1][1], max(start, self.value))
        shares: dict[str, float] = {}
        for kind, end in kinds:
            inside = _normal_cdf((end - value) / self.error) - _normal_cdf((start - value) / self.error)
            shares[kind] = inside / (end - start)
            start = end
        return shares

    @property
    def kind(self) -> str:
        """The kind that the measured value lies in."""
        kinds = CUTS[self.clue][1]
        return next((kind for kind, end in kinds if self.value < end), kinds[-1][0])

    def leans_to(self, other: str) -> bool:
        """Whether it lies in the last quarter of its kind before another: almost that is no evidence against it."""
        start, kinds = CUTS[self.clue]
        ends = [start, *(end for _, end in kinds)]
        at = [kind for kind, _ in kinds].index(self.kind)
        to = [kind for kind, _ in kinds].index(other)
        share = (self.value - ends[at]) / (ends[at + 1] - ends[at])
        return (to == at + 1 and share > LEANS) or (to == at - 1 and share < 1.0 - LEANS)


def reading_of(clue: str, value: float, error: float) -> Reading | None:
    """The reading, or None where its value or its error is not known."""
    if not (math.isfinite(value) and math.isfinite(error)):
        return None
    return Reading(clue, value, min(30.0, max(error, 1e-3)))


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
