"""Scores as text: a million rows take longer to format than to score, so half of a long series is formatted in another process."""

from __future__ import annotations

import json
import os
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from auditor.commands.series_file import Rows
    from auditor.detection.series.scoring import Scored
    from auditor.detection.windows import Floats

COLUMNS: Final = ("timestamp", "value", "expected", "lower", "upper", "score", "p_value", "flag")
LONG_BYTES: Final = 8_000_000
"""Size of a file from which a second process is worth its start; a compressed one counts for four times its size."""
BLOCK: Final = 65_536
ROWS_AT_ONCE: Final = 256
"""Rows that are formatted by one operator: a third quicker than one by one."""
_ROW: Final = "%s,%.7g,%.7g,%.7g,%.5f,%s\n"
_ENTRIES: Final = _ROW.count("%")
_ORDINARY: Final = "1,0"
"""How a row ends that nothing is strange about: p-value and flag."""


@contextmanager
def helper_for(files: Sequence[Path]) -> Iterator[Executor | None]:
    """A second process that starts while the files are read and scored; None where none of them is long, or there is one processor."""
    if (os.cpu_count() or 1) < 2 or not any(map(_is_long, files)):
        yield None
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        other.submit(_ready)
        yield other


def _is_long(path: Path) -> bool:
    try:
        return path.stat().st_size * (4 if path.suffix == ".gz" else 1) >= LONG_BYTES
    except OSError:
        return False


def _ready() -> None:
    """Nothing: what is imported for it is what takes time."""


def csv_parts(rows: Rows, scored: Scored, other: Executor | None) -> Iterator[str]:
    """The file's text in parts, header first; every second part is made by the `other` process where there is one."""
    yield ",".join(COLUMNS) + "\n"
    numbers = np.array([scored.expected, scored.lower, scored.upper, scored.score, scored.p_value])
    parts = [
        (
            rows.text[start : start + BLOCK],
            numbers[:, start : start + BLOCK],
            scored.flag[start : start + BLOCK],
        )
        for start in range(0, len(rows.text), BLOCK)
    ]
    elsewhere: dict[int, Future[str]] = {}
    with suppress(BrokenExecutor):
        if other is not None:
            elsewhere.update((at, other.submit(csv_text, *parts[at])) for at in range(1, len(parts), 2))
    for at, part in enumerate(parts):
        try:
            yield elsewhere[at].result() if at in elsewhere else csv_text(*part)
        except BrokenExecutor:
            # it was killed, or could not start: nothing is lost but its help
            yield csv_text(*part)


def csv_text(text: list[str], numbers: Floats, flag: np.typing.NDArray[np.bool_]) -> str:
    """Rows as `COLUMNS`, NaN left out.

    `text` has timestamp and value as they were read, `numbers`, of shape (5, n), expectation, interval, score and p-value.
    """
    *told_of, p_value = numbers
    ends = [_ORDINARY] * len(text)
    rare = np.flatnonzero(p_value != 1.0)
    for i, p, flagged in zip(rare.tolist(), p_value[rare].tolist(), flag[rare].tolist(), strict=True):
        ends[i] = f"{p:.3g},{flagged:d}"
    told = zip(text, *(column.tolist() for column in told_of), ends, strict=True)
    unknown = ~np.isfinite(numbers[2])
    parts = []
    for start in range(0, len(ends), ROWS_AT_ONCE):
        entries = tuple(chain.from_iterable(islice(told, ROWS_AT_ONCE)))
        part = _ROW * (len(entries) // _ENTRIES) % entries
        if unknown[start : start + ROWS_AT_ONCE].any():
            lines = part.split("\n")
            for i in np.flatnonzero(unknown[start : start + ROWS_AT_ONCE]).tolist():
                lines[i] = lines[i].replace("nan", "")
            part = "\n".join(lines)
        parts.append(part)
    return "".join(parts)


def json_lines(rows: Rows, scored: Scored) -> Iterator[str]:
    """One object for each row."""
    for i, text in enumerate(rows.text):
        timestamp, _, value = text.partition(",")
        numbers: dict[str, Any] = {"timestamp": _number(timestamp), "value": _number(value)}
        for name in ("expected", "lower", "upper", "score", "p_value"):
            x = float(getattr(scored, name)[i])
            numbers[name] = x if np.isfinite(x) else None
        numbers["flag"] = bool(scored.flag[i])
        yield json.dumps(numbers) + "\n"


def _number(text: str) -> float | int | str | None:
    try:
        number = float(text)
    except ValueError:
        return text or None
    if not np.isfinite(number):
        return None
    return int(number) if number.is_integer() and "." not in text else number
