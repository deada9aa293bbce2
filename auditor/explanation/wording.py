"""How each metric is spoken of: its name, its figures, and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.catalogue import BY_NAME
from auditor.detection.diagnosis.figures import count, known, milliseconds, percent, percent_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Evidence = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wording:
    """One metric in prose.

    Parameters
    ----------
    name
        What it is called in the middle of a sentence, without an article.
    figure
        Writes one of its values.
    """

    name: str
    figure: Callable[[float], str]


def _operations(value: float) -> str:
    return f"{count(value)} operations/min"


def _entries(value: float) -> str:
    shown = count(value)
    return f"{shown} entry" if shown == "1" else f"{shown} entries"


_FIGURES: Final[Mapping[str, Callable[[float], str]]] = {
    "%": percent_of,
    "ms": milliseconds,
    "operations/min": _operations,
    "entries": _entries,
}
_NAMES: Final[Mapping[str, str]] = {
    "throughput": "traffic",
    "window_validity": "consistency of the windows",
    "baseline": "learned normal",
}


def wording(metric: str, unit: str) -> Wording:
    """The words for a metric; a metric outside the catalogue is called by its own name."""
    title = BY_NAME[metric].title if metric in BY_NAME else metric.replace("_", " ")
    return Wording(_NAMES.get(metric, title), _FIGURES.get(unit, count))


def change(evidence: Evidence) -> str:
    """What the metric did, as the rest of a sentence: `fell to 41 %`."""
    words = wording(evidence["metric"], evidence["unit"])
    direction = evidence["direction"]
    value = evidence["value"]
    shown = words.figure(value) if known(value) else None
    if direction == "moved":
        return f"has moved to {shown}" if shown else "has moved"
    verb = "fell" if direction == "drop" else "rose"
    return f"{verb} to {shown}" if shown else verb


def normal_range(evidence: Evidence) -> str:
    """The normal interval, short: `71–79 %`, `up to 1 %`, or empty where it is not known, or the value lies within it."""
    lower, upper, value = evidence["lower"], evidence["upper"], evidence["value"]
    if known(value) and known(upper) and (lower if known(lower) else 0.0) <= value <= upper:
        # it is that of a single test, and what was found was summed up over many
        return ""
    return _interval(evidence, lower, upper)


def _interval(evidence: Evidence, lower: float, upper: float) -> str:
    figure = wording(evidence["metric"], evidence["unit"]).figure
    if known(lower) and known(upper):
        low, high = figure(lower), figure(upper)
        if low == high:
            return low
        if lower <= 0.0:
            return f"up to {high}"
        number, unit = low.partition(" ")[::2]
        return f"{number}–{high}" if high.endswith(f" {unit}") else f"{low} to {high}"
    if known(upper):
        return f"up to {figure(upper)}"
    if known(lower):
        return f"from {figure(lower)}"
    return figure(evidence["expected"]) if known(evidence["expected"]) else ""


def distance(evidence: Evidence) -> str:
    """How far off: `34 points, or 45 %, below`; empty where it is not known."""
    absolute, relative = evidence["effect_absolute"], evidence["effect_relative"]
    if not known(absolute) or absolute == 0:
        return ""
    side = "below" if absolute < 0 else "above"
    shown = _size(evidence, abs(absolute))
    if not known(relative) or relative == 0:
        return f"{shown} {side}"
    if abs(relative) >= 2.0:
        return f"{shown} {side}, {count(1.0 + relative)} times as much" if relative > 0 else f"{shown} {side}"
    return f"{shown}, or {percent(abs(relative))}, {side}"


def _size(evidence: Evidence, absolute: float) -> str:
    if evidence["unit"] == "%":
        shown = percent_of(absolute).removesuffix(" %")
        return f"{shown} percentage {'point' if shown == '1' else 'points'}"
    return wording(evidence["metric"], evidence["unit"]).figure(absolute)


def listing(names: list[str], joint: str = "and") -> str:
    """Names as an English list: a; a and b; a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {joint} {names[-1]}"


def metric_names(metrics: list[str]) -> list[str]:
    """Metrics by their names in prose, each once."""
    return list(dict.fromkeys(wording(metric, "").name for metric in metrics))


def sentence(text: str) -> str:
    """The text with a capital at its start, unless it starts with a column's name, and a full stop at its end."""
    if "_" in text.partition(" ")[0]:
        return f"{text.rstrip('.')}."
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
