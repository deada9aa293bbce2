"""What is passed over without a closer look: that nothing is lost by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection import fold
from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from auditor.detection.proportions import concentration_of
from auditor.detection.quiet import pass_quietly
from auditor.detection.spans import FAR, far_below
from auditor.detection.tails.count import count_tails
from auditor.detection.tails.proportion import proportion_tails
from tests.detection.simulated import Course, windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from auditor.detection.state import Memory
    from auditor.detection.windows import WindowBlock

RARE = 0.015
"""What is no further out than this is far from any level that a budget asks for."""
LEARNED = 2 * 1440
Z = st.lists(st.floats(-2.3, 2.3), min_size=40, max_size=40).map(np.array)


@settings(max_examples=200, deadline=None)
@given(z=Z, n=st.floats(1.0, 1e5), logit=st.floats(-9.0, 9.0), log_variance=st.floats(-14.0, 1.4))
def test_no_rate_that_is_called_near_is_rare(
    z: np.typing.NDArray[np.float64], n: float, logit: float, log_variance: float
) -> None:
    trials, mean = np.full(len(z), np.rint(n)), np.full(len(z), 1.0 / (1.0 + np.exp(-logit)))
    concentration = concentration_of(mean, float(np.exp(log_variance)))
    expected = trials * mean
    deviation = np.sqrt(expected * (1.0 - mean) * (1.0 + (trials - 1.0) / (concentration + 1.0)))
    k = np.clip(np.rint(expected + z * deviation), 0.0, trials)
    near = ~far_below(k, expected, deviation) & ~far_below(trials - k, trials - expected, deviation)
    tails = proportion_tails(k, trials, mean, concentration)
    assert np.minimum(*tails)[near].min(initial=1.0) > RARE


@settings(max_examples=200, deadline=None)
@given(z=Z, log_mean=st.floats(-4.0, 10.0), log_variance=st.floats(-14.0, 1.4))
def test_no_count_that_is_called_near_is_rare(
    z: np.typing.NDArray[np.float64], log_mean: float, log_variance: float
) -> None:
    mean = np.full(len(z), np.exp(log_mean))
    size = np.full(len(z), 1.0 / np.expm1(np.exp(log_variance)))
    deviation = np.sqrt(mean + mean * mean / size)
    k = np.maximum(np.rint(mean + z * deviation), 0.0)
    near = ((k - mean) / deviation <= FAR) & ~far_below(k, mean, deviation)
    assert np.minimum(*count_tails(k, mean, size))[near].min(initial=1.0) > RARE


def _minutes(block: WindowBlock) -> Iterator[str]:
    """All that is told minute by minute, as text."""
    state = judge(None, block.slice(0, LEARNED), Policy()).state
    for start in range(LEARNED, len(block)):
        judgement = judge(state, block.slice(start, start + 1), Policy())
        state = judgement.state
        yield json.dumps([list(judgement.ledger.rows()), state, repr(judgement.observations)])


def _eventful(plan: Course) -> None:
    plan.hit_rate[LEARNED + 100 : LEARNED + 112] = 0.3
    plan.absent[LEARNED + 30 : LEARNED + 34] = True
    plan.traffic[LEARNED + 170 :] *= 0.3


def test_a_window_passed_quietly_leaves_what_the_fold_leaves_to_the_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = windows(LEARNED + 200, fault=_eventful, noise=0.1)
    passed: list[bool] = []

    def noted(memory: Memory, window: WindowBlock, policy: Policy) -> Any:
        found = pass_quietly(memory, window, policy)
        passed.append(found is not None)
        return found

    with monkeypatch.context() as watched:
        watched.setattr(fold, "pass_quietly", noted)
        quietly = list(_minutes(block))
    monkeypatch.setattr(fold, "pass_quietly", lambda *_: None)
    for minute, (ours, folded) in enumerate(zip(quietly, _minutes(block), strict=True)):
        assert ours == folded, f"minute {minute}"
    assert 100 < sum(passed) < 190
