"""Figures as the demo's viewers print them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from auditor.detection.catalogue import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS: Final[Mapping[str, str]] = {"%": " %", "ms": " ms", "operations/min": "/min", "entries": ""}


def clock(minute: int) -> str:
    """The time of day of a minute since 1970, UTC."""
    return datetime.fromtimestamp(60 * minute, UTC).strftime("%H:%M")


def figure(value: float) -> str:
    """A number to about three figures."""
    if abs(value) >= 99.5:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 9.95 else f"{value:.1f}"


def with_unit(metric: str, value: float | None) -> str:
    """A metric's value as text; a dash where unknown."""
    return "–" if value is None else figure(value) + _UNITS[BY_NAME[metric].unit]


def band(metric: str, lower: float | None, upper: float | None) -> str:
    """A metric's learned band as text; empty where there is none yet."""
    if lower is None or upper is None:
        return ""
    return f"normal {figure(lower)}–{figure(upper)}{'%' if BY_NAME[metric].unit == '%' else ''}"
