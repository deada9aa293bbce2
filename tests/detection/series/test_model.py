"""Alarms and traces, by trees made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.series.features import NAMES
from auditor.detection.series.model import (
    GATE,
    LEAST_RECENT,
    MODEL_VERSION,
    MOST_OF_TRACE,
    NO_NEWS,
    RECENT_POINTS,
    Model,
)


def only(value: float) -> dict[str, Any]:
    """A tree of which every point gets the same."""
    return {"feature": [-1], "threshold": [0.0], "left": [0], "right": [0], "value": [value]}


def by_one_leaf(alarm: float, trace: float) -> Model:
    """Trees of one leaf each."""
    return Model.from_json(
        {
            "version": MODEL_VERSION,
            "features": list(NAMES),
            "alarms": [only(alarm)],
            "traces": [only(trace)],
            "reference": {
                "seconds": [60.0, 3600.0],
                "margins": [0.0, 1.0],
                "rates": [[1.0, 0.1], [1.0, 0.1]],
            },
        }
    )


def scored(alarm: float, trace: float, **features: float) -> tuple[float, Model]:
    """The score of one point by trees of one leaf."""
    model = by_one_leaf(alarm, trace)
    point = {name: np.array([features.get(name, 0.0)]) for name in NAMES}
    return float(model.scores(point)[0]), model


# raised by what lasts, and nothing that the rule looks at
HELD = {"held_e": 2.0}


@given(st.floats(-8.0, 12.0), st.floats(-8.0, 12.0))
def test_a_trace_orders_what_is_below_alarms_and_makes_none(alarm: float, trace: float) -> None:
    score, model = scored(alarm, trace, **HELD)
    np.testing.assert_allclose(score - 1.0 + model.lowest, max(alarm, min(trace, MOST_OF_TRACE)), atol=1e-9)
    if alarm >= MOST_OF_TRACE:
        assert score == scored(alarm, -8.0, **HELD)[0]


def test_each_feature_of_the_gate_opens_it_and_no_other_does() -> None:
    for name in NAMES:
        above, _ = scored(3.0, 0.0, **{name: 5.0})
        assert (above >= 1.0) == (name in GATE), name
    for name, level in GATE.items():
        assert scored(3.0, 0.0, **{name: level})[0] < 1.0


@pytest.mark.parametrize("alarm", [MOST_OF_TRACE, 5.0, 8.0, 12.0])
@pytest.mark.parametrize("quiet", [1, 50])
def test_an_alarm_that_goes_on_is_less_and_less_of_a_beginning_but_no_less_than_a_trace(
    alarm: float, quiet: int
) -> None:
    model = by_one_leaf(alarm, 0.0)
    held = np.where(np.arange(quiet + 5 * RECENT_POINTS) < quiet, 0.0, 2.0)
    points = {name: held if name in HELD else np.zeros(len(held)) for name in NAMES}
    found = model.scores(points)[quiet:] - 1.0 + model.lowest
    np.testing.assert_allclose(found[0], alarm, atol=1e-9)
    assert (np.diff(found) <= 1e-9).all()
    # in the end all of its height is what has been before
    worn = alarm - NO_NEWS * (alarm - LEAST_RECENT)
    np.testing.assert_allclose(found[-1], max(worn, MOST_OF_TRACE), atol=1e-3)


def test_what_is_not_looked_at_wears_nothing_out() -> None:
    model = by_one_leaf(9.0, 0.0)
    points = {name: np.full(100, 2.0 if name in HELD else 0.0) for name in NAMES}
    found = model.scores(points, 60)
    assert (found[:60] < 1.0).all()
    np.testing.assert_allclose(found[60] - 1.0 + model.lowest, 9.0, atol=1e-9)
