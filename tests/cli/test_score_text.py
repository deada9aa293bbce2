"""Scores as text: the same from one process and from two."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import BrokenExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from auditor.commands import score_text
from auditor.commands.score import load_model
from auditor.commands.score_text import csv_parts, helper_for
from auditor.commands.series_file import Rows
from auditor.detection.series.scoring import score_series

if TYPE_CHECKING:
    from pathlib import Path

POINTS = 3 * 1440


def _rows() -> Rows:
    at = 60.0 * np.arange(POINTS, dtype=np.float64)
    value = np.random.default_rng(3).normal(50.0, 2.0, POINTS)
    value[2000:2004] += 80.0
    value[[7, 3000]] = np.nan
    return Rows([f"{t:.0f},{v:.6g}" for t, v in zip(at, value, strict=True)], at, value)


def test_two_processes_write_what_one_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(score_text, "BLOCK", 1000)
    monkeypatch.setattr(score_text, "LONG_BYTES", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    rows = _rows()
    scored = score_series(rows.timestamp, rows.value, load_model(), 1.0)
    alone = "".join(csv_parts(rows, scored, None))
    file = tmp_path / "series.csv"
    file.write_text("some rows")
    with helper_for([file]) as other:
        assert other is not None
        assert "".join(csv_parts(rows, scored, other)) == alone
    lines = alone.splitlines()
    assert len(lines) == POINTS + 1
    assert all(line.count(",") == 7 for line in lines)
    assert "nan" not in alone
    assert any(line.endswith(",1") for line in lines[2000:2010])
    assert lines[8] == f"{rows.text[7].removesuffix('nan')},,,,,,0"


@pytest.mark.parametrize("begun", [False, True])
def test_nothing_is_lost_where_the_other_process_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, begun: bool
) -> None:
    monkeypatch.setattr(score_text, "BLOCK", 1000)
    monkeypatch.setattr(score_text, "LONG_BYTES", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    rows = _rows()
    scored = score_series(rows.timestamp, rows.value, load_model(), 1.0)
    file = tmp_path / "series.csv"
    file.write_text("some rows")
    with helper_for([file]) as other:
        assert other is not None
        pid = other.submit(os.getpid).result()
        busy = other.submit(time.sleep, 600.0)
        parts = csv_parts(rows, scored, other)
        found = [next(parts), next(parts)] if begun else []
        os.kill(pid, signal.SIGKILL)
        assert isinstance(busy.exception(), BrokenExecutor)
        assert [*found, *parts] == list(csv_parts(rows, scored, None))


def test_a_short_file_is_not_worth_another_process(tmp_path: Path) -> None:
    file = tmp_path / "series.csv"
    file.write_text("timestamp,value\n0,1\n")
    with helper_for([file, tmp_path / "missing.csv"]) as other:
        assert other is None
