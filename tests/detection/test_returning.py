"""The end of a short improvement is no alarm, and anything worse than before it is."""

from __future__ import annotations

from dataclasses import replace
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
from auditor.detection.state import Memory
from tests.detection.simulated import FIRST_MINUTE, Course, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.judgement import Observation, State
    from auditor.detection.signature import Direction
    from auditor.detection.windows import WindowBlock

DAY = 1440
HOUR = 60
POLICY = Policy()
FIRST_HOUR = FIRST_MINUTE // 60
NOW = FIRST_HOUR + 8 * 24 + 12
KNOWN = judge(None, windows(8 * DAY, seed=3), POLICY).state
PROFILE = Memory.from_json(KNOWN, "answers").profile


def level_of(
    metric: str,
    value: float,
    expected: float,
    levels: Callable[[int], float],
    *,
    direction: Direction = "drop",
    half_life: float = 4.0,
) -> int:
    """The level that a critical finding keeps, where the metric was at `levels` so many hours before."""
    assert PROFILE is not None
    at = AT[metric]
    profile = replace(
        PROFILE,
        half_life=np.full(len(SIGNALS), half_life),
        drift=np.full(len(SIGNALS), 0.1),
        season=np.zeros_like(PROFILE.season),
        week=np.zeros_like(PROFILE.week),
    )
    parts = np.full((NOW - FIRST_HOUR, len(SIGNALS), len(Part)), np.nan, dtype=np.float32)
    parts[:, at, Part.LEVEL] = [_link(metric, levels(NOW - FIRST_HOUR - i)) for i in range(len(parts))]
    history = History(FIRST_HOUR, parts, History.empty().peaks, Episodes.none())
    side = Side(
        metric,
        direction,
        np.array([CRITICAL], dtype=np.int8),
        np.array([1e-9]),
        np.array([value]),
        np.array([expected]),
        np.zeros(1, dtype=np.int8),
        np.ones(1, dtype=np.bool_),
    )
    (found,) = returning([side], profile, lambda: history, np.array([NOW * 60 + 7]), POLICY)
    told = found.at(0)
    assert bool(told.get("returned")) is (told["level"] == INFO)
    return int(told["level"])


def _link(metric: str, value: float) -> float:
    return float(np.log(value / (1.0 - value)) if metric == "hit_rate" else np.log(value))


def better_since(hours: int, before: float, since: float) -> Callable[[int], float]:
    """One level, and another in the last hours."""
    return lambda ago: since if ago <= hours else before


def test_a_hit_rate_that_falls_back_to_what_it_was_is_an_info() -> None:
    assert level_of("hit_rate", 0.72, 0.81, better_since(8, 0.70, 0.85)) == INFO


def test_a_latency_that_rises_to_what_it_was_is_an_info() -> None:
    metric = "avg_response_time_ms"
    assert level_of(metric, 95.0, 58.0, better_since(8, 95.0, 50.0), direction="rise") == INFO


@pytest.mark.parametrize(
    ("value", "levels"),
    [
        pytest.param(0.60, better_since(8, 0.70, 0.85), id="worse than before by as much as matters"),
        pytest.param(0.72, better_since(70, 0.70, 0.85), id="better for three days"),
        pytest.param(0.72, better_since(0, 0.85, 0.85), id="never so bad"),
        pytest.param(0.72, lambda ago: 0.85 if ago <= 8 else float("nan"), id="hardly known"),
    ],
)
def test_everything_else_keeps_its_level(value: float, levels: Callable[[int], float]) -> None:
    assert level_of("hit_rate", value, 0.81, levels) == CRITICAL


def test_hours_that_were_left_out_of_learning_are_passed_over() -> None:
    def levels(ago: int) -> float:
        return 0.85 if ago <= 8 else 0.70 if ago % 3 else float("nan")

    assert level_of("hit_rate", 0.72, 0.81, levels) == INFO


def test_a_worse_window_is_never_judged_better() -> None:
    levels = better_since(8, 0.70, 0.85)
    found = [level_of("hit_rate", value, 0.81, levels) for value in np.linspace(0.80, 0.05, 80).tolist()]
    assert found == sorted(found)


def faster(hours: int, *, drift: float = 0.0, then: float = 1.0) -> WindowBlock:
    """A backend that is faster for some hours of the ninth day; its latency goes up and down by itself, too."""
    start = 8 * DAY + 10 * HOUR
    end = start + hours * HOUR
    rng = np.random.default_rng(101)

    def fault(plan: Course) -> None:
        count = len(plan.miss_ms)
        steps = rng.normal(size=count // HOUR + 1) * drift * np.sqrt(1 - 0.97**2)
        plan.miss_ms *= np.exp(np.repeat(lfilter([1.0], [1.0, -0.97], steps), HOUR)[:count])
        plan.miss_ms[start:end] *= 0.4
        plan.miss_ms[end:] *= then

    return windows(10 * DAY + 12 * HOUR, seed=3, fault=fault)


def judged(block: WindowBlock, *ends: int) -> tuple[State, dict[str, Observation]]:
    state, found, start = None, dict[str, "Observation"](), 0
    for end in (*ends, len(block)):
        judgement = judge(state, block.slice(start, end), POLICY)
        state, start = judgement.state, end
        found |= {told.fingerprint: told for told in judgement.observations}
    assert state is not None
    return state, found


def pages_after(hours: int, *, drift: float = 0.0, then: float = 1.0) -> list[Observation]:
    """What pages within a day and a half of the end of a faster backend."""
    end = FIRST_MINUTE + 8 * DAY + (10 + hours) * HOUR
    _, found = judged(faster(hours, drift=drift, then=then))
    return [told for told in found.values() if told.severity != "info" and told.timestamp_minute >= end]


def test_after_an_afternoon_of_a_faster_backend_its_usual_pace_pages_nobody() -> None:
    assert pages_after(4, drift=0.12) == []


def test_nor_does_the_normal_of_the_day_after() -> None:
    assert pages_after(14) == []


def test_what_is_slower_than_it_ever_was_does() -> None:
    first, *_ = pages_after(4, drift=0.12, then=2.5)
    assert first.metric_name in {"avg_response_time_ms", "p95_response_time_ms", "p99_response_time_ms"}


def test_it_is_the_same_however_the_windows_are_split() -> None:
    block = faster(4, drift=0.12)
    end = 8 * DAY + 14 * HOUR
    whole = judged(block)
    assert any(told.evidence.get("returned") for told in whole[1].values())
    assert judged(block, 8 * DAY, end - 7, *range(end, end + 90), end + 200) == whole
    assert judged(block, *range(DAY, len(block), 150)) == whole
