"""What was recorded of an operation, and the event that it becomes on its way to `ingest_cache_metrics`."""

from __future__ import annotations

import math
import numbers
import uuid
from datetime import UTC, datetime
from typing import Any

Event = dict[str, Any]
Record = tuple[float, str, str, str, float | None, int | None, str | None, str | None]
"""Seconds since 1970, operation, cache_key, implementation_type, response_time_ms, cache_size, error_type, error_message."""


def event_of(record: Record) -> Event:
    """The event of a record, with the id that it keeps for good.

    Whatever the cache recorded becomes JSON, lest one odd value hold up its batch for ever: what is no number travels as
    text, which the database refuses with its reason.
    """
    at, operation_type, cache_key, implementation_type, response_time_ms, cache_size, error_type, message = (
        record
    )
    event: Event = {
        "id": str(uuid.uuid4()),
        "cache_key": _text(cache_key),
        "operation_type": operation_type,
        "implementation_type": _text(implementation_type),
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
    }
    if response_time_ms is not None:
        event["response_time_ms"] = _number(response_time_ms)
    if cache_size is not None:
        event["cache_size"] = _number(cache_size)
    if error_type is not None:
        event["error_type"] = _text(error_type)
        event["error_message"] = _text(message)
    return event


def _text(value: object) -> str:
    """Text that JSON and PostgreSQL can both hold: no lone surrogates, no NUL."""
    text = value if type(value) is str else str(value)
    if text.isascii() and "\x00" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _number(value: object) -> float | int | str:
    if type(value) is int:
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return _text(value)
    if not math.isfinite(number):
        return str(number)
    return int(number) if isinstance(value, numbers.Integral) else number
