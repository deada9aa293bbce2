"""`auditor score`: what each point of any regular series should have been, and how strange it is.

What scores is imported when the first file has been read, for that takes longest: a wrong file or option is told at once.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from auditor.commands.beside import WORTH_IT, beside
from auditor.commands.printing import counted
from auditor.commands.score_text import csv_parts, json_lines
from auditor.commands.series_file import Rows, read_rows
from auditor.errors import BadInput
from auditor.resources import series_model_file
from auditor.whole_file import whole_file, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditor.detection.series.model import Beside, Model
    from auditor.detection.series.scoring import Scored


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of one file."""

    name: str
    rows: int
    scored: int
    seconds: float
    flagged: int
    alarms: int


def score_files(
    files: Sequence[Path], *, output: Path | None, alarms_per_week: float, output_format: str = "text"
) -> None:
    """Score files of timestamp,value rows; one output row for every input row, in their order.

    Raises
    ------
    BadInput
        If a file cannot be read, is no regular series, or two of them would be written to one place.
    """
    if not alarms_per_week > 0.0 or not np.isfinite(alarms_per_week):
        raise BadInput(f"--budget is {alarms_per_week:g}: give the alarms a week you accept, above 0.")
    if output is None and len(files) > 1:
        raise BadInput(f"There are {len(files)} files: name a folder for the scores with --output DIR.")
    places = {} if output is None else _places(files, output, output_format)
    if output is None:
        sys.stdout.buffer.writelines(_parts(*_scored(files[0], alarms_per_week), output_format))
    for path, place in places.items():
        _score_into(place, path, alarms_per_week, output_format)


def _score_into(place: Path, path: Path, alarms_per_week: float, output_format: str) -> None:
    rows, scored = _scored(path, alarms_per_week)
    with whole_file(place) as plain, writing(place), _packed(place, plain) as file:
        file.writelines(_parts(rows, scored, output_format))
    told = summary_of(path.name, scored)
    print(
        f"{told.name}: {told.scored} of {told.rows} rows scored, every {_span(told.seconds)};"
        f" {told.flagged} flagged, in {counted(told.alarms, 'alarm')}. Written to {place}."
    )


@cache
def load_model() -> Model:
    """The weights that came with the installation.

    Raises
    ------
    BadInput
        If they are missing or of another version.
    """
    from auditor.detection.series.model import Model

    path = series_model_file()
    try:
        return Model.from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{path} is missing or broken ({error}): reinstall cache-auditor.") from error


def summary_of(name: str, scored: Scored) -> Summary:
    """How much was scored and flagged; flags within ten points of each other are one alarm."""
    flagged = np.flatnonzero(scored.flag)
    return Summary(
        name,
        len(scored.flag),
        int(np.isfinite(scored.score).sum()),
        scored.seconds,
        len(flagged),
        int((np.diff(flagged, prepend=-100) > 10).sum()),
    )


def _scored(path: Path, alarms_per_week: float) -> tuple[Rows, Scored]:
    rows = read_rows(path)
    from auditor.detection.series.scoring import score_series

    model = load_model()
    try:
        return rows, score_series(rows.timestamp, rows.value, model, alarms_per_week, _helper(rows))
    except ValueError as error:
        raise BadInput(f"{path}: {error}.") from error


def _places(files: Sequence[Path], output: Path, output_format: str) -> dict[Path, Path]:
    """Where each file's scores go: its own name, compressed if it was."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"--output {output} cannot be made a folder ({error.strerror}): name another."
        ) from error
    places: dict[Path, Path] = {}
    for path in files:
        name = path.name if output_format == "text" else path.name.replace(".csv", ".json")
        place = output / name
        if place in places.values():
            raise BadInput(f"Two of the files are named {path.name}: score them into folders of their own.")
        if place.resolve() == path.resolve():
            raise BadInput(f"--output {output} would overwrite {path}: name another folder.")
        places[path] = place
    return places


def _packed(place: Path, file: IO[bytes]) -> contextlib.AbstractContextManager[IO[bytes]]:
    """What writes into the file, compressed where its name says so."""
    if place.suffix != ".gz":
        return contextlib.nullcontext(file)
    packed = gzip.GzipFile(place.name, "wb", compresslevel=1, fileobj=file)
    return cast("contextlib.AbstractContextManager[IO[bytes]]", packed)


def _parts(rows: Rows, scored: Scored, output_format: str) -> Iterator[bytes]:
    return json_lines(rows, scored) if output_format == "json" else csv_parts(rows, scored, _helper(rows))


def _helper(rows: Rows) -> Beside | None:
    return beside if len(rows) >= WORTH_IT else None


def _span(seconds: float) -> str:
    for unit, size in (("day", 86_400.0), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= size and (seconds / size).is_integer():
            number = int(seconds / size)
            return unit if number == 1 else f"{number} {unit}s"
    return f"{seconds:g} s"
