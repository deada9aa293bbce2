"""Figures as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.diagnosis import figures


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-0.0, "0"),
        (0.4, "0.4"),
        (0.034, "0.034"),
        (7.52, "7.5"),
        (9.97, "10"),
        (312.4, "312"),
        (4120, "4,120"),
        (12_400, "12.4k"),
        (999_999, "1M"),
        (3_140_000, "3.1M"),
        (2_500_000_000, "2.5G"),
    ],
)
def test_counts(value: float, shown: str) -> None:
    assert figures.count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 %"),
        (0.00004, "under 0.01 %"),
        (0.0042, "0.42 %"),
        (0.042, "4.2 %"),
        (0.413, "41 %"),
        (0.996, "99.6 %"),
        (0.99999, "99.9 %"),
        (1.0, "100 %"),
        (2.5, "250 %"),
    ],
)
def test_shares(value: float, shown: str) -> None:
    assert figures.percent(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 ms"),
        (0.42, "0.42 ms"),
        (4.23, "4.2 ms"),
        (420.4, "420 ms"),
        (1432, "1.4 s"),
        (59_000, "59 s"),
        (210_000, "3.5 min"),
        (18_720_000, "5.2 h"),
        (268_000_000, "3.1 days"),
    ],
)
def test_response_times(value: float, shown: str) -> None:
    assert figures.milliseconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1, "1 minute"),
        (14, "14 minutes"),
        (120, "2 h"),
        (125, "2 h 5 min"),
        (4440, "3 days 2 h"),
        (2880, "2 days"),
    ],
)
def test_durations(value: int, shown: str) -> None:
    assert figures.minutes(value) == shown


def test_a_minute_is_a_clock_time_and_a_date() -> None:
    assert (figures.clock(29_401_901), figures.day(29_401_901)) == ("23:41 UTC", "25 Nov 2025")


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "7", True])
def test_what_is_no_finite_number_is_not_known(value: object) -> None:
    assert not figures.known(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_can_be_written_briefly(value: float) -> None:
    for write in (figures.count, figures.percent, figures.milliseconds, figures.seconds):
        shown = write(value)
        assert "nan" not in shown
        assert len(shown) <= 22
