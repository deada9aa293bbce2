"""One chunk of windows read against the profile: tests, findings, the ledger's columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.accumulation import Flow, flow_of
from auditor.detection.budget import alpha_of, levels_of
from auditor.detection.catalogue import CATALOGUE
from auditor.detection.evidence import scale_of
from auditor.detection.findings import Side, find, silence_probability
from auditor.detection.intervals import interval_of, span_interval, window_interval
from auditor.detection.judgement import Scores
from auditor.detection.load import RESPONDING
from auditor.detection.mix import lookups_of
from auditor.detection.response import by_lookups
from auditor.detection.scoring import PROPORTIONS, Sequences, score
from auditor.detection.signals import AT
from auditor.detection.tails.calibrated import slowed
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tails.two_sided import two_sided
from auditor.detection.tested import Test

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.detection.budget import Levels
    from auditor.detection.policy import Policy
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.signals import Signals
    from auditor.detection.tested import Tested
    from auditor.detection.windows import Floats, WindowBlock

SILENT_MINUTES: Final = 2
"""Minutes without a row before silence is anything: one may be a hiccup of the collector."""


@dataclass(frozen=True)
class Reading:
    """What the tests say of n windows.

    Parameters
    ----------
    tests
        `Tested` by signal; empty while learning.
    sides
        The findings.
    levels
        How surprising each test has to be; None while learning.
    scores
        The ledger's columns for every metric of the catalogue.
    absent_run
        Shape (n,): minutes without a row up to and with each window, 0 where it is there.
    silence
        Shape (n,): the probability of that run; 1 where the window is there.
    silent
        Shape (n,): whether it is a finding.
    traffic
        Shape (n,): operations expected.
    lead, signals, whole, link
        How many windows come before these in `signals`, in `whole` and in `link`, the expectations (None while learning).
    alpha
        The share of the budget of one test of one minute.
    """

    tests: dict[str, Tested]
    sides: list[Side]
    levels: Levels | None
    scores: dict[str, Scores]
    absent_run: Floats
    silence: Floats
    silent: np.typing.NDArray[np.bool_]
    traffic: Floats
    lead: int
    signals: Signals
    whole: WindowBlock
    link: Floats | None
    alpha: float

    @cached_property
    def flow(self) -> Flow | None:
        """Observed and expected signals of the windows; None while learning."""
        if self.link is None:
            return None
        end = len(self.whole)
        link = self.link[:, self.lead :].copy()
        for name in RESPONDING:
            # what the lookups explain is no part of the picture of a cause
            if name in self.tests and self.tests[name].fewer is not None:
                link[AT[name]] = self.tests[name].centre
        return flow_of(
            link,
            self.whole.slice(self.lead, end),
            self.signals.slice(self.lead, end),
        )

    @cached_property
    def hit_rate(self) -> Floats | None:
        """The expected hit rate of all windows, those before these too; None while learning."""
        return None if self.link is None else 1.0 / (1.0 + exact_exp(-self.link[AT["hit_rate"]]))

    @cached_property
    def improbable(self) -> np.typing.NDArray[np.bool_]:
        """Shape (n,): where a test rejects, however small the effect."""
        found = np.zeros(len(self.absent_run), dtype=np.bool_)
        for side in self.sides:
            found |= side.improbable
        return found

    def finding(self, side: Side, i: int) -> dict[str, Any]:
        """The finding of window i, with its interval, as plain JSON on the metric's own scale."""
        assert self.levels is not None
        tested = self.tests[side.metric]
        test = Test(int(side.test[i]))
        found = side.at(i)
        # a sequence has no interval of its own: it shows that of the quarter of an hour it ends with
        shown = Test.QUARTER if test is Test.SEQUENCE else test
        alpha = 2.0 * math.exp(-self.levels.of(side.metric, shown))
        if shown is Test.WINDOW:
            lower, upper = window_interval(tested, side.metric, alpha, i)
            weight = tested.weight
        else:
            lower, upper = span_interval(tested, side.metric, alpha, i, shown)
            weight = tested.spans[shown].weight
        return found | {
            "lower": lower if np.isfinite(lower) else None,
            "upper": upper if np.isfinite(upper) else None,
            "p_value": min(1.0, 2.0 * found["p"]),
            "n": float(weight[i]),
            "method": f"{_method(side.metric)}, {_OVER[test]}",
        }


_OVER: Final = {
    Test.WINDOW: "one window",
    Test.FEW: "four windows",
    Test.QUARTER: "fifteen minutes",
    Test.SEQUENCE: "summed up since the change",
}


def read(
    profile: Profile | None,
    whole: WindowBlock,
    signals: Signals,
    outlook: Outlook | None,
    lead: int,
    before: Before,
    policy: Policy,
) -> Reading:
    """Read windows `lead`.. of `whole` against the profile; see `Reading`.

    `signals` are those of `whole`, masked where a window is absent or broken; `outlook`, of shape (signals, len(whole)), is what
    was expected of them, None (and the profile None) while learning.
    """
    count = len(whole) - lead
    absent_run = _runs(~whole.present[lead:], before.absent_run)
    alpha = alpha_of(policy)
    if profile is None or outlook is None:
        blank = {metric.name: _blank(count) for metric in CATALOGUE}
        nothing, never = np.ones(count), np.zeros(count, dtype=np.bool_)
        return Reading(
            {}, [], None, blank, absent_run, nothing, never, nothing, lead, signals, whole, None, alpha
        )
    levels = levels_of(profile, policy)
    link = outlook.link
    sequences = Sequences(before.sequences, levels.most_evidence())
    tests = score(profile, signals, outlook, lead, sequences)
    tests = by_lookups(profile, signals, outlook, lead, sequences, tests)
    traffic = exact_exp(link[AT["throughput"]])[lead:]
    absent = absent_run > 0
    silence = np.ones(count)
    if absent.any():
        heard = exact_exp(lookups_of(profile, link))[lead:]
        silence[absent] = silence_probability(
            profile, heard[absent], outlook.drift[AT["throughput"]][lead:][absent], absent_run[absent]
        )
    scores = {metric.name: _scores(tests, metric.name, count, levels) for metric in CATALOGUE}
    scores["silence"] = Scores(
        np.where(absent, 0.0, np.nan),
        np.where(absent, traffic, np.nan),
        np.where(absent, silence, np.nan),
        (partial(_no_bounds, count),),
    )
    return Reading(
        tests=tests,
        sides=find(profile, tests, levels, policy),
        levels=levels,
        scores=scores,
        absent_run=absent_run,
        silence=silence,
        silent=(absent_run >= SILENT_MINUTES) & (silence <= alpha),
        traffic=traffic,
        lead=lead,
        signals=signals,
        whole=whole,
        link=link,
        alpha=alpha,
    )


@dataclass(frozen=True, slots=True)
class Before:
    """What came just before the windows: minutes without a row, and where the sequential tests stood."""

    absent_run: int
    sequences: Mapping[str, tuple[float, float]]


def _runs(absent: np.typing.NDArray[np.bool_], before: int) -> Floats:
    """Minutes without a row up to and with each window; `before` of them lie before the first."""
    at = np.arange(1, len(absent) + 1)
    last_there = np.maximum.accumulate(np.where(absent, -before, at))
    return np.where(absent, at - last_there, 0).astype(np.float64)


def _blank(count: int) -> Scores:
    nothing = np.full(count, np.nan)
    return Scores(nothing, nothing, nothing, (partial(_no_bounds, count),))


def _no_bounds(count: int) -> tuple[Floats, Floats]:
    return np.full(count, np.nan), np.full(count, np.nan)


def _scores(tests: dict[str, Tested], name: str, count: int, levels: Levels) -> Scores:
    tested = tests.get(name)
    if tested is None:
        return _blank(count)
    scale, level = scale_of(name), levels.of(name, Test.WINDOW)
    return Scores(
        tested.value * scale,
        tested.expected * scale,
        slowed(two_sided(tested.low, tested.high), level, levels.nominal),
        (interval_of(tested, name, 2.0 * math.exp(-level), scale),),
    )


def _method(metric: str) -> str:
    if metric in PROPORTIONS:
        return "beta-binomial predictive tail"
    if metric == "throughput":
        return "negative binomial predictive tail"
    return "Student t predictive tail of the logarithm"
