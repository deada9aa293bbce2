"""What an incident cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.impact import incident_impact, window_contributions


def test_the_toll_is_misses_waiting_and_money() -> None:
    toll = incident_impact(extra_misses=1200.0, added_milliseconds=41_500.0, cost_per_miss=0.01)
    assert toll.as_json() == {"extra_backend_calls": 1200.0, "added_latency_seconds": 41.5, "cost": 12.0}


def test_without_a_cost_of_a_miss_there_is_no_money() -> None:
    assert incident_impact(extra_misses=5.0, added_milliseconds=0.0, cost_per_miss=0.0).cost is None


@pytest.mark.parametrize("sums", [(-3.0, -9.0), (math.nan, math.nan), (math.inf, -math.inf)])
def test_what_is_below_nought_or_unknown_costs_nothing(sums: tuple[float, float]) -> None:
    toll = incident_impact(extra_misses=sums[0], added_milliseconds=sums[1], cost_per_miss=1.0)
    assert (toll.extra_backend_calls, toll.added_latency_seconds, toll.cost) == (0.0, 0.0, 0.0)


def test_a_window_adds_its_misses_and_waiting_beyond_what_was_expected() -> None:
    extra, added = window_contributions(
        hits=np.array([40.0, 80.0, np.nan]),
        misses=np.array([60.0, 20.0, 5.0]),
        expected_hit_rate=np.array([0.75, 0.75, 0.75]),
        avg_response_time_ms=np.array([50.0, np.nan, 10.0]),
        expected_response_time_ms=np.array([20.0, 20.0, 20.0]),
    )
    assert extra.tolist() == [35.0, -5.0, 0.0]
    assert added.tolist() == [3000.0, 0.0, 0.0]


@given(st.lists(st.tuples(*[st.floats(0, 1e4)] * 5), min_size=2, max_size=20), st.data())
def test_a_split_of_the_windows_changes_no_part(rows: list[tuple[float, ...]], data: st.DataObject) -> None:
    table = np.array(rows).T
    cut = data.draw(st.integers(1, len(rows) - 1))

    def parts(of: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
        return np.stack(
            window_contributions(
                hits=of[0],
                misses=of[1],
                expected_hit_rate=of[2] / 1e4,
                avg_response_time_ms=of[3],
                expected_response_time_ms=of[4],
            )
        )

    whole = parts(table)
    split = np.concatenate([parts(table[:, :cut]), parts(table[:, cut:])], axis=1)
    assert whole.tobytes() == split.tobytes()
