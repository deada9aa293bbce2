"""How figures are written in sentences: short, human, and never nan."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final, TypeGuard

MINUTES_A_DAY: Final = 1440
MINUTES_A_YEAR: Final = 525_960
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def known(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, so that it may be written."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def plain(value: float, decimals: int) -> str:
    """A number with at most so many decimals, thousands parted by commas, no trailing noughts, no minus nought."""
    text = f"{value:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def count(value: float) -> str:
    """A count: 0.4, 7.5, 312, 4,120, 12.4k, 3.1M, 2.5G."""
    size = abs(value)
    for limit, divisor, letter in ((9_999.5, 1, ""), (999_950, 1e3, "k"), (999_950_000, 1e6, "M")):
        if size < limit:
            scaled = value / divisor
            decimals = _decimals(abs(scaled)) if divisor == 1 else (1 if abs(scaled) < 99.95 else 0)
            return plain(scaled, decimals) + letter
    return plain(value / 1e9, 1) + "G" if size < 1e13 else f"{value:.1e}"


def percent(fraction: float) -> str:
    """A share, given as a fraction: 0.04 %, 0.7 %, 4.2 %, 41 %, 99.6 %."""
    return percent_of(100.0 * fraction)


def percent_of(value: float) -> str:
    """The same, given in percent."""
    size = abs(value)
    if 99.5 <= size < 100.0:
        shown = plain(math.copysign(math.floor(size * 10.0) / 10.0, value), 1)
        return f"{shown} %"
    if 0.0 < size < 0.01:
        return f"under {'' if value > 0 else '-'}0.01 %"
    return f"{plain(value, _decimals(size)) if size < 9_999.5 else count(value)} %"


def milliseconds(value: float) -> str:
    """A response time: 0.42 ms, 4.2 ms, 420 ms, 1.4 s, 3.5 min."""
    size = abs(value)
    if size < 999.5:
        return f"{plain(value, _decimals(size))} ms"
    return seconds(value / 1000.0)


def seconds(value: float) -> str:
    """A span given in seconds: 0.2 s, 41 s, 3.5 min, 5.2 h, 3.1 days."""
    size = abs(value)
    for limit, divisor, unit in ((119.5, 1.0, "s"), (7_170.0, 60.0, "min"), (172_000.0, 3600.0, "h")):
        if size < limit:
            return f"{plain(value / divisor, _decimals(size / divisor))} {unit}"
    return f"{count(value / 86_400.0)} days"


def minutes(value: int) -> str:
    """A span of whole minutes: 1 minute, 14 minutes, 2 h 5 min, 3 days 2 h."""
    if value < 120:
        return plural(value, "minute")
    if value < 2 * MINUTES_A_DAY:
        hours, rest = divmod(value, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(value, MINUTES_A_DAY)
    hours = rest // 60
    return f"{count(days)} days {hours} h" if hours else f"{count(days)} days"


def plural(value: float, noun: str, nouns: str | None = None) -> str:
    """A count with its noun in the right number."""
    shown = count(value)
    return f"{shown} {noun if shown == '1' else nouns or noun + 's'}"


def clock(minute: int) -> str:
    """The time of day of a minute since 1970: 23:41 UTC."""
    return f"{moment(minute):%H:%M} UTC"


def day(minute: int) -> str:
    """The date of a minute since 1970: 3 Nov 2026."""
    when = moment(minute)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[
        when.month - 1
    ]
    return f"{when.day} {month} {when.year}"


def moment(minute: int) -> datetime:
    """The instant at which a minute since 1970 starts."""
    return _EPOCH + timedelta(minutes=minute)


def _decimals(size: float) -> int:
    if size >= 9.95 or size == 0.0:
        return 0
    if size >= 0.995:
        return 1
    return min(6, 1 - math.floor(math.log10(size)))
