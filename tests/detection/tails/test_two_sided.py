"""Two tails into one p-value."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.tails.two_sided import two_sided


def test_it_is_twice_the_smaller_tail_and_at_most_one() -> None:
    lower, upper = np.array([0.01, 0.7, 1.0, 0.5, 1e-300]), np.array([0.995, 0.4, 1.0, 0.5, 1.0])
    assert two_sided(lower, upper).tolist() == [0.02, 0.8, 1.0, 1.0, 2e-300]


def test_what_is_not_known_stays_so() -> None:
    assert math.isnan(two_sided(np.array([math.nan]), np.array([0.5]))[0])
    assert math.isnan(two_sided(np.array([0.5]), np.array([math.nan]))[0])


@given(st.floats(0, 1), st.floats(0, 1))
def test_sides_count_alike(lower: float, upper: float) -> None:
    a, b = np.array([lower]), np.array([upper])
    assert two_sided(a, b) == two_sided(b, a)
    assert two_sided(a, b)[0] >= min(lower, upper)
