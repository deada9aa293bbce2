"""The kinds of claims that the checks take out of replies: the reasons are sentences, and a metric's labels have to be few."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Rejection(StrEnum):
    """What a rejected claim was about; a label of the metrics."""

    NUMBER = "number"
    TIME = "time"
    DIRECTION = "direction"
    METRIC = "metric"
    CAUSE = "cause"
    CACHE = "cache"
    NAME = "name"
    STANDING = "standing"
    """Severity, status, certainty, and what is said of other incidents."""
    MARKUP = "markup"
    OTHER = "other"


_KINDS: Final = (
    (Rejection.MARKUP, r"holds a link, a tag|characters that English prose"),
    (Rejection.NUMBER, r"is not what the evidence has there"),
    (Rejection.TIME, r"not a moment of the evidence|times are in UTC"),
    (
        Rejection.DIRECTION,
        r"did not go|is not (?:unchanged|unusual) in the evidence|neither better nor worse",
    ),
    (Rejection.METRIC, r"nobody measured|there is nothing about"),
    (
        Rejection.CAUSE,
        r"none of the ranked causes|is given twice|order was restored|the cause of no incident|\bcauses?\b",
    ),
    (Rejection.CACHE, r"no such cache|is no cache in the evidence"),
    (Rejection.NAME, r"stands nowhere|says nothing of|is no name|is nobody"),
    (
        Rejection.STANDING,
        r"severity|still open|incident is over|not that sure|other cache|incidents? like it|baseline",
    ),
)


def rejection_kind(reason: str) -> Rejection:
    """The kind of a claim by the reason that the checks give."""
    return next((kind for kind, pattern in _KINDS if re.search(pattern, reason)), Rejection.OTHER)
