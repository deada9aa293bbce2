"""Scores as text: every number can be read back, whatever its size, and what is not known is empty."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.commands import score_text
from auditor.commands.score import load_model
from auditor.commands.score_text import COLUMNS, csv_parts, json_lines, to_digits
from auditor.commands.series_file import Rows
from auditor.detection.series.scoring import Scored, score_series

POINTS = 3 * 1440
UNKNOWN = (7, 3000)


@pytest.fixture(scope="module")
def scored() -> tuple[Rows, Scored]:
    at = 60.0 * np.arange(POINTS, dtype=np.float64)
    value = np.random.default_rng(3).normal(50.0, 2.0, POINTS)
    value[2000:2004] += 80.0
    value[list(UNKNOWN)] = np.nan
    text = [f"{t:.0f},{v:.6g}".removesuffix("nan").encode() for t, v in zip(at, value, strict=True)]
    joined = b"".join(line + b"\n" for line in text)
    ends = np.flatnonzero(np.frombuffer(joined, dtype=np.uint8) == ord("\n"))
    return Rows(joined, ends, at, value), score_series(at, value, load_model(), 1.0)


@pytest.mark.parametrize("at_once", [1, 1000, 65_536])
def test_every_row_can_be_read_back(
    monkeypatch: pytest.MonkeyPatch, scored: tuple[Rows, Scored], at_once: int
) -> None:
    monkeypatch.setattr(score_text, "ROWS_AT_ONCE", at_once)
    rows, numbers = scored
    header, *lines = csv.reader(b"".join(csv_parts(rows, numbers)).decode().splitlines())
    assert tuple(header) == COLUMNS
    assert [f"{line[0]},{line[1]}".encode() for line in lines] == rows.text.splitlines()
    told = np.array([[float(cell or "nan") for cell in line[2:]] for line in lines])
    for column, name in enumerate(COLUMNS[2:-2]):
        np.testing.assert_allclose(told[:, column], getattr(numbers, name), rtol=1e-8, atol=1e-5)
    np.testing.assert_allclose(told[:, -2], numbers.p_value, rtol=5.1e-3)
    np.testing.assert_array_equal(told[:, -1].astype(bool), numbers.flag)
    assert numbers.flag[2000:2004].any()
    for i in UNKNOWN:
        assert lines[i][2:] == ["", "", "", "", "", "0"]


def test_an_object_says_what_a_row_says(scored: tuple[Rows, Scored]) -> None:
    rows, numbers = scored
    objects = [json.loads(line) for line in json_lines(rows, numbers)]
    assert len(objects) == POINTS
    assert tuple(objects[0]) == COLUMNS
    for i in (0, 1, 1999, 2000, 4319):
        assert objects[i]["timestamp"] == rows.timestamp[i]
        assert objects[i]["score"] == numbers.score[i]
        assert objects[i]["flag"] is bool(numbers.flag[i])
    for i in UNKNOWN:
        assert [objects[i][name] for name in COLUMNS[1:]] == [None] * 6 + [False]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_told_with_nine_digits_of_it(number: float) -> None:
    (found,) = to_digits(np.array([number])).tolist()
    assert found == pytest.approx(number, rel=1e-8, abs=0.0)


@given(st.integers(-(10**9) + 1, 10**9 - 1), st.integers(0, 12))
def test_and_with_no_more_of_them_than_it_takes(whole: int, decimals: int) -> None:
    number = whole / 10**decimals
    noise = 1.0 + 3e-12
    assert to_digits(np.array([number * noise])).tolist() == [number]


def test_what_is_not_known_stays_unknown() -> None:
    assert np.isnan(to_digits(np.array([np.nan, 1.0]))).tolist() == [True, False]
