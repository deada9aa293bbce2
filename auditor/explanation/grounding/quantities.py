"""The numbers of a sentence with their units and qualifiers, whether in digits or in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from auditor.explanation.grounding.rounding import Hedge, Written, exactly, hedge_before, written
from auditor.explanation.grounding.spelled import (
    PART,
    PROPORTION,
    SPELLED,
    TIMES,
    part_value,
    simple,
    spelled_value,
    times_value,
)

_DIGITS: Final = re.compile(
    r"(?<![\w.,])(?P<sign>[+-](?=\d))?(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d{1,3}(?: \d{3})+(?![\d,.]\d|\d)|\d+(?:\.\d+)?)"
    r"(?P<power>e[+-]?\d{1,3}| ?x ?10\^?[+-]?\d{1,3})?(?P<scale>k\b|m\b(?=illion)|g\b| thousand\b| million\b| billion\b|m(?=/min)|m(?= (?:operations|requests|calls|entries))|k(?=/| ))?"
)
_SCALES: Final = {
    "k": 1e3,
    "m": 1e6,
    "g": 1e9,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
}
_NOUNS: Final = (
    r"operations?|ops|requests?|queries|look-?ups?|gets|reads|hits|misses|sets|writes|evictions?|errors?|failures|calls?|entries|entry|items?|keys|"
    r"windows?|samples|data points|times"
)
_MINUTELY: Final = r"(?: ?/ ?|-per-| (?:per|an?|each|every) )(?:min(?:ute)?)\b"
_UNITS: Final = re.compile(
    r"(?:-| )?(?:"
    r"(?P<points>percentage[ -]points?|percent[ -]points?|% ?-?points?|per cent points?|pp\b|p\.p\.|pts?\b|points?\b)"
    r"|(?P<percent>%|percent\b|per cent\b|pct\b)"
    r"|(?P<us>µs|us\b|microseconds?\b)|(?P<ms>ms\b|msecs?\b|milli-?seconds?\b|millis\b)|(?P<s>s\b|secs?\b|seconds?\b)"
    rf"|(?P<each>(?:(?:more |extra |further |additional |added |cache )?(?P<whose>{_NOUNS}))?{_MINUTELY})"
    r"|(?P<min>min(?:ute)?s?\b)|(?P<h>h\b|hrs?\b|hours?\b)|(?P<d>d\b|days?\b)|(?P<w>weeks?\b)|(?P<mo>months?\b)|(?P<y>years?\b)"
    r"|(?P<times>times\b|x\b|-?fold\b)"
    r"|(?P<calls>(?:(?:more|extra|additional|surplus|unnecessary|further|excess|added|avoidable) )*(?:backend |origin |upstream )?(?:calls?|round[ -]trips?|fetches)\b)"
    rf"|(?P<noun>(?:(?:more|extra|additional|further|added|fewer|cached|cache|stored|learned|one-minute|minute|past|recorded) )*(?P<what>{_NOUNS})\b)"
    r")"
)
SECONDS: Final = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "mo": 2_629_800.0,
    "y": 31_557_600.0,
}
"""Units of time in seconds."""
_OF_TIME: Final = re.compile(r"(?:(?: of)? an? |[ -])(?P<span>h|d|m|s)(?:our|ay|inute|econd)s?\b")
_SPANS: Final = {"h": 3600.0, "d": 86_400.0, "m": 60.0, "s": 1.0}


_OF_MANY: Final = re.compile(r" (?:out )?of (?:the |its |all )?(?:last )?[\d\x00]")
_ARTICLE: Final = re.compile(
    r"(?<![\w-])(?P<one>an? (?:(?P<span>h|d|we|mo|y)(?:our|ay|ek|nth|ear)|(?P<minute>minute)(?= and a (?:half|quarter)))(?: and a (?P<more>half|quarter))?)\b(?! \w+-)"
)
_RATED: Final = re.compile(
    rf"(?:[\d\x00%]|\b(?:{_NOUNS}|once|twice|hundred|thousand|million|calls?|points?))\s$"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number at a place of a sentence.

    Parameters
    ----------
    start, end
        Where it stands, with its unit.
    number
        What was written.
    unit
        "%", "pt" (percentage points), "time" (seconds), "share" (a fraction), "times", "calls", a noun such as
        "entries", that noun and "/min", or empty.
    hedge
        How it is qualified.
    sign
        1 or -1 where a sign was written, else 0.
    """

    start: int
    end: int
    number: Written
    unit: str
    hedge: Hedge
    sign: int = 0

    @property
    def is_time(self) -> bool:
        """Whether it is a span of time."""
        return self.unit == "time"


def quantities(low: str) -> list[Quantity]:
    """Every number of a sentence in lower case, in order; parts of a composite span ("2 h 5 min") are put together."""
    text = low
    found: list[Quantity] = []
    for pattern, reader in (
        (PROPORTION, _proportion),
        (PART, _part),
        (TIMES, _times),
        (_DIGITS, _digits),
        (SPELLED, _spelled),
        (_ARTICLE, _single),
    ):
        for match in pattern.finditer(text):
            one = reader(match, text)
            if one is not None:
                found.append(one)
                text = text[: one.start] + "\x00" * (one.end - one.start) + text[one.end :]
    found.sort(key=lambda one: one.start)
    return _shared_units(_composed(found, low), low)


def _hedged(text: str, start: int) -> Hedge:
    return hedge_before(text[:start])[0]


def _proportion(match: re.Match[str], text: str) -> Quantity | None:
    x = simple(match["x"])
    y = simple(match["y"]) * _SCALES.get((match["scale"] or "").strip(), 1.0)
    if y <= 0.0 or "\x00" in match[0] or x > y:
        return None
    return Quantity(
        match.start(),
        match.end(),
        exactly(x / y, min(0.5 / y, 0.12 * x / y)),
        "share",
        _hedged(text, match.start()),
    )


def _part(match: re.Match[str], text: str) -> Quantity | None:
    value = part_value(match)
    hedge = _hedged(text, match.start())
    half = 0.09 * value if hedge is Hedge.NONE else 0.12 * value
    span = _OF_TIME.match(text, match.end())
    if span is not None:
        unit = _SPANS[span["span"]]
        return Quantity(
            match.start(), span.end(), exactly(value * unit, 0.2 * value * unit), "time", Hedge.NONE
        )
    if hedge in {Hedge.ABOVE, Hedge.BELOW, Hedge.EITHER_ABOVE}:
        bound = exactly(value, 0.02 * value, 0.09 * value)
        return Quantity(match.start(), match.end(), bound, "share", hedge)
    return Quantity(match.start(), match.end(), exactly(value, half), "share", Hedge.NONE)


def _times(match: re.Match[str], text: str) -> Quantity | None:
    value = times_value(match)
    return Quantity(
        match.start(), match.end(), exactly(value, 0.12 * value), "times", _hedged(text, match.start())
    )


def _digits(match: re.Match[str], text: str) -> Quantity | None:
    scale = _SCALES.get((match["scale"] or "").strip(), 1.0)
    power = (match["power"] or "").replace(" ", "").replace("x10^", "e").replace("x10", "e")
    unit, end = _unit(text, match.end())
    sign = {"+": 1, "-": -1}.get(match["sign"] or "", -1 if text[: match.start()].endswith("minus ") else 0)
    number = written(match["digits"] + power, scale)
    return Quantity(match.start(), end, *_in_unit(number, unit), _hedged(text, match.start()), sign)


def _spelled(match: re.Match[str], text: str) -> Quantity | None:
    said = match[0].rstrip(" -")
    end = match.start() + len(said)
    value, is_round = spelled_value(said.removesuffix(" and a " + (match["half"] or "half")))
    value += {"half": 0.5, "quarter": 0.25}.get(match["half"] or "", 0.0)
    unit, stop = _unit(text, end)
    if value == 1.0 and not (
        unit in SECONDS or unit in {"%", "pt", "entry", "times"} or _OF_MANY.match(text, end)
    ):
        return None
    if stop == end and text[end : end + 1].isalpha():
        return None
    number = written(f"{value:g}" if value < 1e6 else f"{value:.0f}")
    if is_round:
        number = replace(number, round_half=max(number.round_half, 0.05 * value))
    return Quantity(match.start(), stop, *_in_unit(number, unit), _hedged(text, match.start()))


def _single(match: re.Match[str], text: str) -> Quantity | None:
    """A span named by its article alone: an hour, a week, a day and a half; none in a rate (calls an hour)."""
    if _RATED.search(text[: match.start()]):
        return None
    seconds = SECONDS["min" if match["minute"] else {"we": "w"}.get(match["span"], match["span"])]
    seconds *= 1.0 + {"half": 0.5, "quarter": 0.25}.get(match["more"] or "", 0.0)
    hedge = _hedged(text, match.start("one"))
    return Quantity(
        match.start("one"), match.end("one"), exactly(seconds, 0.1 * seconds, 0.2 * seconds), "time", hedge
    )


def _unit(text: str, at: int) -> tuple[str, int]:
    match = _UNITS.match(text, at)
    if match is None:
        return "", at
    kind = match.lastgroup
    named = next(
        (name for name in ("points", "percent", *SECONDS, "each", "times", "calls", "noun") if match[name]),
        kind,
    )
    if named == "each":
        return f"{match['whose'] or ''}/min", match.end()
    if named == "noun":
        return str(match["what"]), match.end()
    return {"points": "pt", "percent": "%"}.get(str(named), str(named)), match.end()


def _in_unit(number: Written, unit: str) -> tuple[Written, str]:
    return (number.times(SECONDS[unit]), "time") if unit in SECONDS else (number, unit)


def _composed(found: list[Quantity], low: str) -> list[Quantity]:
    """Two neighbouring spans of which the second is the finer part become one: 2 h 5 min."""
    merged: list[Quantity] = []
    for one in found:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.is_time
            and one.is_time
            and last.number.half > one.number.half
            and one.number.value < 2.0 * last.number.half
            and low[last.end : one.start].strip() in {"", "and", ","}
        ):
            whole = Written(last.number.value + one.number.value, one.number.half, one.number.round_half)
            merged[-1] = replace(last, end=one.end, number=whole)
        else:
            merged.append(one)
    return merged


def _shared_units(found: list[Quantity], low: str) -> list[Quantity]:
    """A number without a unit takes that of the next where the two are joined: 56–94 %, from 77 to 41 %."""
    for index in range(len(found) - 2, -1, -1):
        one, after = found[index], found[index + 1]
        joint = low[one.end : after.start].strip()
        if (
            not one.unit
            and after.unit
            and re.fullmatch(
                r"(?:-|–|/|to|and|or|until|through|,)(?: (?:about|around|an?|the|expected|only|just|some))*",
                joint,
            )
        ):
            scale = _scale_of(low, after)
            found[index] = replace(one, number=one.number.times(scale), unit=after.unit)
    return found


def _scale_of(low: str, one: Quantity) -> float:
    if not one.is_time:
        return 1.0
    match = re.search(r"[\d.]\s*-?([a-zµ]+)\W*$", low[one.start : one.end])
    unit = _unit(" " + match[1], 0)[0] if match else ""
    return SECONDS.get(unit, 1.0)
