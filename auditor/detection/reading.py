"""One chunk of windows read against the profile: tests, findings, the ledger's columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.accumulation import Flow, flow_of
from auditor.detection.budget import alpha_of
from auditor.detection.catalogue import CATALOGUE
from auditor.detection.evidence import scale_of
from auditor.detection.findings import Side, find, silence_probability
from auditor.detection.intervals import interval_of, shown_interval
from auditor.detection.judgement import Scores
from auditor.detection.load import RESPONDING
from auditor.detection.mix import lookups_of
from auditor.detection.once import Once
from auditor.detection.proportions import PROPORTIONS
from auditor.detection.recurrence import Strange, by_recurrence
from auditor.detection.response import gathered_of, unusual_lookups
from auditor.detection.scoring import Sequences, score, score_one
from auditor.detection.signals import AT
from auditor.detection.tails.elementary import bare_exp, bare_log, exact_exp
from auditor.detection.tails.two_sided import two_sided
from auditor.detection.tested import METRICS, ROW, SEQUENCES, Test

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.detection.budget import Levels
    from auditor.detection.episodes import Episodes
    from auditor.detection.policy import Policy
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.scoring import OneWindow
    from auditor.detection.signals import Signals
    from auditor.detection.tested import Tested
    from auditor.detection.windows import Floats, WindowBlock

_THROUGHPUT: Final = AT["throughput"]
_GETS: Final = AT["get_share"]
_LOOKUPS: Final = RESPONDING.index("hit_rate")
_SCALES: Final = np.array([[scale_of(name)] for name in METRICS])

SILENT_MINUTES: Final = 2
"""Minutes without a row before silence is anything: one may be a hiccup of the collector."""


@dataclass(frozen=True)
class Reading:
    """What the tests say of n windows.

    Parameters
    ----------
    tested
        What the tests say; None while learning.
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
    block
        The windows.
    lead, signals, outlook
        How many windows come before these in `signals` and in what `outlook` gives, the expectations (None while learning).
    alpha
        The share of the budget of one test of one minute.
    usual
        Shape (n,): where something would have warned, were it not usual at that time.
    strange
        Shape (n,): where something was found, usual or not, and so recorded.
    standing
        Where the sequential tests stand after the last window: of each metric that is learned, the log e-values of a fall and of a rise.
    episodes
        What was found strange so far, with these windows; None where nothing is new.
    """

    tested: Tested | None
    sides: list[Side]
    levels: Levels | None
    scores: dict[str, Scores]
    absent_run: Floats
    silence: Floats
    silent: np.typing.NDArray[np.bool_]
    traffic: Floats
    block: WindowBlock
    lead: int
    signals: Signals
    outlook: Callable[[], Outlook] | None
    alpha: float
    usual: np.typing.NDArray[np.bool_]
    strange: np.typing.NDArray[np.bool_]
    standing: dict[str, tuple[float, float]]
    episodes: Episodes | None

    @cached_property
    def link(self) -> Floats | None:
        """What was expected of all windows, those before these too, shape (signals, lead + n); None while learning."""
        return None if self.outlook is None else self.outlook().link

    @cached_property
    def flow(self) -> Flow | None:
        """Observed and expected signals of the windows; None while learning."""
        if self.link is None or self.tested is None:
            return None
        signals = self.signals.slice(self.lead, self.lead + len(self.block))
        link = self.link[:, self.lead :].copy()
        # what the lookups explain is no part of the picture of a cause
        for name in RESPONDING:
            link[AT[name]] = self.tested.centre[ROW[name]]
        return flow_of(link, self.block, signals)

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
        """The finding of window i, with its interval and the window's own value, as plain JSON on the metric's own scale."""
        assert self.levels is not None
        assert self.tested is not None
        test = Test(int(side.test[i]))
        shown = Test.QUARTER if test is Test.SEQUENCE else test
        alpha = 2.0 * math.exp(-self.levels.of(side.metric, shown))
        lower, upper = shown_interval(self.tested, side.metric, alpha, i, shown)
        weight = self.tested.shown(shown, side.metric).weight
        found = side.at(i)
        return found | {
            "lower": lower if np.isfinite(lower) else None,
            "upper": upper if np.isfinite(upper) else None,
            "p_value": min(1.0, 2.0 * found["p"]),
            "now": float(self.tested.shown(Test.WINDOW, side.metric).value[i]),
            "n": float(weight[i]),
            "method": f"{_method(side.metric)}, {_OVER[test]}",
        }


def _standing(tested: Tested) -> dict[str, tuple[float, float]]:
    falls, rises = tested.evidence[:, :, -1].tolist()
    known = zip(SEQUENCES, falls, rises, tested.learned, strict=True)
    return {name: (fall, rise) for name, fall, rise, learned in known if learned}


_OVER: Final = {
    Test.WINDOW: "one window",
    Test.FEW: "four windows",
    Test.QUARTER: "fifteen minutes",
    Test.SEQUENCE: "summed up since the change",
}


def read(
    profile: Profile | None,
    block: WindowBlock,
    signals: Signals,
    outlook: Callable[[], Outlook] | None,
    levels: Levels | None,
    lead: int,
    before: Before,
    policy: Policy,
    one: OneWindow | None = None,
) -> Reading:
    """Read the windows of a block against the profile; see `Reading`.

    `signals` are those of `lead` windows before it and its own, masked where a window is absent or broken; `outlook` gives what
    was expected of them, `levels` are those of the profile; all None while learning. `one` is given where a single window can be tested by itself.
    """
    absent_run = _runs(~block.present, before.absent_run)
    alpha = alpha_of(policy)
    if profile is None or outlook is None or levels is None:
        return _while_learning(block, signals, lead, absent_run, alpha)
    sequences = Sequences(before.sequences, levels.most_evidence)
    full = Once(lambda: score(profile, signals, outlook(), lead, sequences))
    tested = full() if one is None else score_one(one, signals, block.first_minute, sequences, full)
    traffic = bare_exp(outlook().link[_THROUGHPUT, lead:]) if one is None else one.traffic(block.first_minute)
    silence = _silence(profile, signals, outlook, block.first_minute, absent_run)
    silent = (absent_run >= SILENT_MINUTES) & (silence <= alpha)
    strange = Strange(tested, find(profile, tested, levels, policy), silent, absent_run)
    minutes = np.arange(block.first_minute, block.last_minute + 1)
    usual = by_recurrence(strange, minutes, before.episodes, profile, levels, policy)
    scores = scores_of(usual.tested, levels)
    if absent_run.any():
        scores["silence"] = _scores_of_silence(absent_run > 0.0, traffic, silence)
    return Reading(
        tested=usual.tested,
        sides=usual.sides,
        levels=levels,
        scores=scores,
        absent_run=absent_run,
        silence=silence,
        silent=usual.silent,
        traffic=traffic,
        block=block,
        lead=lead,
        signals=signals,
        outlook=outlook,
        alpha=alpha,
        usual=usual.explained,
        strange=usual.strange,
        standing=_standing(tested),
        episodes=usual.episodes,
    )


def _while_learning(
    block: WindowBlock, signals: Signals, lead: int, absent_run: Floats, alpha: float
) -> Reading:
    """What windows say before anything is known."""
    count = len(block)
    nothing, never = np.ones(count), np.zeros(count, dtype=np.bool_)
    return Reading(
        tested=None,
        sides=[],
        levels=None,
        scores={metric.name: _blank(count) for metric in CATALOGUE},
        absent_run=absent_run,
        silence=nothing,
        silent=never,
        traffic=nothing,
        block=block,
        lead=lead,
        signals=signals,
        outlook=None,
        alpha=alpha,
        usual=never,
        strange=never,
        standing={},
        episodes=None,
    )


def _silence(
    profile: Profile,
    signals: Signals,
    outlook: Callable[[], Outlook],
    first_minute: int,
    absent_run: Floats,
) -> Floats:
    """The probability of each run of minutes without a row, from `first_minute` on; 1 where the window is there."""
    silence, absent = np.ones(len(absent_run)), absent_run > 0.0
    if absent.any():
        lead = signals.value.shape[1] - len(absent_run)
        link, drift = outlook().link, outlook().drift[_THROUGHPUT, lead:]
        heard = exact_exp(lookups_of(profile, link))
        # a pause is judged by as few lookups as there were in the last hours, or in the last minutes
        hours = np.nan_to_num(outlook().short[_LOOKUPS, lead:])
        asked = gathered_of(signals.value[_GETS], heard[None])
        minutes, _ = unusual_lookups(asked, drift, profile.spread[_THROUGHPUT], lead)
        heard = heard[lead:] * exact_exp(np.minimum(hours, minutes[0]))
        worth = profile.minutes_worth(first_minute + np.flatnonzero(absent), absent_run[absent])
        silence[absent] = silence_probability(profile, heard[absent], worth)
    return silence


def _scores_of_silence(absent: np.typing.NDArray[np.bool_], traffic: Floats, silence: Floats) -> Scores:
    return Scores(
        np.where(absent, 0.0, np.nan),
        np.where(absent, traffic, np.nan),
        (lambda: np.where(absent, silence, np.nan),),
        (partial(_no_bounds, len(absent)),),
    )


@dataclass(frozen=True, slots=True)
class Before:
    """What came before the windows: minutes without a row, where the sequential tests stood, and what gives everything that was found strange."""

    absent_run: int
    sequences: Mapping[str, tuple[float, float]]
    episodes: Callable[[], Episodes]


def _runs(absent: np.typing.NDArray[np.bool_], before: int) -> Floats:
    """Minutes without a row up to and with each window; `before` of them lie before the first."""
    if not absent.any():
        return np.zeros(len(absent))
    at = np.arange(1, len(absent) + 1)
    last_there = np.maximum.accumulate(np.where(absent, -before, at))
    return np.where(absent, at - last_there, 0).astype(np.float64)


def _blank(count: int) -> Scores:
    nothing = np.full(count, np.nan)
    return Scores(nothing, nothing, (partial(np.full, count, np.nan),), (partial(_no_bounds, count),))


def _no_bounds(count: int) -> tuple[Floats, Floats]:
    return np.full(count, np.nan), np.full(count, np.nan)


def scores_of(tested: Tested, levels: Levels) -> dict[str, Scores]:
    """The ledger's columns of every metric of the catalogue, in its order; silence has nothing to say."""
    value, expected = tested.value * _SCALES, tested.expected * _SCALES
    p = Once(partial(_p_values, tested.exact, levels))
    scores = {}
    for row, (name, alpha) in enumerate(zip(METRICS, levels.of_intervals, strict=True)):
        interval = interval_of(tested, name, alpha, scale_of(name))
        scores[name] = Scores(value[row], expected[row], (partial(_row, p, row),), (interval,))
    scores["silence"] = _blank(len(value[0]))
    return scores


def _p_values(exact: Callable[[], Floats], levels: Levels) -> Floats:
    """Two-sided, as calibrated, shape (metrics, n)."""
    with np.errstate(all="ignore"):
        p = two_sided(*exact())
        level = levels.of_metrics[Test.WINDOW, :, None]
        slow = bare_exp(bare_log(p) * (levels.nominal / level))
        return np.where(level <= levels.nominal, p, slow)


def _row(p: Callable[[], Floats], row: int) -> Floats:
    return np.asarray(p()[row])


def _method(metric: str) -> str:
    if metric in PROPORTIONS:
        return "beta-binomial predictive tail"
    if metric == "throughput":
        return "negative binomial predictive tail"
    return "Student t predictive tail of the logarithm"
