"""A hint: that there is something to pull, not what. However it travels, it may be lost, and one that cannot be read is still a hint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Hint:
    """Minutes (since 1970) that were written and how many caches; `anew` after a connection, when some may have been missed."""

    minutes: tuple[int, ...] = ()
    caches: int = 0
    anew: bool = False


def hint_of(told: Any) -> Hint:
    """The hint in what `ingest_cache_metrics` sends, or in one row of `cache_metrics_1min`, as older aggregators broadcast it."""
    if not isinstance(told, dict):
        return Hint()
    if "minute_window" in told:
        return _hint_of_row(told)
    try:
        return Hint(tuple(int(minute) for minute in told.get("minutes", ())), int(told.get("caches", 0)))
    except (ValueError, TypeError, OverflowError):
        return Hint()


def hint_of_change(payload: Any) -> Hint:
    """The hint in a change of `cache_metrics_1min` as Realtime delivers it."""
    data = payload.get("data") if isinstance(payload, dict) else None
    record = data.get("record") if isinstance(data, dict) else None
    return _hint_of_row(record) if isinstance(record, dict) else Hint()


def _hint_of_row(row: Mapping[str, Any]) -> Hint:
    try:
        at = datetime.fromisoformat(str(row["minute_window"]))
    except (KeyError, ValueError):
        return Hint(caches=1)
    return Hint((int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() // 60),), 1)
