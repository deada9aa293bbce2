"""What the tests of the metrics say of each window: alone, with the few minutes before it, and in sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.detection.windows import Floats


class Test(IntEnum):
    """The tests of one metric in one direction."""

    WINDOW = 0
    FEW = 1
    """The four windows that end with this one."""
    QUARTER = 2
    """The quarter of an hour that ends with it."""
    SEQUENCE = 3
    """All the evidence since it was last spent."""


SPANS: Final = (Test.FEW, Test.QUARTER)
WIDTH: Final[Mapping[Test, int]] = {Test.WINDOW: 1, Test.FEW: 4, Test.QUARTER: 15}
"""Windows in a span."""
LEAST_KNOWN: Final[Mapping[Test, int]] = {Test.FEW: 3, Test.QUARTER: 8}
"""Windows of a span that must say something."""
LEAD: Final = max(WIDTH.values()) - 1
"""Windows before the first that its spans reach back to."""

METRICS: Final = (
    "hit_rate",
    "error_rate",
    "eviction_rate",
    "throughput",
    "avg_response_time_ms",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "cache_size",
    "avg_hit_response_time_ms",
)
"""The metrics that are tested in every window, in the order of their rows in `Tested`: proportions, the count, gauges, and the hits' latency."""
SEQUENCES: Final = ("hit_rate", "error_rate", "avg_response_time_ms")
"""Metrics in which a small change that lasts is looked for."""
ROW: Final = {name: row for row, name in enumerate(METRICS)}


@dataclass(frozen=True, slots=True)
class Shown:
    """What one test of one metric looked at; every array has shape (n,).

    `value` and `expected` are on the metric's own scale, NaN where too little is known; `weight` is the operations behind
    them, `variance` the part that is not counting, `windows` how many windows said something.
    """

    value: Floats
    expected: Floats
    weight: Floats
    variance: Floats
    windows: Floats

    def at(self, which: np.typing.NDArray[np.intp] | np.typing.NDArray[np.bool_]) -> Shown:
        """What it looked at of some of the windows."""
        parts = (self.value, self.expected, self.weight, self.variance, self.windows)
        return Shown(*(part[which] for part in parts))


@dataclass(frozen=True, slots=True)
class Family:
    """The metrics of one family tested, a row each; see `Tested`, which is made of families.

    `there`, of shape (rows, n), is where there is evidence: what the other arrays hold of windows elsewhere means nothing. `z`
    has the standardised residuals of the windows, `shared` a deviation of the drift in the same measure; `gathered` is what spans are sums of,
    arrays of shape (numbers, rows, lead + n); `span` gives what a span's test of a row looked at, `exact` the windows' exact tails, shape (rows, n) each.
    """

    there: np.typing.NDArray[np.bool_]
    value: Floats
    expected: Floats
    low: Floats
    high: Floats
    weight: Floats
    centre: Floats
    variance: Floats
    z: Floats
    shared: Floats
    gathered: tuple[Floats, ...]
    span: Callable[[Test, int], Shown]
    exact: Callable[[], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Tested:
    """The windows tested: arrays have shape (metrics, n), rows in the order of `METRICS`, NaN where there is no evidence.

    Parameters
    ----------
    value, expected
        In the metric's own scale: rates 0..1, counts, milliseconds, entries.
    tails
        One-sided p-values of something as low, and as high, shape (2, 3, metrics, n), by `Test`: of the window and of its spans. Within two
        deviations of what was expected they are the normal's. Those of a span are 1 where it is within one and a half deviations of that
        or its newest window lies on the other side of it: what is over is not news. Of a count the one that is above one half is not
        worked out, but told as the least that it can be.
    weight
        Operations behind the value.
    centre, variance
        Location of the predictive distribution on the link scale, and the part of its variance that is not counting.
    evidence
        Log e-values of a lasting fall, and of a rise, shape (2, sequences, n), by `SEQUENCES`; see `sequential`.
    learned
        Whether each of them has a learned normal.
    spans
        Gives what a span's test of a row looked at; asked for where there is something to say.
    exact
        Gives the tails of the windows, near and far, shape (2, metrics, n).
    parts
        Gives the average latency's parts, hits and misses, tested.
    doubts
        Gives how far on the link scale the operations may be off for want of knowing the nights and the days of the week, shape (2, n): below
        and above.
    gathered
        Gives what spans are sums of, for the last windows, the newest first: shape (up to 15, 44).
    fewer
        Where unusually few lookups leave a lower hit rate expected, shape (n,); None where they are nowhere unusual. See `response`.
    """

    value: Floats
    expected: Floats
    tails: Floats
    weight: Floats
    centre: Floats
    variance: Floats
    evidence: Floats
    learned: list[bool]
    spans: Callable[[Test, int], Shown]
    exact: Callable[[], Floats]
    parts: Callable[[], tuple[Family, ...]]
    doubts: Callable[[], Floats]
    gathered: Callable[[], Floats]
    fewer: np.typing.NDArray[np.bool_] | None = None
    _shown: dict[tuple[Test, str], Shown] = field(default_factory=dict, init=False)

    @property
    def low(self) -> Floats:
        """The first of `tails`."""
        return np.asarray(self.tails[0])

    @property
    def high(self) -> Floats:
        """The second of `tails`."""
        return np.asarray(self.tails[1])

    def shown(self, test: Test, name: str) -> Shown:
        """What a test of a metric looked at: of a sequence the quarter of an hour that it ends with, for it has no extent of its own."""
        test = Test.QUARTER if test is Test.SEQUENCE else test
        found = self._shown.get((test, name))
        if found is None:
            row = ROW[name]
            if test is Test.WINDOW:
                one = np.ones(self.value.shape[1])
                found = Shown(self.value[row], self.expected[row], self.weight[row], self.variance[row], one)
            else:
                found = self.spans(test, row)
            self._shown[test, name] = found
        return found

    @cached_property
    def of_parts(self) -> tuple[Family, ...]:
        """The learned ones of the average latency's parts, one row each."""
        return self.parts()

    @cached_property
    def doubtful(self) -> np.typing.NDArray[np.bool_]:
        """Where the operations are no further off than the doubt, which is then not nought; one is as good as none."""
        falls, rises = self.doubts()
        value, expected = self.value[ROW["throughput"]], self.expected[ROW["throughput"]]
        least = np.maximum(expected, 1e-12)
        within: np.typing.NDArray[np.bool_] = np.maximum(value, 1e-12) <= least * np.exp(rises)
        within &= value + 1.0 >= least * np.exp(-falls)
        within &= falls > 0.0
        return within
