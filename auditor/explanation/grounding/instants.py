"""The moments that a sentence names: clock times, dates, both together, and words such as "today"."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_ZONE: Final = r"(?:\s?(?P<zone>utc(?:[+-]\d\S*)?|gmt|z\b|[+-]\d\d:?\d\d|cet|cest|est|edt|pst|pdt|cst|cdt|mst|bst|ist|jst|msk|local time|eastern|pacific))?"
_CLOCK: Final = re.compile(
    r"(?<![\d:.\w])(?:(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?::[0-5]\d(?:\.\d+)?)?(?:\s?(?P<half>a\.?m\b\.?|p\.?m\b\.?))?"
    r"|(?P<bare>1[0-2]|0?[1-9])\s?(?P<only>a\.?m\b\.?|p\.?m\b\.?|o'clock)|(?P<named>noon|midday|midnight))"
    + _ZONE
)
_ISO: Final = re.compile(
    r"(?<![\d-])(?P<y>\d{4})-(?P<mo>\d\d)-(?P<d>\d\d)(?:[t ](?P<h>\d\d):(?P<m>\d\d)(?::\d\d(?:\.\d+)?)?"
    + _ZONE
    + r")?(?!\d)"
)
_DATE: Final = re.compile(
    rf"\b(?:(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH.format('m1')}(?! have| be| also| not)(?:,? (?P<y1>\d{{4}}))?"
    rf"|{_MONTH.format('m2')} (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:%]|\.\d)(?:,? (?P<y2>\d{{4}}))?)(?![\d:])"
)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS: Final = re.compile(
    rf"\b(?:(?P<weekday>{'|'.join(_WEEKDAYS)})|(?P<relative>today|tonight|yesterday|tomorrow))(?!'s prompt)\b"
)
_PART_OF_DAY: Final = re.compile(
    r"\b(?:in the|this|that|on the) (?P<part>morning|afternoon|evening|night)\b|\b(?:at|last|over) night\b"
)
_HOURS: Final = {
    "morning": range(4, 12),
    "afternoon": range(12, 19),
    "evening": range(16, 24),
    "night": (*range(20, 24), *range(7)),
}
_APPROXIMATE: Final = re.compile(
    r"\b(?:about|around|roughly|approximately|circa|ca\.?|shortly (?:after|before)|just (?:after|before)|near|some time around|towards)\s+$"
)
_BETWEEN: Final = re.compile(r"^[\s,(]*(?:(?:on|at|utc|the|of|,|–|-)[\s,]*){0,3}\s*$")


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment at a place of a sentence, as far as it is named.

    Parameters
    ----------
    start, end
        Where it stands.
    minute
        Minute of the day in UTC, None where only a date is named.
    day
        The date as (year or None, month, day of the month), None where none is named.
    wrong
        Why it cannot be right whatever the evidence, or empty.
    approximate
        Whether it is qualified by "around" or the like.
    hours
        Hours of the day that a part of the day ("this morning") stands for.
    weekday, shift
        Day of the week (Monday is 0); days from the end of the evidence (yesterday is -1).
    """

    start: int
    end: int
    minute: int | None = None
    day: tuple[int | None, int, int] | None = None
    wrong: str = ""
    approximate: bool = False
    hours: tuple[int, ...] = ()
    weekday: int | None = None
    shift: int | None = None

    def may_be(self, moment: datetime, as_of: datetime) -> bool:
        """Whether it may stand for a moment, seen from the end of the evidence."""
        if self.wrong:
            return False
        if self.minute is not None:
            truth = moment.hour * 60 + moment.minute
            near = 5 if self.approximate and self.minute % 5 == 0 else 0
            near = 30 if self.approximate and self.minute % 720 == 0 else near
            away = abs(truth - self.minute % 1440)
            if min(away, 1440 - away) > near:
                return False
        if self.day is not None and not _same_day(self.day, moment.date()):
            return False
        if self.weekday is not None and moment.weekday() != self.weekday:
            return False
        if self.hours and moment.hour not in self.hours:
            return False
        return self.shift is None or moment.date() == as_of.date() + timedelta(days=self.shift)


def _same_day(named: tuple[int | None, int, int], truth: date) -> bool:
    year, month, day = named
    return (month, day) == (truth.month, truth.day) and year in {None, truth.year}


def parse_moment(text: object) -> datetime | None:
    """A brief's moment ("2026-11-26T10:45Z"), None where it is none."""
    try:
        parsed = datetime.fromisoformat(str(text).strip())
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def instants(low: str) -> list[Instant]:
    """Every moment in a sentence in lower case, in order; a date beside a clock time is one moment with it."""
    found: list[Instant] = []
    text = low
    for pattern, reader in (
        (_ISO, _iso),
        (_DATE, _dated),
        (_CLOCK, _clock),
        (_DAYS, _relative),
        (_PART_OF_DAY, _part),
    ):
        for match in pattern.finditer(text):
            one = reader(match)
            near = _APPROXIMATE.search(low[: one.start]) is not None
            found.append(replace(one, approximate=near))
            text = text[: one.start] + "\x00" * (one.end - one.start) + text[one.end :]
    return _joined(sorted(found, key=lambda one: one.start), low)


def _zone(name: str | None) -> str:
    if name is None or name in {"utc", "gmt", "z", "+00:00", "+0000", "utc+0", "utc+00:00"}:
        return ""
    return f"times are in UTC, not in {name[:12]}"


def _iso(match: re.Match[str]) -> Instant:
    day = (int(match["y"]), int(match["mo"]), int(match["d"]))
    minute = None if match["h"] is None else int(match["h"]) * 60 + int(match["m"])
    return Instant(match.start(), match.end(), minute, day, _zone(match["zone"]))


def _dated(match: re.Match[str]) -> Instant:
    month = _MONTHS.index((match["m1"] or match["m2"])[:3]) + 1
    year = match["y1"] or match["y2"]
    return Instant(
        match.start(),
        match.end(),
        None,
        (int(year) if year else None, month, int(match["d1"] or match["d2"])),
    )


def _clock(match: re.Match[str]) -> Instant:
    if match["named"]:
        minute = 0 if match["named"] == "midnight" else 720
    else:
        hour, rest = int(match["h"] or match["bare"]), int(match["m"] or 0)
        half = (match["half"] or match["only"] or "")[:1]
        if half in {"a", "p"}:
            hour = hour % 12 + (12 if half == "p" else 0)
        minute = hour * 60 + rest
    return Instant(match.start(), match.end(), minute, None, _zone(match["zone"]))


def _relative(match: re.Match[str]) -> Instant:
    if match["weekday"]:
        return Instant(match.start(), match.end(), weekday=_WEEKDAYS.index(match["weekday"]))
    shift = {"yesterday": -1, "tomorrow": 1}.get(match["relative"], 0)
    hours = tuple(_HOURS["night"]) if match["relative"] == "tonight" else ()
    return Instant(match.start(), match.end(), shift=shift, hours=hours)


def _part(match: re.Match[str]) -> Instant:
    return Instant(match.start(), match.end(), hours=tuple(_HOURS[match["part"] or "night"]))


def _joined(found: Iterable[Instant], low: str) -> list[Instant]:
    joined: list[Instant] = []
    for one in found:
        last = joined[-1] if joined else None
        if last is not None and _BETWEEN.match(low[last.end : one.start]) and _complete(last, one):
            joined[-1] = Instant(
                last.start,
                one.end,
                last.minute if one.minute is None else one.minute,
                one.day or last.day,
                last.wrong or one.wrong,
                last.approximate or one.approximate,
                last.hours or one.hours,
                last.weekday if one.weekday is None else one.weekday,
                last.shift if one.shift is None else one.shift,
            )
        else:
            joined.append(one)
    return joined


def _complete(last: Instant, one: Instant) -> bool:
    """Whether two neighbours name different parts of one moment."""
    return not (
        (last.minute is not None and one.minute is not None)
        or (last.day is not None and one.day is not None)
        or (last.shift is not None and one.shift is not None)
    )
