"""Labelled series from files, and series in which nothing ever happens."""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.windows import Floats

FOLDER_VARIABLE: Final = "SERIES_DIR"
"""Where the labelled series are: a folder for each family, in it files timestamp,value,label (.csv or .csv.gz)."""
TOLERANCE: Final = 5
"""Points by which an alarm may miss an event and still be of it."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series; arrays of shape (n,), `label` 1 within events."""

    name: str
    timestamp: Floats
    value: Floats
    label: Floats

    @property
    def seconds(self) -> float:
        """The interval."""
        return float(np.median(np.diff(self.timestamp)))

    @property
    def near_an_event(self) -> np.typing.NDArray[np.bool_]:
        """Points within the tolerance of an event, those in it too."""
        window = np.ones(2 * TOLERANCE + 1)
        return np.asarray(np.convolve(self.label > 0, window, "same") > 0)


def families() -> list[Path]:
    """The folders of `SERIES_DIR`.

    Raises
    ------
    SystemExit
        If the variable names no folder with families in it.
    """
    named = os.environ.get(FOLDER_VARIABLE, "")
    found = sorted(path for path in Path(named).iterdir() if path.is_dir()) if Path(named).is_dir() else []
    if not named or not found:
        raise SystemExit(
            f"benchmarks: set {FOLDER_VARIABLE} to a folder with one folder for each family of labelled series."
        )
    return found


def read_family(folder: Path) -> list[Series]:
    """Every series of a family, by name."""
    return [_read(path) for path in sorted(folder.glob("*.csv*"))]


def _read(path: Path) -> Series:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", newline="") as file:
        rows = csv.reader(file)
        head = next(rows)
        columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    timestamp, value, label = (
        np.array([float(cell) if cell else np.nan for cell in columns[name]])
        for name in ("timestamp", "value", "label")
    )
    return Series(path.name.split(".csv")[0], timestamp, value, label)


KINDS: Final[dict[str, Callable[[Floats, np.random.Generator], Any]]] = {
    "white": lambda wave, rng: rng.normal(size=len(wave)),
    "autoregressive": lambda wave, rng: np.asarray(lfilter([0.6], [1.0, -0.8], rng.normal(size=len(wave)))),
    "heavy-tailed": lambda wave, rng: 10.0 + rng.standard_t(4.0, len(wave)),
    "counts": lambda wave, rng: rng.poisson(4.0, len(wave)).astype(np.float64),
    "mostly nought": lambda wave, rng: np.where(
        rng.random(len(wave)) < 0.15, rng.gamma(2.0, 3.0, len(wave)), 0.0
    ),
    "seasonal": lambda wave, rng: 100.0 + 30.0 * wave + 3.0 * rng.normal(size=len(wave)),
    "seasonal counts": lambda wave, rng: rng.poisson(20.0 * np.exp(0.8 * wave)).astype(np.float64),
    "random walk": lambda wave, rng: (
        0.02 * np.cumsum(rng.normal(size=len(wave))) + 0.3 * rng.normal(size=len(wave))
    ),
    "in steps": lambda wave, rng: np.round(5.0 + 2.0 * wave + 0.4 * rng.normal(size=len(wave))),
}
"""Courses by their name, of a daily wave and chance."""


def _wave(count: int, day: int) -> Floats:
    at = np.arange(count)
    return np.asarray(np.sin(2 * np.pi * at / day) + 0.4 * np.sin(4 * np.pi * at / day + 1.0))


def uneventful(seed: int) -> list[Series]:
    """A month at one minute, two at five and a year at one hour of each kind of series without an event."""
    rng = np.random.default_rng(seed)
    return [
        Series(
            f"{kind} {seconds} s",
            1.6e9 + seconds * np.arange(count, dtype=np.float64),
            np.asarray(course(_wave(count, 86_400 // seconds), rng), dtype=np.float64),
            np.zeros(count),
        )
        for seconds, count in ((60, 28 * 1440), (300, 56 * 288), (3600, 365 * 24))
        for kind, course in KINDS.items()
    ]
