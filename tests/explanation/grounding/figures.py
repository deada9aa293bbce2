"""The numbers of a brief written in the many ways that a model writes them."""

from __future__ import annotations

from typing import Any, Final

UNITS: Final = {"%": " %", "ms": " ms", "entries": " entries", "operations/min": " operations a minute"}
_WORDS: Final = {
    2: "two",
    5: "five",
    6: "six",
    8: "eight",
    9: "nine",
    13: "thirteen",
    17: "seventeen",
    24: "twenty-four",
    34: "thirty-four",
    45: "forty-five",
    51: "fifty-one",
}


def figure(metric: dict[str, Any], role: str, style: int = 0) -> str:
    """A metric's value: as it is, rounded, in another unit, or hedged."""
    value, unit = metric[role], metric["unit"]
    if unit == "%":
        return (
            f"{_short(value)} %",
            f"{_short(value)}%",
            f"{_short(value)} percent",
            f"about {round(value) if value >= 1 else _short(value)} %",
            _fraction(value),
        )[style % 5]
    if unit == "ms":
        seconds = f"{value / 1000:.1f} s" if value >= 1000 else f"{_short(value)} ms"
        return (
            f"{value:,.0f} ms",
            seconds,
            f"{value / 1000:.3g} seconds",
            f"roughly {seconds}",
            f"{value:.0f}ms",
        )[style % 5]
    noun = UNITS.get(unit, "")
    return (
        f"{value:,.0f}{noun}",
        f"{value:.0f}{noun}",
        f"about {value:,.0f}{noun}",
        f"{_kilo(value)}{noun}",
        f"around {_rough(value):,.0f}{noun}",
    )[style % 5]


def _short(value: float) -> str:
    return f"{value:.4g}"


def _fraction(value: float) -> str:
    return f"{value / 100:.2f}" if value >= 1 else f"{value:.2g} %"


def _kilo(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 2000 else f"{value:.0f}"


def _rough(value: float) -> float:
    digits = len(f"{value:.0f}") - 2
    return round(value, -max(0, digits))


def distance(metric: dict[str, Any], style: int = 0) -> str:
    """How far a metric is from what was expected, without the side."""
    absolute, relative = abs(metric["effect_absolute"]), metric["effect_relative"]
    if metric["unit"] == "%":
        points = f"{absolute:.0f}" if absolute >= 10 else f"{absolute:.1f}"
        if style % 3 == 0 or relative is None:
            return f"{points} points"
        return f"{points} percentage points" if style % 3 == 1 else f"{abs(relative) * 100:.0f} %"
    if style % 2 and relative is not None:
        return f"{abs(relative) * 100:,.0f} %"
    if metric["unit"] == "ms":
        return f"{absolute:,.0f} ms" if style % 4 == 0 else f"{absolute / 1000:.1f} s"
    return f"{absolute:,.0f}{UNITS.get(metric['unit'], '')}"


def span(minutes: int, style: int = 0) -> str:
    """A number of minutes."""
    if minutes >= 120 and style % 2:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} hours"
    return (
        f"{minutes} minutes",
        f"{_WORDS.get(minutes, minutes)} minutes",
        f"{minutes} min",
        f"about {minutes} minutes",
    )[style % 4]


def clock(text: str, style: int = 0) -> str:
    """A moment's time of day."""
    return (text[11:16] + " UTC", text[11:16], text[11:16] + " (UTC)", "about " + text[11:16] + " UTC")[
        style % 4
    ]


def day(text: str, style: int = 0) -> str:
    """A moment's date."""
    year, month, number = int(text[:4]), int(text[5:7]), int(text[8:10])
    names = (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    )
    long = names[month - 1]
    return (
        f"{number} {long[:3]} {year}",
        f"{long} {number}, {year}",
        f"{number} {long}",
        f"{long} {number}",
        text[:10],
    )[style % 5]
