"""From the false-alarm budget to the level of every test: how surprising something has to be on this cache.

The budget is spent by the hour: B alarms a week are B / 168 an hour. Within an hour the tests of a cache share it by the number of independent
tests that they are worth, as the history shows, so that metrics and spans that move together are not paid for twice; and each
test's level is what its own hourly maxima exceed with the probability that is left (`tails.calibrated`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.catalogue import CATALOGUE
from auditor.detection.signals import AT, SIGNALS
from auditor.detection.tails.calibrated import (
    model_threshold,
    multiplicity_of,
    rarity,
    tail_levels,
    tails_from_block_maxima,
)
from auditor.detection.tails.elementary import bare_log
from auditor.detection.tested import METRICS, ROW, SEQUENCES, Test

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.detection.policy import Policy
    from auditor.detection.profile import Profile
    from auditor.detection.signature import Direction
    from auditor.detection.tested import Tested
    from auditor.detection.windows import Floats

MINUTES_A_WEEK: Final = 10_080
HOURS_A_WEEK: Final = 168

CALIBRATED: Final[Mapping[str, tuple[Direction, ...]]] = {
    "hit_rate": ("drop", "rise"),
    "error_rate": ("rise",),
    "eviction_rate": ("rise",),
    "throughput": ("drop", "rise"),
    "avg_response_time_ms": ("drop", "rise"),
    "p95_response_time_ms": ("drop", "rise"),
    "p99_response_time_ms": ("drop", "rise"),
    "cache_size": ("drop", "rise"),
    "avg_hit_response_time_ms": ("rise",),
}
"""The metrics that have findings, and on which side: they share the budget, infos like pages."""
_RISING: Final = [ROW[name] for name, directions in CALIBRATED.items() if directions == ("rise",)]
_NO_FALLS: Final = np.array([math.inf if row in _RISING else 0.0 for row in range(len(METRICS))])
_OF_SEQUENCES: Final = [ROW[name] for name in SEQUENCES]
PRIOR_TESTS: Final = 12.0
"""How many independent tests the tests of an hour are believed to be worth before any hour has shown it."""
PRIOR_SCALE: Final = 1.2
PRIOR_SCALE_OF_LATENCIES: Final = 1.7
"""What a tail's scale is believed to be at first: a model that is right has 1, and latencies are rarely as tame as any model."""
MODEL_THRESHOLDS: Final[Mapping[Test, float]] = {
    Test.WINDOW: model_threshold(60),
    Test.FEW: model_threshold(30),
    Test.QUARTER: model_threshold(10),
    Test.SEQUENCE: model_threshold(6),
}
"""Of spans and sequences by how many of an hour's are independent, roughly."""
_PRIOR_TAILS: Final = np.array(
    [
        [
            (MODEL_THRESHOLDS[test], PRIOR_SCALE_OF_LATENCIES if name.endswith("_ms") else PRIOR_SCALE, 0.0)
            for test in Test
        ]
        for name in SIGNALS
    ]
)
_SHARING: Final = np.array([[name in CALIBRATED] for name in SIGNALS])
SLACK: Final = 1.0
"""How far beyond its level the evidence of a sequence may grow: eight minutes later it is forgotten."""
CAUTION: Final = 0.01
"""How near to its level a surprise may be something: the exact comparison is that of `findings`."""
LEAST_P: Final = 1e-300


@dataclass(frozen=True)
class Levels:
    """How surprising a test has to be.

    Parameters
    ----------
    level
        Shape (signals, tests): the surprise (-ln p, or a log e-value) at which a test rejects.
    nominal
        What it would be if each test of each minute had the same share (Bonferroni).
    """

    level: Floats
    nominal: float

    def of(self, name: str, test: Test) -> float:
        """The level of a metric's test."""
        return float(self.level[AT[name], test])

    @cached_property
    def of_metrics(self) -> Floats:
        """The levels of the tested metrics, shape (tests, metrics)."""
        return np.ascontiguousarray(self.level[[AT[name] for name in METRICS]].T)

    @cached_property
    def alpha(self) -> Floats:
        """The same as probabilities."""
        return np.array([[math.exp(-level) for level in row] for row in self.of_metrics.tolist()])

    @cached_property
    def of_sequences(self) -> Floats:
        """The levels of the sequences, shape (sequences, 1)."""
        return np.array([[self.of(name, Test.SEQUENCE)] for name in SEQUENCES])

    @cached_property
    def of_intervals(self) -> list[float]:
        """The share of windows that each metric's interval leaves out."""
        return [2.0 * math.exp(-level) for level in self.of_metrics[Test.WINDOW].tolist()]

    @cached_property
    def most_evidence(self) -> dict[str, float]:
        """How far the evidence of each metric's sequence may grow."""
        return {name: self.of(name, Test.SEQUENCE) + SLACK for name in SIGNALS}


def alpha_of(policy: Policy) -> float:
    """The probability that one test of one minute may be wrong with, were the budget split evenly over all of a week (Bonferroni)."""
    return policy.false_alarms_per_week / (MINUTES_A_WEEK * 2 * len(CATALOGUE))


def levels_of(profile: Profile, policy: Policy) -> Levels:
    """The level of every test, from the budget and from what the cache's own hours have shown."""
    share = policy.false_alarms_per_week / HOURS_A_WEEK / profile.multiplicity
    level = tail_levels(profile.tails, share)
    return Levels(level, -math.log(alpha_of(policy)))


def learn_tails(peaks: Floats) -> tuple[Floats, float]:
    """Fit the tail of every test, and how many independent tests they are worth together.

    Parameters
    ----------
    peaks
        Shape (hours, signals, tests): the largest surprise of each hour; NaN where nothing was judged.

    Returns
    -------
    tails, multiplicity
        Threshold, scale and shape of each test, shape (signals, tests, 3); and at least 1.
    """
    tails = _PRIOR_TAILS.copy()
    by_hour = peaks.transpose(1, 2, 0)
    judged = np.isfinite(by_hour).any(axis=2)
    if judged.any():
        prior = tails[judged]
        tails[judged] = tails_from_block_maxima(by_hour[judged], prior[:, 0], prior[:, 1])
    shown = judged & _SHARING
    if not shown.any():
        return tails, PRIOR_TESTS
    rarest = np.fmax.reduce(rarity(tails[shown][:, None], by_hour[shown]), axis=0)
    return tails, multiplicity_of(rarest, PRIOR_TESTS)


def surprises(tested: Tested) -> Floats:
    """How surprising each test finds each window on the side that alarms, shape (tests, metrics, n); NaN where not tested."""
    return _surprises(_of_windows(tested), tested)


def largest_surprises(tested: Tested, starts: list[int]) -> Floats:
    """The largest of the `surprises` of each run of windows, which begin at `starts`; shape (tests, metrics, runs)."""
    if len(starts) == tested.value.shape[1]:
        return surprises(tested)
    return _surprises(np.fmin.reduceat(_of_windows(tested), starts, axis=2), tested, starts)


def _of_windows(tested: Tested) -> Floats:
    """The p-values on the side that alarms, shape (tests but the sequences, metrics, n)."""
    return np.asarray(np.fmin(tested.low + _NO_FALLS[:, None], tested.high))


def _surprises(p: Floats, tested: Tested, starts: list[int] | None = None) -> Floats:
    surprise = np.empty((len(Test), *p.shape[1:]))
    np.negative(bare_log(np.maximum(p, LEAST_P)), out=surprise[: Test.SEQUENCE])
    surprise[Test.SEQUENCE] = np.nan
    falls, rises = tested.evidence if starts is None else np.fmax.reduceat(tested.evidence, starts, axis=2)
    for at, row in enumerate(_OF_SEQUENCES):
        if tested.learned[at]:
            surprise[Test.SEQUENCE, row] = rises[at] if row in _RISING else np.fmax(falls[at], rises[at])
    return surprise


def surprises_of_one(
    low: list[list[float]],
    high: list[list[float]],
    falls: list[float],
    rises: list[float],
    learned: list[bool],
) -> Floats:
    """`surprises` of one window, shape (tests, metrics): by the lists of its tails (tests, metrics), and of the evidence."""
    surprise = np.empty((len(Test), len(METRICS)))
    tails = np.array([low, high])
    p = np.fmin(tails[0] + _NO_FALLS, tails[1])
    np.negative(bare_log(np.maximum(p, LEAST_P)), out=surprise[: Test.SEQUENCE])
    of_sequences = [math.nan] * len(METRICS)
    for row, fall, rise, told in zip(_OF_SEQUENCES, falls, rises, learned, strict=True):
        if told:
            of_sequences[row] = rise if row in _RISING else max(fall, rise)
    surprise[Test.SEQUENCE] = of_sequences
    return surprise
