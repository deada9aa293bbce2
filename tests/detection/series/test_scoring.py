"""The laws of scoring any series: what it may not depend on, and what it owes."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from auditor.detection.series.model import Model
from auditor.detection.series.scoring import Scored, score_series
from auditor.resources import series_model_file
from benchmarks.series_data import KINDS, uneventful

Floats = np.typing.NDArray[np.float64]
MODEL = Model.from_json(json.loads(series_model_file().read_text()))
MINUTE = 60.0


def course(count: int, *, seed: int = 1, seconds: float = 300.0) -> tuple[Floats, Floats]:
    """A daily wave with noise, a fall and an hour of chaos in it."""
    rng = np.random.default_rng(seed)
    at = np.arange(count)
    value = 100.0 + 30.0 * np.sin(2 * np.pi * at * seconds / 86_400) + rng.normal(0.0, 3.0, count)
    value[count // 2 : count // 2 + 8] -= 60.0
    value[3 * count // 4 : 3 * count // 4 + 12] += rng.normal(0.0, 40.0, 12)
    return np.asarray(1.7e9 + seconds * at, dtype=np.float64), value


def scored(timestamps: Any, values: Any, *, budget: float = 1.0) -> Scored:
    return score_series(timestamps, values, MODEL, budget)


def same(one: Scored, other: Scored, rows: slice = slice(None)) -> bool:
    """Whether two results are equal to the last bit in the rows."""
    return all(
        np.array_equal(mine[rows], theirs[rows], equal_nan=True)
        for mine, theirs in zip(astuple(one)[:-1], astuple(other)[:-1], strict=True)
    )


TIMES, VALUES = course(6000)
WHOLE = scored(TIMES, VALUES)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6000))
def test_a_prefix_is_scored_as_it_is_within_the_whole_to_the_last_bit(count: int) -> None:
    assert same(scored(TIMES[:count], VALUES[:count]), WHOLE, slice(0, count))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.integers(150, 1500), st.integers(1, 400))
def test_what_comes_later_changes_nothing_in_any_kind_of_series(seed: int, count: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    kind = list(KINDS)[seed % len(KINDS)]
    value = np.asarray(KINDS[kind](np.sin(np.arange(count + more) / 23.0), rng), dtype=np.float64)
    value[rng.random(count + more) < 0.02] = np.nan
    at = MINUTE * np.cumsum(rng.choice([1, 1, 1, 1, 7], count + more)).astype(np.float64)
    # the interval is known after a hundred steps
    prefix, whole = scored(at[:count], value[:count]), scored(at, value)
    assert same(prefix, whole, slice(0, count)) or prefix.seconds != whole.seconds


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(-1e6, 1e6))
def test_another_unit_and_another_origin_change_no_verdict(scale: float, shift: float) -> None:
    moved = scored(TIMES, VALUES * scale + shift * scale)
    np.testing.assert_array_equal(moved.flag, WHOLE.flag)
    # where a feature lies on a split's threshold the last bit decides
    assert np.isclose(moved.score, WHOLE.score, rtol=1e-3, atol=1e-3).mean() > 0.998
    np.testing.assert_allclose(
        moved.expected,
        WHOLE.expected * scale + shift * scale,
        rtol=1e-6,
        atol=1e-6 * scale * (200 + abs(shift)),
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_rows_in_any_order_and_twice_get_what_their_moment_gets(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(TIMES))
    found = scored(np.append(TIMES[order], TIMES[:50]), np.append(VALUES[order], VALUES[:50] + 1e3))
    assert len(found.score) == len(TIMES) + 50
    np.testing.assert_array_equal(found.score[: len(TIMES)], WHOLE.score[order])
    np.testing.assert_array_equal(found.score[len(TIMES) :], WHOLE.score[:50])


def test_the_events_are_flagged_and_little_else() -> None:
    flagged = np.flatnonzero(WHOLE.flag)
    assert flagged.min() in range(3000, 3003)
    assert set(flagged.tolist()) & set(range(4500, 4512))
    assert all(3000 <= i < 3030 or 4500 <= i < 4540 for i in flagged.tolist())


def test_the_interval_holds_what_is_ordinary_and_not_what_is_flagged() -> None:
    late = slice(1500, 3000)
    inside = (WHOLE.lower[late] <= VALUES[late]) & (VALUES[late] <= WHOLE.upper[late])
    assert inside.mean() > 0.998
    assert not WHOLE.lower[3000] <= VALUES[3000] <= WHOLE.upper[3000]
    assert np.sqrt(np.mean((VALUES[late] - WHOLE.expected[late]) ** 2)) < 4.5


@pytest.mark.parametrize(("period", "hours"), [(1440, 30), (288, 60), (24, 24 * 40)])
def test_the_first_intervals_are_of_the_width_of_the_later_ones(period: int, hours: int) -> None:
    """The hours before there is a scale, a season, or a calibration leave no trace in what comes after them."""
    timestamp = np.arange(hours * period // 24) * 86_400.0 / period
    noise = np.random.default_rng(2).normal(0.0, 3.0, len(timestamp))
    result = scored(timestamp, 100.0 + 20.0 * np.sin(2 * np.pi * timestamp / 86_400) + noise)
    width = result.upper - result.lower
    known = np.isfinite(width)
    assert not known[0]
    assert known[hours:].all()
    usual = np.median(width[-len(width) // 3 :])
    assert (width[known] > usual / 6.0).all()
    assert (width[known] < usual * 6.0).all()


def test_a_missing_value_is_no_point_and_a_gap_no_event() -> None:
    values, times = VALUES[:2900].copy(), TIMES[:2900]
    values[2500:2510] = np.nan
    found = scored(times, values)
    assert np.isnan(found.score[2500:2510]).all()
    assert not found.flag.any()
    gap = np.r_[0:2500, 2600:2900]
    assert not scored(times[gap], VALUES[gap]).flag.any()


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan], [2.0, 2.0], [1.0, np.nan, 3.0]])
def test_next_to_nothing_is_scored_and_not_flagged(values: list[float]) -> None:
    found = scored(MINUTE * np.arange(len(values)), np.array(values))
    assert len(found.score) == len(values)
    assert not found.flag.any()


def test_a_constant_is_never_strange_until_it_moves() -> None:
    values = np.full(3000, 7.0)
    assert not scored(MINUTE * np.arange(3000), values).flag.any()
    values[2500:2520] = 9.0
    assert scored(MINUTE * np.arange(3000), values).flag[2500:2505].any()


def test_timestamps_that_are_no_grid_are_refused() -> None:
    at = np.array([*np.arange(50.0), 1e9])
    with pytest.raises(ValueError, match="no regular series"):
        scored(at, np.ones(51))


@pytest.mark.parametrize("budget", [0.1, 1.0, 10.0])
def test_uneventful_series_are_flagged_within_the_budget(budget: float) -> None:
    alarms, weeks = 0, 0.0
    for series in uneventful(seed=77):
        if series.seconds == 300.0:
            flagged = np.flatnonzero(scored(series.timestamp, series.value, budget=budget).flag)
            alarms += int((np.diff(flagged, prepend=-100) > 10).sum())
            weeks += len(series.value) * series.seconds / 604_800
    assert alarms <= poisson.ppf(0.999, budget * weeks)
