"""What a replay leaves behind: ledger.csv, observations.jsonl, summary.json."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final, Self

import numpy as np

from auditor.detection.achieved import Achieved
from auditor.detection.catalogue import CATALOGUE
from auditor.detection.judgement import VERDICTS, Verdict
from auditor.whole_file import whole_file, writing

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from auditor.detection.judgement import Ledger
    from auditor.detection.policy import Policy
    from auditor.replay.engine import CacheReplay

FIELDS: Final = ("value", "expected", "lower", "upper", "p_value")
HEADER: Final = (
    "implementation_type",
    "minute_window",
    "verdict",
    *(f"{metric.name}_{name}" for metric in CATALOGUE for name in FIELDS),
)
_NOTHING: Final = ("",) * len(FIELDS)


class Folder:
    """The folder of a replay's results; files are written as caches come in, so that memory does not grow with them.

    They are there when the context ends well, and not before.

    Raises
    ------
    BadInput
        If the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as files:
            self._ledger = self._opened(files, "ledger.csv")
            self._observations = self._opened(files, "observations.jsonl")
            self._files = files.pop_all()
        self._rows = csv.writer(self._ledger, lineterminator="\n")
        self._rows.writerow(HEADER)
        return self

    def _opened(self, files: contextlib.ExitStack, name: str) -> IO[str]:
        file = files.enter_context(whole_file(self.path / name))
        return files.enter_context(io.TextIOWrapper(file, encoding="utf-8", newline=""))

    def add(self, outcome: CacheReplay) -> None:
        """Write one cache's ledger and observations."""
        with writing(self.path):
            for ledger in outcome.ledgers:
                self._rows.writerows(_ledger_rows(outcome.implementation_type, ledger))
            for row in outcome.observations:
                self._observations.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a file of its own."""
        with whole_file(self.path / name) as file, writing(self.path):
            file.write(text.encode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with writing(self.path):
            self._files.__exit__(kind, error, trace)


def _ledger_rows(name: str, ledger: Ledger) -> list[tuple[str, ...]]:
    rows = []
    for minute, verdict, scores in ledger.rows():
        cells: list[str] = []
        for metric in CATALOGUE:
            judged = scores.get(metric.name)
            cells += _NOTHING if judged is None else ["" if x is None else repr(x) for x in judged]
        rows.append((name, instant(minute), str(verdict), *cells))
    return rows


def instant(minute: int) -> str:
    """A minute since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _achieved(outcome: CacheReplay) -> Achieved:
    verdict = np.concatenate([np.zeros(0, dtype=np.int8), *(ledger.verdict for ledger in outcome.ledgers)])
    anomalous, normal = (verdict == VERDICTS.index(which) for which in (Verdict.ANOMALOUS, Verdict.NORMAL))
    return Achieved.of(np.flatnonzero(anomalous), int((anomalous | normal).sum()))


@dataclass(slots=True)
class Tally:
    """The counts of a replay, cache by cache."""

    policy: Policy
    caches: int = 0
    windows: int = 0
    seconds: float = 0.0
    first_minute: int | None = None
    last_minute: int | None = None
    verdicts: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    incidents: set[str] = field(default_factory=set)
    pages: set[str] = field(default_factory=set)
    achieved: Achieved = field(default_factory=Achieved)

    def add(self, outcome: CacheReplay) -> None:
        """Count one cache."""
        self.caches += 1
        self.windows += outcome.windows
        self.verdicts.update(outcome.verdicts)
        self.achieved = Achieved.together((self.achieved, _achieved(outcome)))
        for row in outcome.observations:
            self.severities[row["severity"]] += 1
            self.incidents.add(row["incident_id"])
            if row["severity"] != "info":
                self.pages.add(row["incident_id"])
        if outcome.first_minute is not None and outcome.last_minute is not None:
            self.first_minute = min(outcome.first_minute, self.first_minute or outcome.first_minute)
            self.last_minute = max(outcome.last_minute, self.last_minute or outcome.last_minute)

    def as_json(self) -> dict[str, Any]:
        """The summary as it is written and printed."""
        weeks = self.windows / 10_080
        return {
            "from": None if self.first_minute is None else instant(self.first_minute),
            "to": None if self.last_minute is None else instant(self.last_minute),
            "caches": self.caches,
            "windows": self.windows,
            "verdicts": dict(sorted(self.verdicts.items())),
            "observations": dict(sorted(self.severities.items())),
            "incidents": len(self.incidents),
            "pages": len(self.pages),
            "pages_per_cache_week": len(self.pages) / weeks if weeks else None,
            **self.achieved.as_json(self.policy.false_alarms_per_week),
            "windows_per_second": self.windows / self.seconds if self.seconds else None,
            "config_hash": self.policy.config_hash(),
        }
