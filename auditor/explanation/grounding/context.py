"""What a sentence is read in: the facts, the field it stands in, and what was spoken of before."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from auditor.explanation.grounding.facts import Facts
    from auditor.explanation.grounding.reading import Reading
    from auditor.explanation.grounding.subjects import Mention

_CONJOINED: Final = re.compile(
    r"^(?:\s|,|/|&|and|or|nor|as well as|both|the|its|also|together with|along with|plus|(?:[\ue000-\uf8ff]'s)|-|–|average|cache)*$"
)


@dataclasses.dataclass(slots=True)
class Context:
    """Where a sentence stands.

    Parameters
    ----------
    facts
        The brief's.
    field
        "summary", "why", "impact", "step", "reason" or "item".
    cause
        The cause that the field is about: of a summary the one shown first.
    confidences
        The confidence that is shown for each cause, beside the evidence's own.
    cache
        The cache spoken of where a sentence names none; empty in a digest's summary.
    carried
        The subjects of the sentence before.
    grid
        Whether a number of this sentence was found in the hour around the incident, at a time that it names.
    """

    facts: Facts
    field: str
    cause: str
    confidences: dict[str, float] = dataclasses.field(default_factory=dict)
    cache: str = ""
    carried: tuple[str, ...] = ()
    grid: bool = False

    def cache_at(self, reading: Reading, at: int) -> str:
        """The cache spoken of at a place: the last one named before it, else the first one after it, else the field's."""
        before = [name for place, name in reading.caches if place < at]
        if before:
            return before[-1]
        if self.field in {"item", "digest"} and reading.caches:
            return reading.caches[0][1]
        following = [
            name
            for place, name in reading.caches
            if re.fullmatch(r"[\s§]*(?:of|for|in|on|at)?\s*(?:the cache\s*)?", reading.low[at:place])
        ]
        return following[0] if following else self.cache


def groups(reading: Reading) -> list[tuple[Mention, ...]]:
    """The subjects of a sentence, those joined by commas and "and" together."""
    joined: list[list[Mention]] = []
    for mention in reading.subjects:
        if joined and _CONJOINED.match(reading.low[joined[-1][-1].end : mention.start]):
            joined[-1].append(mention)
        else:
            joined.append([mention])
    return [tuple(group) for group in joined]


def preceding(reading: Reading, at: int) -> tuple[Mention, ...]:
    """The subjects last spoken of before a place; none where the sentence has not come to any."""
    found: tuple[Mention, ...] = ()
    for group in groups(reading):
        if group[0].start < at:
            found = tuple(mention for mention in group if mention.start < at)
    return found


def following(reading: Reading, at: int) -> tuple[Mention, ...]:
    """The subjects spoken of next after a place."""
    for group in groups(reading):
        later = tuple(mention for mention in group if mention.start >= at)
        if later:
            return later
    return ()


def subjects_of(found: tuple[Mention, ...]) -> tuple[str, ...]:
    """Their names."""
    return tuple(mention.subject for mention in found)
