"""Causes that show while the traffic happens to be other than expected: a fault does not wait for an ordinary minute."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from auditor.detection.diagnosis.pictures import LESS_TRAFFIC, MORE_TRAFFIC, PICTURES, Kinds, Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

COINCIDENCE: Final = 0.1
"""How much rarer a cause is together with unusual traffic than by itself."""

_COUNTS: Final = ("gets", "hits", "surplus", "evictions")
_KEEP_THE_HITS: Final = frozenset({"backend_slow", "cache_slow", "backend_errors", "improvement"})
"""Causes under which hits, sets and evictions go with the traffic, as they do in a healthy cache."""
_LOSE_HITS: Final = frozenset(
    {"flush", "capacity_cut", "ttl_cut", "key_change", "working_set_growth", "stampede"}
)
_SHRINK: Final = frozenset({"flush", "capacity_cut", "ttl_cut"})

_FEWER_LOOKUPS: Final[Mapping[str, Kinds]] = {
    "gets": LESS_TRAFFIC["gets"],
    "hits": {"fell": 0.97, "same": 0.025, "rose": 0.005},
}
_MORE_LOOKUPS: Final[Mapping[str, Kinds]] = {
    "gets": MORE_TRAFFIC["gets"],
    "hits": {"fell": 0.5, "same": 0.3, "rose": 0.2},
    "surplus": {"little": 0.1, "matching": 0.2, "excess": 0.7},
}


def _in_traffic(picture: Picture, shows: Mapping[str, Kinds], dropped: tuple[str, ...]) -> Picture:
    kept = {clue: kinds for clue, kinds in picture.shows.items() if clue not in dropped}
    return replace(picture, prior=picture.prior * COINCIDENCE, shows=kept | dict(shows))


def _variants() -> tuple[Picture, ...]:
    variants: list[Picture] = []
    for picture in PICTURES:
        if picture.cause in _KEEP_THE_HITS:
            for traffic in (MORE_TRAFFIC, LESS_TRAFFIC):
                counts = {clue: traffic[clue] for clue in _COUNTS if clue in traffic}
                variants.append(_in_traffic(picture, counts, ("size", "size_trend")))
        if picture.cause in _LOSE_HITS:
            variants.append(_in_traffic(picture, _FEWER_LOOKUPS, ("evictions", "landed")))
        if picture.cause in _SHRINK:
            variants.append(_in_traffic(picture, _MORE_LOOKUPS, ()))
    return tuple(variants)


ALL_PICTURES: Final = PICTURES + _variants()
"""Every picture that the ranking weighs."""
