"""Only a window that contradicts itself is broken, and it is told by which numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.validity import broken_identities
from auditor.detection.windows import COLUMNS, WindowBlock
from tests.detection.simulated import windows

GOOD = {
    "total_operations": 130.0,
    "hits": 75.0,
    "misses": 25.0,
    "sets": 20.0,
    "evictions": 8.0,
    "errors": 2.0,
    "avg_response_time_ms": 40.0,
    "p50_response_time_ms": 2.0,
    "p95_response_time_ms": 180.0,
    "p99_response_time_ms": 390.0,
    "max_response_time_ms": 412.5,
    "avg_cache_size": 1000.4,
    "max_cache_size": 1003.0,
    "hit_rate": 75.0,
    "avg_hit_response_time_ms": 1.8,
    "avg_miss_response_time_ms": 160.0,
}


def block(*rows: dict[str, float]) -> WindowBlock:
    return WindowBlock.from_rows(
        "answers",
        list(range(len(rows))),
        {name: [row[name] for row in rows] for name in COLUMNS},
        first_minute=0,
        last_minute=len(rows) - 1,
    )


def reasons(**changed: float) -> tuple[str, ...]:
    broken, why = broken_identities(block(GOOD | changed))
    assert broken.tolist() == [bool(why)]
    return why.get(0, ())


def test_a_window_that_adds_up_is_whole() -> None:
    assert reasons() == ()


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_unknown_breaks_nothing(name: str) -> None:
    assert reasons(**{name: math.nan}) == ()


def test_a_window_of_which_nothing_is_known_breaks_nothing() -> None:
    assert reasons(**dict.fromkeys(COLUMNS, math.nan)) == ()


def test_a_window_of_nothing_at_all_is_whole() -> None:
    quiet = dict.fromkeys(COLUMNS, 0.0)
    assert reasons(**quiet) == ()
    assert reasons(**quiet | {"hit_rate": math.nan}) == ()


@pytest.mark.parametrize("name", COLUMNS)
def test_a_negative_value_is_named(name: str) -> None:
    assert any(reason.startswith(f"{name} is -1, which no ") for reason in reasons(**{name: -1.0}))


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_what_is_no_number_is_named_and_compared_with_nothing(name: str, value: float) -> None:
    others = reasons(**{name: math.nan})
    assert reasons(**{name: value}) == (f"{name} is no finite number.", *others)


@pytest.mark.parametrize("name", ["total_operations", "hits", "misses", "sets", "evictions", "errors"])
def test_a_fractional_count_is_named(name: str) -> None:
    assert any("which no count can be" in reason for reason in reasons(**{name: GOOD[name] + 0.5}))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"hits": 5000.0, "hit_rate": math.nan},
            "hits + misses + sets + evictions + errors is 5055, more than total_operations, 130.",
        ),
        (
            {"total_operations": 131.0},
            "hits + misses + sets + evictions + errors is 130, less than total_operations, 131.",
        ),
        (
            {"total_operations": 90.0, "sets": math.nan, "evictions": math.nan, "errors": math.nan},
            "hits + misses is 100, more than total_operations, 90.",
        ),
        ({"hit_rate": 100.2}, "hit_rate is 100.2 %, more than 100 %."),
        ({"hit_rate": 75.1}, "hit_rate is 75.1 %, hits / (hits + misses) is 75 %."),
        ({"hit_rate": 73.0}, "hit_rate is 73 %, hits / (hits + misses) is 75 %."),
        (
            {"p50_response_time_ms": 190.0},
            "p50_response_time_ms is 190, more than p95_response_time_ms, 180.",
        ),
        (
            {"p99_response_time_ms": 450.0},
            "p99_response_time_ms is 450, more than max_response_time_ms, 412.5.",
        ),
        (
            {"p50_response_time_ms": 400.0, "p95_response_time_ms": math.nan},
            "p50_response_time_ms is 400, more than p99_response_time_ms, 390.",
        ),
        (
            {"avg_response_time_ms": 450.0},
            "avg_response_time_ms is 450, more than max_response_time_ms, 412.5.",
        ),
        (
            {"avg_cache_size": 1010.0},
            "avg_cache_size is 1010, more than max_cache_size, 1003.",
        ),
    ],
)
def test_each_broken_identity_is_said_with_its_numbers(changed: dict[str, float], sentence: str) -> None:
    assert sentence in reasons(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"hit_rate": 75.05},
        {"hit_rate": 74.95},
        {"hit_rate": 74.0},
        {"p50_response_time_ms": 0.01, "p95_response_time_ms": 0.0, "p99_response_time_ms": 0.0},
        {"p99_response_time_ms": 420.0},
        {"avg_response_time_ms": 412.5, "p95_response_time_ms": 397.0},
        {"avg_cache_size": 1003.5},
        {"hits": 0.0, "misses": 0.0, "sets": 120.0, "hit_rate": 0.0},
    ],
    ids=str,
)
def test_rounding_and_histograms_are_no_fault(changed: dict[str, float]) -> None:
    assert reasons(**changed) == ()


def test_an_absent_window_breaks_nothing() -> None:
    absent = block(GOOD | {"hits": -1.0})
    absent.present[0] = False
    assert broken_identities(absent)[1] == {}


def test_a_simulated_fortnight_is_whole() -> None:
    broken, why = broken_identities(windows(14 * 1440, traffic=7.0))
    assert not broken.any()
    assert why == {}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.sampled_from([math.nan, math.inf, -1.0, 0.0, 0.5, 75.0, 1e9]) for name in COLUMNS
            },
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_window_is_judged_by_itself(changes: list[dict[str, float]]) -> None:
    rows = [GOOD | changed for changed in changes]
    broken, why = broken_identities(block(*rows))
    for i, row in enumerate(rows):
        alone, alone_why = broken_identities(block(row))
        assert bool(alone[0]) == bool(broken[i]) == (i in why)
        assert alone_why.get(0) == why.get(i)
    assert broken.dtype == np.bool_


def test_more_operations_than_any_cache_does_are_no_count() -> None:
    many = {"total_operations": 2.0**62, "hits": 2.0**62}
    assert "hits is 4.61169e+18, which no count can be." in reasons(**many)
    assert any("total_operations is" in reason for reason in reasons(**many))
