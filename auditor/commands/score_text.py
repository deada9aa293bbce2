"""Scores as text, a million rows in less time than they take to score: orjson writes the numbers, and rows are joined whole."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditor.commands.series_file import Rows
    from auditor.detection.series.model import Beside
    from auditor.detection.series.scoring import Scored
    from auditor.detection.windows import Floats

COLUMNS: Final = ("timestamp", "value", "expected", "lower", "upper", "score", "p_value", "flag")
ROWS_AT_ONCE: Final = 8_192
DIGITS: Final = 9
"""Significant digits, or one more, of what a value should have been."""
DECIMALS: Final = 5
"""Of a score."""
MOST_WHOLE: Final = 2.0**53
"""Below which whole numbers are exact."""
_POWERS: Final = 10.0 ** np.arange(23)
"""Those that a double holds exactly: what is divided by them is the nearest double to its digits, and is written with no more."""
_ORDINARY: Final = b"1,0"
"""How a row ends that nothing is strange about: p-value and flag."""


def csv_parts(rows: Rows, scored: Scored, beside: Beside | None = None) -> Iterator[bytes]:
    """The file's text in parts, header first; what is not known is left empty. The later half is begun `beside` the earlier, if that is given."""
    yield ",".join(COLUMNS).encode() + b"\n"
    parts = [
        partial(_csv_part, rows, scored, slice(start, start + ROWS_AT_ONCE))
        for start in range(0, len(rows), ROWS_AT_ONCE)
    ]
    earlier = parts[: -(-len(parts) // 2)] if beside else parts
    later = beside(partial(_joined, parts[len(earlier) :])) if beside else bytes
    for part in earlier:
        yield part()
    yield later()


def _joined(parts: Sequence[Callable[[], bytes]]) -> bytes:
    return b"".join([part() for part in parts])


def _csv_part(rows: Rows, scored: Scored, now: slice) -> bytes:
    expectations = (to_digits(column[now]) for column in (scored.expected, scored.lower, scored.upper))
    numbers = np.stack([*expectations, np.round(scored.score[now], DECIMALS)], axis=1)
    told = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY).replace(b"null", b"")
    ends = [_ORDINARY] * len(numbers)
    for i in np.flatnonzero(scored.p_value[now] != 1.0).tolist():
        p = scored.p_value[now.start + i]
        ends[i] = b"%b,%d" % (b"" if np.isnan(p) else b"%.3g" % p, scored.flag[now.start + i])
    lines = map(b",".join, zip(rows.lines(now), told[2:-2].split(b"],["), ends, strict=True))
    return b"\n".join(lines) + b"\n"


def to_digits(values: Floats) -> Floats:
    """Rounded to `DIGITS` significant digits or one more, whole where they have as many before the point; far below one as they are."""
    _, twos = np.frexp(values)
    decimals = DIGITS - np.floor(twos * np.log10(2.0)).astype(np.int64)
    power = _POWERS.take(decimals, mode="clip")
    return np.where(decimals < len(_POWERS), np.rint(values * power) / power, values)


def json_lines(rows: Rows, scored: Scored) -> Iterator[bytes]:
    """One object for each row."""
    columns = (scored.expected, scored.lower, scored.upper, scored.score, scored.p_value, scored.flag)
    told = zip(rows.lines(slice(0, len(rows))), *(column.tolist() for column in columns), strict=True)
    return map(_json_line, told)


def _json_line(row: tuple[bytes, float, float, float, float, float, bool]) -> bytes:
    timestamp, _, value = row[0].decode().partition(",")
    told = zip(COLUMNS, (_number(timestamp), _number(value), *row[1:]), strict=True)
    return orjson.dumps(dict(told), option=orjson.OPT_APPEND_NEWLINE)


def _number(text: str) -> float | int | str | None:
    try:
        number = float(text)
    except ValueError:
        return text or None
    if not np.isfinite(number):
        return None
    return int(number) if number.is_integer() and "." not in text and abs(number) < MOST_WHOLE else number
