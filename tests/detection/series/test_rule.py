"""The plain rule beside the trees."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.series.model import MOST_OF_RULE, RULE_ONSET, rule

SIZES = st.floats(-50.0, 50.0)
ROUNDING = 1e-14


def ruled(onset: float, recent: float, off_season: float) -> float:
    return float(rule(np.array([onset]), np.array([recent]), np.array([off_season]))[0])


@given(SIZES, SIZES, SIZES)
def test_what_has_only_just_been_ranks_below_every_clear_onset(
    onset: float, recent: float, off_season: float
) -> None:
    found = ruled(onset, recent, off_season)
    if onset > RULE_ONSET:
        assert found == min(onset, MOST_OF_RULE)
    else:
        assert 0.0 <= found < RULE_ONSET


@given(SIZES, SIZES, SIZES, st.floats(0.0, 10.0))
def test_a_larger_trace_is_never_ranked_lower(
    onset: float, recent: float, off_season: float, more: float
) -> None:
    least = ruled(onset, recent, off_season) * (1.0 - ROUNDING)
    assert ruled(onset, recent + more, off_season) >= least
    assert ruled(onset, recent, off_season + more) >= least
