"""Work beside work: the same bytes, wherever they are made, and nothing lost where the copy is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from auditor.commands import score_text, series_file
from auditor.commands.beside import WORTH_IT, beside
from auditor.commands.score import load_model
from auditor.commands.score_text import csv_parts, json_lines
from auditor.commands.series_file import Rows, read_rows
from auditor.detection.series.scoring import score_series

if TYPE_CHECKING:
    from pathlib import Path

LARGE = 3_000_000
"""Bytes: more than a pipe holds."""


def _who() -> bytes:
    return b"%d" % os.getpid()


def _made_here_only(here: int) -> bytes:
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return b"made here"


def _refused(here: int) -> bytes:
    raise ValueError("here" if os.getpid() == here else "in the copy")


def test_it_is_done_by_another_process_and_that_is_gone_afterwards() -> None:
    result = beside(_who)()
    assert result != _who()
    with pytest.raises(ProcessLookupError):
        os.kill(int(result), 0)


def test_a_large_result_arrives_whole() -> None:
    assert beside(partial(bytes, LARGE))() == bytes(LARGE)


def test_where_the_copy_is_killed_the_work_is_done_here() -> None:
    assert beside(partial(_made_here_only, os.getpid()))() == b"made here"


def test_what_the_work_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match=r"^here$"):
        beside(partial(_refused, os.getpid()))()


def test_the_copy_ends_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("timestamp,value\n" + "".join(f"{60 * i},{i % 7}\n" for i in range(WORTH_IT)))
    command = [sys.executable, "-m", "auditor", "score", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"timestamp,value,expected,lower,upper,score,p_value,flag\n"
    assert process.returncode != 0
    asked = 0
    while _is_there(process.pid) and asked < 200:
        asked += 1
        time.sleep(0.1)
    assert not _is_there(process.pid)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_with_one_processor_nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert beside(_who)() == _who()


@pytest.mark.parametrize("refused", ["memfd_create", "fork"])
def test_where_the_system_refuses_it_the_work_is_done_here(
    monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, refused, refuse)
    assert beside(_who)() == _who()


@pytest.mark.parametrize("columns", [2, 3])
def test_carriage_returns_at_the_ends_of_lines_make_no_rows(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "series.csv"
    rest = ",7" * (columns - 2)
    path.write_bytes(
        f"timestamp,value{',more' * (columns - 2)}\r\r\r\n".encode()
        + b"".join(f"{60 * i},{i}{rest}\r\r\r\n".encode() for i in range(300))
    )
    rows = read_rows(path)
    scored = score_series(rows.timestamp, rows.value, load_model(), 1.0)
    assert len(list(json_lines(rows, scored))) == len(rows) == 300
    assert b"".join(csv_parts(rows, scored)).count(b"\n") == 301


def test_scores_and_their_text_are_the_same_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = np.random.default_rng(5).normal(50.0, 2.0, 5 * 1440)
    value[5000:5010] += 40.0
    path = tmp_path / "series.csv"
    path.write_text("timestamp,value\n" + "".join(f"{60 * i},{v:.4f}\n" for i, v in enumerate(value)))
    alone = read_rows(path)
    monkeypatch.setattr(series_file, "LONG", 1000)
    monkeypatch.setattr(score_text, "ROWS_AT_ONCE", 1000)
    rows = read_rows(path)
    assert rows.text == alone.text
    np.testing.assert_array_equal(rows.value, alone.value)
    np.testing.assert_array_equal(rows.timestamp, alone.timestamp)
    assert _text(rows, by_two=True) == _text(alone, by_two=False)


def _text(rows: Rows, *, by_two: bool) -> bytes:
    helper = beside if by_two else None
    scored = score_series(rows.timestamp, rows.value, load_model(), 1.0, helper)
    assert scored.flag.any()
    return b"".join(csv_parts(rows, scored, helper))
