"""Alarms and traces, by trees made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.series.features import NAMES
from auditor.detection.series.model import GATE, MODEL_VERSION, MOST_OF_TRACE, Model


def only(value: float) -> dict[str, Any]:
    """A tree of which every point gets the same."""
    return {"feature": [-1], "threshold": [0.0], "left": [0], "right": [0], "value": [value]}


def scored(alarm: float, trace: float, **features: float) -> tuple[float, Model]:
    """The score of one point by trees of one leaf."""
    model = Model.from_json(
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
