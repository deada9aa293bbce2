"""Windows from files: CSV, gzipped CSV and Parquet with the columns of `cache_metrics_1min`, in any order."""

from __future__ import annotations

import csv
import gzip
import math
from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.windows import COLUMNS, WindowBlock
from auditor.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BLOCK_MINUTES: Final = 1440
LONGEST_MINUTES: Final = 10 * 366 * 1440
"""The longest span that is laid out minute by minute, ten years: one mistyped year would take days."""
_FIRST_MINUTE, _LAST_MINUTE = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp() // 60) for year in (2, 9999))
"""Beyond these a time, or the next minutes after it, cannot be written."""
_KEYS: Final = ("minute_window", "implementation_type")
_UNKNOWN: Final = frozenset({"", "null", "NULL", "None", "\\N"})
_NO_NUMBER: Final = -math.inf
"""What stands for NaN until it is known whether there was anything to be measured."""
_MEANS_OF: Final = {"avg_hit_response_time_ms": "hits", "avg_miss_response_time_ms": "misses"}


@dataclass(slots=True)
class _Rows:
    """One cache's rows as they came."""

    minutes: array[int] = field(default_factory=lambda: array("q"))
    lines: array[int] = field(default_factory=lambda: array("q"))
    columns: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in COLUMNS})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a minute stands."""

    minute: int
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: the minute {_when(self.minute)}"


@dataclass(frozen=True, slots=True)
class FileWindows:
    """Every cache's windows of some files, sorted by time; calling it with a cache's name gives its blocks.

    All caches run to the last minute that any of them has, for so the service would have seen them: a cache that stops early is silent.
    """

    last_minute: int
    caches: dict[str, tuple[np.typing.NDArray[np.int64], dict[str, np.typing.NDArray[np.float64]]]]

    def __call__(self, name: str) -> Iterator[WindowBlock]:
        """The cache's windows as consecutive blocks."""
        minutes, columns = self.caches[name]
        first = int(minutes[0])
        while first <= self.last_minute:
            last = min(first + BLOCK_MINUTES - 1, self.last_minute)
            low, high = np.searchsorted(minutes, [first, last + 1])
            yield WindowBlock.from_rows(
                name,
                minutes[low:high],
                {column: values[low:high] for column, values in columns.items()},
                first_minute=first,
                last_minute=last,
            )
            first = last + 1


def read_files(
    paths: Sequence[Path], *, cache: str | None, first: int | None, last: int | None
) -> FileWindows:
    """Read windows from files; only one cache's, and only minutes first..last, where those are given.

    Raises
    ------
    BadInput
        If a file cannot be read, lacks a column, or a value cannot be what its column says; the message names the file, the line, the
        column and the mend. A minute that comes twice is an error too: it cannot be known which to believe.
    """
    found: dict[str, _Rows] = {}
    earliest: _Place | None = None
    latest: _Place | None = None
    for path in paths:
        rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
        for line, row in rows:
            minute = _take(found, path, line, row, cache, first, last)
            if minute is None:
                continue
            if earliest is None or minute < earliest.minute:
                earliest = _Place(minute, path, line)
            if latest is None or minute > latest.minute:
                latest = _Place(minute, path, line)
    if earliest is None or latest is None:
        which = f" of {cache}" if cache else ""
        raise BadInput(
            f"There are no windows{which} in {', '.join(map(str, paths))}: check --cache, --from and --to."
        )
    _check_span(found, earliest, latest, last)
    caches = {name: _sorted(name, found[name]) for name in sorted(found)}
    newest = max(int(minutes[-1]) for minutes, _ in caches.values())
    return FileWindows(newest if last is None else last, caches)


def _take(
    found: dict[str, _Rows],
    path: Path,
    line: int,
    row: dict[str, Any],
    cache: str | None,
    first: int | None,
    last: int | None,
) -> int | None:
    """Keep a row where it is asked for; its minute, or None."""
    name = row.get("implementation_type")
    if not name:
        raise BadInput(f"{path}, line {line}: implementation_type is empty; name the cache.")
    if cache is not None and name != cache:
        return None
    minute = _minute(path, line, row.get("minute_window"))
    if (first is not None and minute < first) or (last is not None and minute > last):
        return None
    rows = found.setdefault(str(name), _Rows())
    rows.minutes.append(minute)
    rows.lines.append(line)
    for column, values in rows.columns.items():
        values.append(_number(path, line, column, row.get(column)))
    return minute


def _check_span(found: dict[str, _Rows], earliest: _Place, latest: _Place, last: int | None) -> None:
    """Refuse what cannot be laid out minute by minute, by the minute that lies farthest from the most."""
    middle = float(np.median(np.concatenate([np.array(rows.minutes) for rows in found.values()])))
    odd = latest if latest.minute - middle >= middle - earliest.minute else earliest
    mend = "mend minute_window there, or leave it out with --from and --to"
    if latest.minute - earliest.minute >= LONGEST_MINUTES:
        raise BadInput(f"{odd} lies years from the others, more than ten in all: {mend}.")
    if not _FIRST_MINUTE <= odd.minute < _LAST_MINUTE:
        raise BadInput(f"{odd} is at the edge of what a time can be: {mend}.")
    if last is not None and last - earliest.minute >= LONGEST_MINUTES:
        raise BadInput(
            f"--to {_when(last)} lies more than ten years after the first minute of the files, {_when(earliest.minute)}:"
            " name an earlier one."
        )


def _sorted(
    name: str, rows: _Rows
) -> tuple[np.typing.NDArray[np.int64], dict[str, np.typing.NDArray[np.float64]]]:
    minutes = np.array(rows.minutes, dtype=np.int64)
    order = np.argsort(minutes, kind="stable")
    minutes = minutes[order]
    twice = np.flatnonzero(np.diff(minutes) == 0)
    if len(twice):
        at = int(twice[0])
        when = _when(int(minutes[at]))
        lines = np.array(rows.lines)[order]
        raise BadInput(
            f"The minute {when} of {name} comes twice, in lines {lines[at]} and {lines[at + 1]}: remove one."
        )
    columns = {column: np.array(values)[order] for column, values in rows.columns.items()}
    for column, values in columns.items():
        no_number = values == _NO_NUMBER
        if no_number.any():
            values[no_number] = np.where(_should_be_known(columns, column)[no_number], math.inf, math.nan)
    return minutes, columns


def _should_be_known(
    columns: dict[str, np.typing.NDArray[np.float64]], column: str
) -> np.typing.NDArray[np.bool_]:
    """Where NaN is a fault of whoever wrote it: not in a column that has no number at all, nor as the mean of nothing."""
    values = columns[column]
    if not np.isfinite(values).any():
        return np.zeros(len(values), dtype=np.bool_)
    if column != "hit_rate" and not column.endswith("_ms"):
        return np.ones(len(values), dtype=np.bool_)
    if column in _MEANS_OF:
        return np.asarray(columns[_MEANS_OF[column]] > 0.0)
    lookups = columns["hits"] + columns["misses"]
    return np.where(np.isfinite(lookups), lookups, columns["total_operations"]) > 0.0


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with _opened(path) as lines:
            reader = csv.DictReader(lines)
            _check_header(path, reader.fieldnames or [])
            for row in reader:
                yield reader.line_num, row
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from None
    except (UnicodeDecodeError, EOFError, csv.Error) as error:
        raise BadInput(f"{path} is not a readable CSV file: {error}.") from None


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise BadInput(
            f"{path} is Parquet, which needs pyarrow: pip install 'cache-auditor[parquet]', in a checkout '.[parquet]'."
        ) from None
    try:
        with parquet.ParquetFile(path) as opened:
            _check_header(path, opened.schema_arrow.names)
            wanted = [name for name in (*_KEYS, *COLUMNS) if name in opened.schema_arrow.names]
            line = 0
            for batch in opened.iter_batches(columns=wanted):
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from None
    except pa.ArrowException as error:
        raise BadInput(f"{path} is not a readable Parquet file: {error}.") from None


def _check_header(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in _KEYS if name not in names]
    if missing:
        raise BadInput(
            f"{path} has no column {missing[0]}: its columns have to be those of cache_metrics_1min."
        )
    if not any(name in names for name in COLUMNS):
        raise BadInput(f"{path} has no column of measurements, such as {COLUMNS[0]} or {COLUMNS[1]}.")


def _when(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).isoformat()


def _minute(path: Path, line: int, value: Any) -> int:
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(
            f"{path}, line {line}: minute_window {value!r} is not a time; write 2026-01-31T12:00:00Z."
        ) from None
    seconds = when.timestamp()
    if seconds % 60:
        raise BadInput(f"{path}, line {line}: minute_window {value} is not the start of a minute.")
    return int(seconds // 60)


def _number(path: Path, line: int, column: str, value: Any) -> float:
    if value is None or value in _UNKNOWN:
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise BadInput(
            f"{path}, line {line}: {column} {value!r} is not a number; leave it empty where unknown."
        ) from None
    return _NO_NUMBER if math.isnan(number) else math.inf if math.isinf(number) else number
