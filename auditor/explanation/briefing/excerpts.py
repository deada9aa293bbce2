"""Text of the watched application in a brief: cache keys and error messages, redacted, shortened and neutral."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.diagnosis.figures import known
from auditor.explanation.briefing.figures import rounded
from auditor.explanation.names import neutral_text
from auditor.redaction import without_private_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST_KEY: Final = 80
LONGEST_MESSAGE: Final = 160
LONGEST_TYPE: Final = 60
MOST: Final = 5
READ_AT_MOST: Final = 2000
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[.:]{1,2}[A-Za-z_][A-Za-z0-9_]*)*")


def excerpt(text: str, longest: int) -> str:
    """What may be shown of a text that came from outside, on one line of at most `longest` characters.

    It is redacted before it is cut, for half a secret is no longer recognised as one; of a text that is very long only
    the first whole words are looked at.
    """
    if len(text) > READ_AT_MOST:
        text = text[:READ_AT_MOST].rpartition(" ")[0]
    return neutral_text(without_private_parts(text), longest)


def error_entries(errors: Iterable[Mapping[str, Any]], *, excerpts: bool) -> list[dict[str, Any]]:
    """The most frequent errors as `{type, count, message}`, at most five.

    Without excerpts the message is null, and a type that is not a plain name, as of a class, is called "other".
    """
    counted = [error for error in errors if known(error.get("count"))]
    counted.sort(key=lambda error: (-error["count"], str(error.get("type")), str(error.get("message"))))
    return [
        {
            "type": _type(error.get("type"), excerpts=excerpts),
            "count": rounded(error["count"]),
            "message": excerpt(str(error["message"]), LONGEST_MESSAGE)
            if excerpts and error.get("message")
            else None,
        }
        for error in counted[:MOST]
    ]


def _type(name: Any, *, excerpts: bool) -> str:
    shown = excerpt(str(name or ""), LONGEST_TYPE)
    return shown if shown and (excerpts or _PLAIN_NAME.fullmatch(shown)) else "other"


def key_entries(keys: Iterable[str], *, excerpts: bool) -> list[str]:
    """Examples of cache keys, at most five, each once; none without excerpts."""
    shown = (excerpt(key, LONGEST_KEY) for key in keys if isinstance(key, str)) if excerpts else ()
    return [key for key in dict.fromkeys(shown) if key][:MOST]
