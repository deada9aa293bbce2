"""Numbers, times and words as a brief holds them: four digits, ISO 8601 to the minute, neutral text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auditor.detection.diagnosis.figures import known, moment
from auditor.explanation.names import neutral_name, neutral_text

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]

DIGITS: Final = 4
_EXACT: Final = 1e15
"""From here on whole numbers are written with an exponent: their last digits mean nothing."""


def rounded(value: Any) -> float | int | None:
    """A number to four significant digits, whole where it can be; None for what is not a finite number."""
    if not known(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < _EXACT else short


def counted(value: Any) -> int | None:
    """A count of minutes or of incidents, exact; None for what is no number, or none that counts anything."""
    return int(value) if known(value) and abs(value) < _EXACT else None


def at(minute: Any) -> str | None:
    """The instant at which a minute since 1970 begins: 2026-11-26T10:45Z; None for what is no such minute."""
    try:
        return f"{moment(int(minute)):%Y-%m-%dT%H:%MZ}" if known(minute) else None
    except (OverflowError, ValueError):  # before the year 1 or after 9999
        return None


def said(texts: Any, most: int, longest: int = 300) -> list[str]:
    """The first so many sentences, each neutral and on one line."""
    given: Iterable[Any] = texts if isinstance(texts, (list, tuple)) else ()
    return [neutral_text(text, longest) for text in given if isinstance(text, str) and text.strip()][:most]


def cache_name(value: Any) -> str:
    """A cache's name, neutral, and without the end of a sentence in it: a name of several sentences could not be spoken of."""
    return neutral_name(str(value or "")).replace(". ", " ")


def one_of(value: Any, allowed: Iterable[str]) -> str | None:
    """The value where it is one of those allowed, else None."""
    return value if isinstance(value, str) and value in allowed else None


def evidence_of(row: Row) -> Row:
    """A row's evidence; empty where it has none."""
    found = row.get("evidence")
    return found if isinstance(found, dict) else {}


def objects_of(value: Any) -> list[Row]:
    """The objects of a list; empty where it is none."""
    return [part for part in value if isinstance(part, dict)] if isinstance(value, (list, tuple)) else []


def leads(row: Row) -> bool:
    """Whether a row speaks for its incident."""
    return bool(evidence_of(row).get("lead", True))
