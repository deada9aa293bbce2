"""What was recorded of an operation, and the event that it becomes on its way to `ingest_cache_metrics`."""

from __future__ import annotations

import math
import numbers
import os
from datetime import UTC, datetime
from typing import Any, Final

Event = dict[str, Any]
Record = tuple[float, str, str, str, float | None, int | None, str | None, str | None]
"""Seconds since 1970, operation, cache_key, implementation_type, response_time_ms, cache_size, error_type, error_message."""

LONGEST_KEY: Final = 1024
LONGEST_ERROR_TYPE: Final = 256
LONGEST_ERROR_MESSAGE: Final = 4096
_LONGEST_NAME: Final = 4096
"""Longer than the database takes a name, so that a wrong name is refused with its reason, and still bounded."""


def event_of(record: Record) -> Event:
    """The event of a record, with the id that it keeps for good.

    Whatever the cache recorded becomes JSON, lest one odd value hold up its batch for ever: what is no number travels as
    text, which the database refuses with its reason. Text is cut to what the database holds; a key that is cut ends in
    a hash of all of it, so that two long keys stay two.
    """
    at, operation_type, cache_key, implementation_type, response_time_ms, cache_size, error_type, message = (
        record
    )
    event: Event = {
        "id": _new_id(),
        "cache_key": _key(_text(cache_key)),
        "operation_type": operation_type,
        "implementation_type": _text(implementation_type)[:_LONGEST_NAME],
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
    }
    if response_time_ms is not None:
        event["response_time_ms"] = _number(response_time_ms)
    if cache_size is not None:
        event["cache_size"] = _number(cache_size)
    if error_type is not None:
        event["error_type"] = _text(error_type)[:LONGEST_ERROR_TYPE]
        event["error_message"] = _text(message)[:LONGEST_ERROR_MESSAGE]
    return event


def _new_id() -> str:
    """A random UUID of version 4 (RFC 9562, section 5.4), at less cost than the uuid module's import and object."""
    text = os.urandom(16).hex()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def _key(text: str) -> str:
    if len(text) <= LONGEST_KEY:
        return text
    import hashlib

    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: LONGEST_KEY - len(digest) - 1]}#{digest}"


def _text(value: object) -> str:
    """Text that JSON and PostgreSQL can both hold: no lone surrogates, no NUL."""
    try:
        text = value if type(value) is str else str.__str__(str(value))
    except Exception:  # noqa: BLE001 - a caller's __str__ may raise anything, and its event still has to count
        text = f"<{type(value).__name__}>"
    if text.isascii() and "\x00" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _number(value: object) -> float | int | str:
    if type(value) is int:
        return value if abs(value) < 1 << 63 else f"{value:#x}"[:64]
    try:
        number = float(value)  # type: ignore[arg-type]
        if math.isfinite(number):
            return int(number) if isinstance(value, numbers.Integral) else number
    except Exception:  # noqa: BLE001 - a caller's __float__ may raise anything; the database refuses the text by name
        return _text(value)[:_LONGEST_NAME]
    return str(number)
