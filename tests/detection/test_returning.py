"""The end of a short improvement is no alarm, and anything worse than before it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.signal import lfilter

from auditor.detection.episodes import Episodes
from auditor.detection.findings import CRITICAL, INFO, Side
from auditor.detection.fold import judge
from auditor.detection.hours import History, Part
from auditor.detection.policy import Policy
from auditor.detection.returning import returning
from auditor.detection.signals import AT, SIGNALS
from tests.detection.simulated import FIRST_MINUTE, Course, windows

if TYPE_CHECKING:
    from auditor.detection.judgement import Observation

DAY = 1440
HOUR = 60
POLICY = Policy()
FIRST_HOUR = FIRST_MINUTE // 60
NOW = FIRST_HOUR + 8 * 24 + 12


def history(metric: str, levels: list[float | None]) -> History:
    """Eight and a half days of hours; at this hour of the days before, yesterday first, the metric was at these levels."""
    parts = np.full((8 * 24 + 12, len(SIGNALS), len(Part)), np.nan, dtype=np.float32)
    for back, level in enumerate(levels, start=1):
        if level is not None:
            parts[NOW - 24 * back - FIRST_HOUR, AT[metric], Part.LEVEL] = level
    peaks = History.empty().peaks
    return History(FIRST_HOUR, parts, peaks, Episodes.none())


def level_of(
    metric: str, value: float, expected: float, before: list[float | None], direction: str = "drop"
) -> int:
    """The level that a critical finding keeps."""
    link = np.full((len(SIGNALS), 1), np.nan)
    link[AT[metric]] = _link(metric, expected)
    side = Side(
        metric,
        "rise" if direction == "rise" else "drop",
        np.array([CRITICAL], dtype=np.int8),
        np.array([1e-9]),
        np.array([value]),
        np.array([expected]),
        np.zeros(1, dtype=np.int8),
        np.ones(1, dtype=np.bool_),
    )
    known = [None if level is None else _link(metric, level) for level in before]
    (found,) = returning([side], lambda: history(metric, known), link, np.array([NOW * 60 + 7]), POLICY)
    told = found.at(0)
    assert bool(told.get("returned")) is (told["level"] == INFO)
    return int(told["level"])


def _link(metric: str, value: float) -> float:
    return float(np.log(value / (1.0 - value)) if metric == "hit_rate" else np.log(value))


def test_a_hit_rate_that_falls_back_to_that_of_the_days_before_is_an_info() -> None:
    assert level_of("hit_rate", 0.70, 0.85, [0.70] * 7) == INFO


def test_a_latency_that_rises_to_that_of_the_days_before_is_an_info() -> None:
    assert level_of("avg_response_time_ms", 100.0, 50.0, [95.0] * 7, "rise") == INFO


@pytest.mark.parametrize(
    ("value", "before"),
    [
        pytest.param(0.60, [0.70] * 7, id="worse than before by as much as matters"),
        pytest.param(0.70, [0.85, *[0.70] * 6], id="better since yesterday"),
        pytest.param(0.70, [0.70, 0.70], id="two days known"),
        pytest.param(0.70, [0.84] * 7, id="never so bad"),
        pytest.param(0.70, [], id="nothing known"),
    ],
)
def test_everything_else_keeps_its_level(value: float, before: list[float | None]) -> None:
    assert level_of("hit_rate", value, 0.85, before) == CRITICAL


def test_a_day_that_was_left_out_of_learning_is_passed_over() -> None:
    assert level_of("hit_rate", 0.70, 0.85, [None, *[0.70] * 6]) == INFO


def test_a_worse_window_is_never_judged_better() -> None:
    found = [level_of("hit_rate", value, 0.85, [0.70] * 7) for value in np.linspace(0.84, 0.05, 80)]
    assert found == sorted(found)


def pages_after(
    hours: int, *, drift: float = 0.0, factor: float = 0.4, then: float = 1.0
) -> list[Observation]:
    """What pages within a day and a half of the end of a faster backend on the ninth day; latency goes up and down by itself, too."""
    start = 8 * DAY + 10 * HOUR
    end = start + hours * HOUR
    rng = np.random.default_rng(2)

    def fault(plan: Course) -> None:
        count = len(plan.miss_ms)
        steps = rng.normal(size=count // HOUR + 1) * drift * np.sqrt(1 - 0.97**2)
        plan.miss_ms *= np.exp(np.repeat(lfilter([1.0], [1.0, -0.97], steps), HOUR)[:count])
        plan.miss_ms[start:end] *= factor
        plan.miss_ms[end:] *= then

    block = windows(10 * DAY + 12 * HOUR, seed=3, fault=fault)
    state, found = None, dict[str, "Observation"]()
    for at in range(0, len(block), DAY):
        judgement = judge(state, block.slice(at, min(at + DAY, len(block))), POLICY)
        state = judgement.state
        found |= {told.fingerprint: told for told in judgement.observations}
    return [
        told
        for told in found.values()
        if told.severity != "info" and told.timestamp_minute >= FIRST_MINUTE + end
    ]


def test_after_an_afternoon_of_a_faster_backend_its_usual_pace_pages_nobody() -> None:
    assert pages_after(4, drift=0.12) == []


def test_nor_does_the_normal_of_the_day_after() -> None:
    assert pages_after(14) == []


def test_what_is_slower_than_it_ever_was_does() -> None:
    first, *_ = pages_after(4, drift=0.12, then=2.5)
    assert first.metric_name in {"avg_response_time_ms", "p95_response_time_ms", "p99_response_time_ms"}
