"""One chunk of windows read against the profile: tests, findings, the ledger's columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.accumulation import Flow, flow_of
from auditor.detection.catalogue import CATALOGUE
from auditor.detection.evidence import scale_of
from auditor.detection.findings import Side, alpha_of, find, silence_probability
from auditor.detection.judgement import Scores
from auditor.detection.scoring import PROPORTIONS, Tested, interval, score, span_interval
from auditor.detection.signals import AT
from auditor.detection.tails.calibrated import inflated
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tails.two_sided import two_sided

if TYPE_CHECKING:
    from auditor.detection.policy import Policy
    from auditor.detection.profile import Profile
    from auditor.detection.signals import Signals
    from auditor.detection.windows import Floats, WindowBlock

SILENT_MINUTES: Final = 2
"""Minutes without a row before silence is anything: one may be a hiccup of the collector."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the tests say of n windows.

    Parameters
    ----------
    tests
        `Tested` by signal; empty while learning.
    sides
        The findings.
    scores
        The ledger's columns for every metric of the catalogue.
    flow
        Observed and expected signals; None while learning.
    absent_run
        Shape (n,): minutes without a row up to and with each window, 0 where it is there.
    silence
        Shape (n,): the probability of that run; 1 where the window is there.
    silent
        Shape (n,): whether it is a finding.
    lead, signals, hit_rate
        How many windows come before these in `signals`, and the expected hit rate of all of them (None while learning).
    """

    tests: dict[str, Tested]
    sides: list[Side]
    scores: dict[str, Scores]
    flow: Flow | None
    absent_run: Floats
    silence: Floats
    silent: np.typing.NDArray[np.bool_]
    traffic: Floats
    lead: int
    signals: Signals
    hit_rate: Floats | None
    alpha: float

    def finding(self, side: Side, i: int) -> dict[str, Any]:
        """The finding of window i, with its interval, as plain JSON on the metric's own scale."""
        tested = self.tests[side.metric]
        by_span = bool(side.by_span[i])
        found = side.at(i)
        if by_span:
            lower, upper = span_interval(tested, side.metric, self.alpha, i)
        else:
            scores, scale = self.scores[side.metric], scale_of(side.metric)
            lower, upper = float(scores.lower[i]) / scale, float(scores.upper[i]) / scale
        weight = tested.span_weight if by_span else tested.weight
        return found | {
            "lower": lower if np.isfinite(lower) else None,
            "upper": upper if np.isfinite(upper) else None,
            "p_value": min(1.0, 2.0 * found["p"]),
            "n": float(weight[i]),
            "method": f"{_method(side.metric)}, {'fifteen minutes' if by_span else 'one window'}",
        }


def read(
    profile: Profile | None,
    whole: WindowBlock,
    signals: Signals,
    lead: int,
    absent_before: int,
    policy: Policy,
) -> Reading:
    """Read windows `lead`.. of `whole` against the profile; see `Reading`.

    `signals` are those of `whole`, masked where a window is absent or broken; `absent_before` counts the minutes without a
    row that end just before window `lead`.
    """
    count = len(whole) - lead
    absent_run = _runs(~whole.present[lead:], absent_before)
    alpha = alpha_of(policy)
    if profile is None:
        blank = {metric.name: _blank(count) for metric in CATALOGUE}
        nothing, never = np.ones(count), np.zeros(count, dtype=np.bool_)
        return Reading({}, [], blank, None, absent_run, nothing, never, nothing, lead, signals, None, alpha)
    minutes = whole.first_minute + np.arange(len(whole))
    tests = score(profile, signals, minutes, lead)
    link = profile.expected_link(minutes)
    traffic = exact_exp(link[AT["throughput"]])[lead:]
    silence = silence_probability(profile, traffic, absent_run)
    silent = (absent_run >= SILENT_MINUTES) & (silence <= alpha)
    scores = {metric.name: _scores(profile, tests, metric.name, count, alpha) for metric in CATALOGUE}
    absent = absent_run > 0
    scores["silence"] = Scores(
        np.where(absent, 0.0, np.nan),
        np.where(absent, traffic, np.nan),
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.where(absent, silence, np.nan),
    )
    chunk = whole.slice(lead, len(whole))
    return Reading(
        tests=tests,
        sides=find(profile, tests, policy),
        scores=scores,
        flow=flow_of(profile, chunk, signals.slice(lead, len(whole)), minutes[lead:]),
        absent_run=absent_run,
        silence=silence,
        silent=silent,
        traffic=traffic,
        lead=lead,
        signals=signals,
        hit_rate=1.0 / (1.0 + exact_exp(-link[AT["hit_rate"]])),
        alpha=alpha,
    )


def _runs(absent: np.typing.NDArray[np.bool_], before: int) -> Floats:
    run = np.zeros(len(absent))
    length = before
    for i, gone in enumerate(absent.tolist()):
        length = length + 1 if gone else 0
        run[i] = length
    return run


def _blank(count: int) -> Scores:
    return Scores(*(np.full(count, np.nan) for _ in range(5)))


def _scores(profile: Profile, tests: dict[str, Tested], name: str, count: int, alpha: float) -> Scores:
    tested = tests.get(name)
    if tested is None:
        return _blank(count)
    scale = scale_of(name)
    lower, upper = interval(tested, name, alpha)
    p = two_sided(
        inflated(tested.low, profile.inflation[AT[name]]), inflated(tested.high, profile.inflation[AT[name]])
    )
    return Scores(tested.value * scale, tested.expected * scale, lower * scale, upper * scale, p)


def _method(metric: str) -> str:
    if metric in PROPORTIONS:
        return "beta-binomial predictive tail"
    if metric == "throughput":
        return "negative binomial predictive tail"
    return "Student t predictive tail of the logarithm"
