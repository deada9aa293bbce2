"""Medians and centres of hours against the plain way of taking them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auditor.detection.forecasts import followed
from auditor.detection.medians import median, medians, nearest, robust_centre, robust_centres
from auditor.detection.profile import follow, follow_through, gain_and_bound

Floats = np.typing.NDArray[np.float64]
VALUES = st.sampled_from([0.0, 1.0, -2.5, 7.25, 1000.0, np.nan]) | st.floats(-50.0, 50.0)


def _rough(values: Floats, axis: int) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=axis))


@given(arrays(np.float64, (7, 5), elements=VALUES), st.sampled_from([0, 1]))
def test_the_median_is_that_of_what_is_known(values: Floats, axis: int) -> None:
    np.testing.assert_allclose(median(values, axis), _rough(values, axis), rtol=1e-15)


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(100, 400), st.booleans())
def test_the_median_of_many_is_too(seed: int, length: int, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(length, 6)).round(1)
    values[:, 0] = np.nan
    values[:3] = np.nan
    if gaps:
        values[rng.random(values.shape) < 0.1] = np.nan
    np.testing.assert_allclose(median(values), _rough(values, 0), rtol=1e-15)


@given(arrays(np.float64, (9, 4), elements=VALUES))
def test_the_centre_is_the_median_of_what_is_not_wild(values: Floats) -> None:
    first = median(values)
    away = np.abs(values - first)
    bound = np.maximum(4.0 * 1.4826 * median(away), 1e-9)
    np.testing.assert_array_equal(robust_centre(values), median(np.where(away <= bound, values, np.nan)))


@given(st.integers(1, 12), st.integers(0, 2**31))
def test_how_far_off_the_middle_one_is_needs_no_new_order(number: int, seed: int) -> None:
    ordered = np.sort(np.random.default_rng(seed).normal(size=(5, number)).round(1), axis=1)
    centre = median(ordered, 1)
    np.testing.assert_array_equal(nearest(ordered, centre), median(np.abs(ordered - centre[:, None]), 1))


@settings(max_examples=50)
@given(st.integers(2, 12), st.data())
def test_centres_without_each_are_those_of_the_others(number: int, data: st.DataObject) -> None:
    values = data.draw(arrays(np.float64, (number, 3, 2), elements=VALUES))
    of_all, of_others = robust_centres(values)
    others = [robust_centre(np.delete(values, row, axis=0)) for row in range(number)]
    np.testing.assert_array_equal(of_all, robust_centre(values))
    np.testing.assert_array_equal(of_others, np.stack(others))


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.1, 0.6]), st.sampled_from([0.0, 3.0, 50.0]))
def test_centres_without_each_of_weeks_of_days_are_too(seed: int, unknown: float, wild: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(28, 6))
    values[rng.random(values.shape) < 0.1] += wild
    values[rng.random(values.shape) < unknown] = np.nan
    of_all, of_others = robust_centres(values)
    others = [robust_centre(np.delete(values, row, axis=0)) for row in range(len(values))]
    np.testing.assert_array_equal(of_all, robust_centre(values))
    np.testing.assert_array_equal(of_others, np.stack(others))


@settings(max_examples=50)
@given(st.integers(2, 9), st.data())
def test_medians_without_each_are_those_of_the_others(number: int, data: st.DataObject) -> None:
    values = data.draw(arrays(np.float64, (number, 3, 2), elements=VALUES))
    of_all, of_others = medians(values)
    others = [median(np.delete(values, row, axis=0)) for row in range(number)]
    np.testing.assert_array_equal(of_all, median(values))
    np.testing.assert_array_equal(of_others, np.stack(others))


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.3, 0.95]))
def test_levels_are_followed_as_one_hour_after_the_other(seed: int, unknown: float) -> None:
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(160, 2, 3))
    seen[rng.random(seen.shape) < unknown] = np.nan
    half_lives, drift = np.array([1.0, 4.0, 24.0]), np.array([0.01, 0.1, 0.5])
    gain, bound = gain_and_bound(half_lives[:, None], drift)
    now = np.full((2, 3, 3), np.nan)
    errors = []
    for row in seen[:, :, None]:
        errors.append(row - now)
        now = follow(now, row, gain, bound)
    found, last = followed(seen, half_lives, drift, 1)
    np.testing.assert_array_equal(found, np.stack(errors)[:, :1])
    np.testing.assert_array_equal(last, now)


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.3, 0.95]))
def test_a_level_that_is_known_already_is_followed_so_too(seed: int, unknown: float) -> None:
    rng = np.random.default_rng(seed)
    seen, level = rng.normal(size=(30, 6)), rng.normal(size=6)
    seen[rng.random(seen.shape) < unknown] = np.nan
    seen[:, 0], level[3:] = np.nan, np.nan
    gain, bound = gain_and_bound(np.array([1.0, 4.0, 24.0, np.inf, 4.0, 1.0]), np.full(6, 0.1))
    levels = [level]
    for row in seen:
        levels.append(follow(levels[-1], row, gain, bound))
    np.testing.assert_array_equal(follow_through(level, seen, gain, bound), np.stack(levels))


def test_nothing_known_has_no_median() -> None:
    assert np.isnan(median(np.full((3, 2), np.nan))).all()
    assert median(np.array([[np.nan], [4.0]]))[0] == pytest.approx(4.0)
