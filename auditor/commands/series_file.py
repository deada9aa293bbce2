"""Files of a series: timestamp,value rows, quickly where they are plain, with one clear sentence where they are not."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.commands.beside import beside
from auditor.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from auditor.detection.windows import Floats

_MILLISECONDS_FROM: Final = 1e11
"""Unix times of at least this many are of milliseconds: as seconds they would lie in the year 5138."""
LONG: Final = 4 << 20
"""Bytes from which the later half of the numbers is read beside the earlier."""
_UNKNOWN: Final = frozenset({"", "nan", "null", "none", "na", "n/a", "-"})
_TIME_NAMES: Final = ("timestamp", "time", "ts", "datetime", "date")
_VALUE_NAMES: Final = ("value", "y", "v")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file in their order.

    Parameters
    ----------
    text
        `timestamp,value` as they stood there (UTF-8), a line each.
    ends
        Shape (rows,): where in `text` each line's end is.
    timestamp, value
        Shape (rows,): both as numbers, seconds; NaN where no value is.
    """

    text: bytes
    ends: NDArray[np.intp]
    timestamp: Floats
    value: Floats

    def __len__(self) -> int:
        return len(self.ends)

    def lines(self, some: slice) -> list[bytes]:
        """The text of the rows from `some.start` on and before `some.stop`."""
        if not len(self):
            return []
        first = self.ends[some.start - 1] + 1 if some.start else 0
        return self.text[first : self.ends[min(some.stop, len(self)) - 1]].split(b"\n")


def read_rows(path: Path) -> Rows:
    """Read a .csv or .csv.gz with a header that names a timestamp and a value; other columns are passed over.

    Timestamps are Unix seconds or milliseconds, or ISO 8601, UTC where they say nothing else.

    Raises
    ------
    BadInput
        If the file cannot be read, has no such columns, or a row is none; with the file and the line.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read()
    except FileNotFoundError as error:
        raise BadInput(f"There is no file {path}.") from error
    except (OSError, EOFError) as error:
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    head, _, body = raw.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").partition(b"\n")
    if not head.strip():
        raise BadInput(f"{path} is empty: give it a header timestamp,value and rows.")
    names = [name.strip().strip('"').lower() for name in _decoded(path, head).split(",")]
    at = _column(path, names, _TIME_NAMES, 0), _column(path, names, _VALUE_NAMES, 1)
    rows = _plainly(body if body.endswith(b"\n") else body + b"\n", len(names), at)
    return _carefully(path, _decoded(path, body), at) if rows is None else rows


def _decoded(path: Path, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text: save it as CSV in UTF-8.") from error


def _column(path: Path, names: list[str], wanted: tuple[str, ...], place: int) -> int:
    for name in wanted:
        if name in names:
            return names.index(name)
    raise BadInput(
        f"{path} has the columns {', '.join(names)}, and none is named {wanted[0]}: its first line has to be"
        f" a header like timestamp,value{'' if place else ', the timestamps in Unix seconds or ISO 8601'}."
    )


def _plainly(body: bytes, columns: int, at: tuple[int, int]) -> Rows | None:
    """All rows at once, where every cell is a number; None where that is not so."""
    ends = _places(body, "\n")
    try:
        table = _cells(body, ends, columns) if _is_regular(body, ends, columns) else None
    except ValueError:
        table = None
    if table is None:
        return None
    timestamp, value = (np.ascontiguousarray(table[:, i]) for i in at)
    if not np.isfinite(timestamp).all():
        return None
    if columns == 2 and at == (0, 1):
        return Rows(body, ends, _seconds(timestamp), value)
    cells = (line.split(b",") for line in body[:-1].split(b"\n"))
    return _rows([b"%b,%b" % (line[at[0]], line[at[1]]) for line in cells], timestamp, value)


def _places(text: bytes, of: str) -> NDArray[np.intp]:
    return np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord(of))


def _is_regular(body: bytes, ends: NDArray[np.intp], columns: int) -> bool:
    """Whether each line has so many columns."""
    commas = _places(body, ",")
    if len(commas) != (columns - 1) * len(ends):
        return False
    of_lines = commas.reshape(len(ends), columns - 1)
    return bool((of_lines[1:, :1] > ends[:-1, None]).all() and (of_lines[:, -1:] < ends[:, None]).all())


def _rows(text: list[bytes], timestamp: Floats, value: Floats) -> Rows:
    joined = b"".join([line + b"\n" for line in text])
    return Rows(joined, _places(joined, "\n"), _seconds(timestamp), value)


def _cells(body: bytes, ends: NDArray[np.intp], columns: int) -> Floats | None:
    """Every cell of the rows as a number, shape (rows, columns); ValueError where one is none, None where one is empty."""
    half = ends[len(ends) // 2] + 1
    if len(body) < LONG:
        cells = _numbers(body)
    else:
        later = beside(lambda: _numbers(body[half:]).tobytes())
        cells = np.concatenate([_numbers(body[:half]), np.frombuffer(later())])
    return cells.reshape(-1, columns) if len(cells) == columns * len(ends) else None


def _numbers(lines: bytes) -> Floats:
    return np.fromstring(lines[:-1].replace(b"\n", b","), sep=",")


def _seconds(timestamp: Floats) -> Floats:
    return timestamp / 1000.0 if len(timestamp) and timestamp[0] >= _MILLISECONDS_FROM else timestamp


def _carefully(path: Path, body: str, at: tuple[int, int]) -> Rows:
    text: list[bytes] = []
    stamps: list[float] = []
    values: list[float] = []
    for line, cells in enumerate(csv.reader(io.StringIO(body)), start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) <= max(at):
            raise BadInput(f"{path}, line {line}: {','.join(cells)!r} has no {max(at) + 1} columns.")
        stamp, value = cells[at[0]].strip(), cells[at[1]].strip()
        stamps.append(_moment(path, line, stamp))
        values.append(_value(path, line, value))
        text.append(f"{stamp},{value}".encode())
    return _rows(text, np.array(stamps), np.array(values))


def _moment(path: Path, line: int, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise BadInput(
                f"{path}, line {line}: the timestamp {text!r} is neither Unix seconds nor ISO 8601."
            ) from error
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not np.isfinite(number):
        raise BadInput(f"{path}, line {line}: the timestamp {text!r} is no moment.")
    return number


def _value(path: Path, line: int, text: str) -> float:
    if text.lower() in _UNKNOWN:
        return np.nan
    try:
        return float(text)
    except ValueError as error:
        raise BadInput(
            f"{path}, line {line}: the value {text!r} is no number; leave it empty where it is missing."
        ) from error
