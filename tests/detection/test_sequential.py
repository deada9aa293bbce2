"""The sequential test against its recursion, and what it owes."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.sequential import BOUND, SHIFT, evidence, evidence_of_one, evidences

Residuals = st.lists(st.floats(-9.0, 9.0) | st.just(math.nan), min_size=1, max_size=80).map(np.array)


def _one_by_one(z: np.typing.NDArray[np.float64], start: float, most: float) -> list[float]:
    total, found = start, []
    for value in z.tolist():
        if not math.isnan(value):
            clipped = min(max(value, -BOUND), BOUND)
            total = min(max(total + SHIFT * clipped - SHIFT * SHIFT / 2, 0.0), most)
        found.append(total)
    return found


@given(Residuals, st.floats(0.0, 5.0))
def test_it_is_pages_cusum_between_nought_and_its_most(
    z: np.typing.NDArray[np.float64], start: float
) -> None:
    np.testing.assert_allclose(evidence(z, start, 6.0), _one_by_one(z, start, 6.0), rtol=0, atol=1e-4)


@given(Residuals, st.integers(0, 80))
def test_any_split_gives_the_same_bits(z: np.typing.NDArray[np.float64], at: int) -> None:
    whole = evidence(z, 0.0, 8.0)
    first = evidence(z[:at], 0.0, 8.0)
    start = float(first[-1]) if len(first) else 0.0
    assert np.concatenate([first, evidence(z[at:], start, 8.0)]).tolist() == whole.tolist()


@given(Residuals, st.floats(0.0, 5.0))
def test_window_by_window_and_several_together_give_the_same_bits(
    z: np.typing.NDArray[np.float64], start: float
) -> None:
    whole = evidence(z, start, 6.0).tolist()
    together = evidences(np.stack([z, -z]), [start, 0.0], [6.0, 4.0])
    assert together.tolist() == [whole, evidence(-z, 0.0, 4.0).tolist()]
    total = start
    for value, after in zip(z.tolist(), whole, strict=True):
        total = evidence_of_one(value, total, 6.0)
        assert total == after


@given(Residuals, st.floats(0.0, 3.0))
def test_a_worse_course_is_never_less_evidence(z: np.typing.NDArray[np.float64], more: float) -> None:
    assert np.all(evidence(z + more, 0.0, 8.0) >= evidence(z, 0.0, 8.0) - 1e-12)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31))
def test_started_at_any_one_moment_it_promises_no_more_than_an_e_value(seed: int) -> None:
    z = np.random.default_rng(seed).normal(size=(4000, 40))
    steps = SHIFT * np.clip(z, -BOUND, BOUND) - SHIFT * SHIFT / 2
    assert np.exp(steps.sum(axis=1)).mean() < 1.15


def test_half_a_deviation_is_found_within_the_hour() -> None:
    rng = np.random.default_rng(6)
    after = [int(np.argmax(evidence(rng.normal(0.75, 1.0, 400), 0.0, 12.0) > 9.0)) for _ in range(200)]
    assert np.median(after) < 60
