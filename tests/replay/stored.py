"""Windows as files and as rows, for the tests of replay."""

from __future__ import annotations

import csv
import gzip
import io
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from auditor.detection.windows import COLUMNS, WindowBlock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WHOLE = ("total_operations", "hits", "misses", "sets", "evictions", "errors", "max_cache_size")


def rows(block: WindowBlock) -> list[dict[str, Any]]:
    """The windows that are there, as rows of `cache_metrics_1min`."""
    found = []
    for i in range(len(block)):
        if not block.present[i]:
            continue
        row: dict[str, Any] = {
            "minute_window": datetime.fromtimestamp((block.first_minute + i) * 60, UTC),
            "implementation_type": block.implementation_type,
        }
        for column in COLUMNS:
            value = float(block.columns[column][i])
            row[column] = None if math.isnan(value) else round(value) if column in WHOLE else value
        found.append(row)
    return found


def write_csv(path: Path, found: Iterable[dict[str, Any]]) -> Path:
    """A CSV file of rows, gzipped where its name says so."""
    with io.StringIO(newline="") as lines:
        writer = csv.DictWriter(lines, ("implementation_type", "minute_window", *COLUMNS))
        writer.writeheader()
        for row in found:
            writer.writerow(row | {"minute_window": row["minute_window"].isoformat()})
        text = lines.getvalue().encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def store(dsn: str, found: Iterable[dict[str, Any]]) -> None:
    """Put rows into `monitoring.cache_metrics_1min`."""
    names = ("minute_window", "implementation_type", *COLUMNS)
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        command = f"copy monitoring.cache_metrics_1min ({', '.join(names)}) from stdin"
        with cursor.copy(command.encode()) as copy:
            for row in found:
                copy.write_row([row[name] for name in names])
