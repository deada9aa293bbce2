"""What comes at the same time every day or every week, or every few hours, is usual then: a nightly batch, a restart on Sundays, a job.

As with lookups (`response`) the null hypothesis is composite: where something has come at this time as a rule (`episodes`), a healthy cache is anywhere
between its expectation and as far from it as it went then, or a practical floor further. What lies beyond is tested against that end.
Findings of the usual are told apart from those that remain, for they are recorded all the same and left out of learning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.episodes import DEEPEST, KEPT_DAYS, SILENT_DAYS, STEP
from auditor.detection.findings import HITS_LATENCY, INFO, LATENCIES, TRAFFIC_FLOOR, WARNING, Side, find
from auditor.detection.moved import link_of, moved_by, tails_against, with_expected
from auditor.detection.proportions import PROPORTIONS, quick_tails
from auditor.detection.sides import SIDES, SILENCE
from auditor.detection.tails.proportion import proportion_tails
from auditor.detection.tested import ROW, SEQUENCES, SPANS, Shown, Test

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.budget import Levels
    from auditor.detection.episodes import Episodes
    from auditor.detection.policy import Policy
    from auditor.detection.profile import Profile
    from auditor.detection.tested import Tested
    from auditor.detection.windows import Floats

Mask = np.typing.NDArray[np.bool_]

DAY_MINUTES: Final = 1440
WEEK_MINUTES: Final = 7 * DAY_MINUTES
LONGEST: Final = 30.0
"""Minutes beyond which silence is not usual at any time, however often it has come."""
SILENCE_STEP: Final = 5.0
"""Minutes to which a silence is recorded, so that not every one of them makes a new record."""
SIZE: Final = "cache_size"
LEAST_OF_USUAL: Final = 0.25
"""Of how far the size goes as a rule it has to have gone, in the quarter of an hour at least, for fewer hits to be of that."""
HITS_FALL: Final = 1.5
"""How much further the odds of a hit may fall than entries do: what a restart leaves is asked for before it is set again."""
LOOKS_BACK: Final = {Test.FEW: (4,), Test.QUARTER: (7, 14), Test.SEQUENCE: (10, 20, 30)}
"""Minutes before a window of which a test's finding is as well: a mean is of its span, and what is summed up was gathered in the half hour before."""
LONGER: Final = 2.0
"""Minutes by which silence may be longer than usual."""


@dataclass(frozen=True, slots=True)
class Strange:
    """What is strange about n windows by the hour of the day and the day of the week alone.

    Parameters
    ----------
    tested, sides
        What the tests say, and the findings.
    silent, absent_run
        Shape (n,): whether silence is a finding, and the minutes without a row up to and with each window.
    """

    tested: Tested
    sides: list[Side]
    silent: Mask
    absent_run: Floats


@dataclass(frozen=True, slots=True)
class Usual:
    """What the usual leaves of it.

    Parameters
    ----------
    tested, sides, silent
        As of `Strange`.
    explained
        Shape (n,): where what would have warned does not, for being usual.
    strange
        Shape (n,): where something was recorded.
    episodes
        The records with everything that was strange, usual or not; None where nothing was.
    """

    tested: Tested
    sides: list[Side]
    silent: Mask
    explained: Mask
    strange: Mask
    episodes: Episodes | None


def by_recurrence(
    strange: Strange,
    minutes: np.typing.NDArray[np.int64],
    records: Callable[[], Episodes],
    profile: Profile,
    levels: Levels,
    policy: Policy,
) -> Usual:
    """Take what is usual at these minutes, shape (n,), out of what is strange; `records` gives what was strange before."""
    nowhere = np.zeros(len(minutes), dtype=np.bool_)
    if not (strange.sides or strange.silent.any()):
        return Usual(strange.tested, strange.sides, strange.silent, nowhere, nowhere, None)
    episodes = records()
    silent = strange.silent & ~_usual_silence(strange, minutes, episodes, profile, policy)
    tested, sides, explained = strange.tested, strange.sides, nowhere
    for side in strange.sides:
        at = np.flatnonzero((side.level > 0) | side.improbable)
        depth = _usual_depth(side, strange.tested, episodes, at, minutes)
        usual = depth > 0.0
        if usual.any():
            tested = _Moved(tested, side, at[usual], depth[usual], _floor_of(side.metric, policy)).judged()
    if tested is not strange.tested:
        left = {(side.metric, side.direction): side for side in find(profile, tested, levels, policy)}
        sides = [left[side.metric, side.direction] for side in sides if (side.metric, side.direction) in left]
        explained = _tell(strange.sides, WARNING, nowhere) & ~_tell(sides, WARNING, nowhere)
    recorded = _tell(strange.sides, INFO, strange.silent)
    return Usual(tested, sides, silent, explained, recorded, _recorded(episodes, strange, minutes))


def _usual_depth(
    side: Side,
    tested: Tested,
    episodes: Episodes,
    at: np.typing.NDArray[np.intp],
    minutes: np.typing.NDArray[np.int64],
) -> Floats:
    """How far a side goes as a rule at some of the windows.

    What looks back is of the time before as well (`LOOKS_BACK`). Where fewer entries are usual, and there are fewer, so are fewer hits: they
    are seen on some of the nights only where lookups are few.
    """
    number = SIDES[side.metric, side.direction]
    depth = episodes.usual(number, minutes[at])
    for test, back in LOOKS_BACK.items():
        of_test = np.flatnonzero(side.test[at] == test)
        for before in back if len(of_test) else ():
            depth[of_test] = np.maximum(depth[of_test], episodes.usual(number, minutes[at[of_test]] - before))
    if number == SIDES["hit_rate", "drop"]:
        smaller = episodes.usual(SIDES[SIZE, "drop"], minutes[at])
        if smaller.any():
            sizes = [tested.shown(test, SIZE).at(at) for test in (Test.WINDOW, Test.QUARTER)]
            fallen = np.fmax.reduce(
                [link_of(SIZE, size.expected) - link_of(SIZE, size.value) for size in sizes]
            )
            as_usual = np.where(fallen >= LEAST_OF_USUAL * smaller, np.minimum(fallen, smaller), 0.0)
            depth = np.maximum(depth, HITS_FALL * as_usual)
    return depth


def _tell(sides: list[Side], least: int, of_old: Mask) -> Mask:
    """Where a side has a finding of a level or more, and where something else was."""
    found = of_old.copy()
    for side in sides:
        found |= side.level >= least
    return found


def _usual_silence(
    strange: Strange,
    minutes: np.typing.NDArray[np.int64],
    episodes: Episodes,
    profile: Profile,
    policy: Policy,
) -> Mask:
    """Where silence has not lasted much longer than it lasts as a rule at that time, or at any time more often than the budget allows.

    Its depth is the minutes that it had lasted, in steps.
    """
    usual = np.zeros(len(minutes), dtype=np.bool_)
    at = np.flatnonzero(strange.silent)
    if len(at):
        lasts = episodes.usual(SILENCE, minutes[at], SILENT_DAYS) / STEP
        for midnight in np.unique(minutes[at] // DAY_MINUTES * DAY_MINUTES).tolist():
            weeks = min((midnight - profile.period_start_minute) / WEEK_MINUTES, KEPT_DAYS / 7)
            times = int(policy.false_alarms_per_week * max(weeks, 1.0))
            today = minutes[at] // DAY_MINUTES * DAY_MINUTES == midnight
            at_any_time = min(episodes.exceeded(SILENCE, midnight, times) / STEP, LONGEST)
            lasts[today] = np.maximum(lasts[today], at_any_time)
        longest = np.where(lasts >= DEEPEST, np.inf, lasts + LONGER)
        usual[at] = (lasts > 0.0) & (strange.absent_run[at] <= longest)
    return usual


def _recorded(episodes: Episodes, strange: Strange, minutes: np.typing.NDArray[np.int64]) -> Episodes | None:
    before = episodes
    for side in strange.sides:
        at = np.flatnonzero(side.level)
        if len(at):
            number = SIDES[side.metric, side.direction]
            episodes = episodes.with_found(number, minutes[at], _depth(side, strange.tested, at))
    at = np.flatnonzero(strange.silent)
    if len(at):
        lasted = np.ceil(strange.absent_run[at] / SILENCE_STEP) * SILENCE_STEP
        episodes = episodes.with_found(SILENCE, minutes[at], lasted * STEP)
    return None if episodes.same_as(before) else episodes


def _depth(side: Side, tested: Tested, at: np.typing.NDArray[np.intp]) -> Floats:
    """How far windows of a side went, on the link scale; a rate as if half an event more had been seen on either side."""
    value, expected = side.value[at], side.expected[at]
    if side.metric in PROPORTIONS:
        weights = np.array(
            [tested.shown(test, side.metric).weight[at] for test in (Test.WINDOW, *SPANS, Test.SEQUENCE)]
        )
        n = weights[side.test[at], np.arange(len(at))]
        value = (value * n + 0.5) / (n + 1.0)
    away: Floats = np.abs(link_of(side.metric, value) - link_of(side.metric, expected))
    return np.nan_to_num(away, posinf=0.0)


def _floor_of(metric: str, policy: Policy) -> float:
    if metric == "throughput":
        return TRAFFIC_FLOOR
    if metric in LATENCIES:
        return policy.response_time.warning
    floors = {
        HITS_LATENCY: policy.hit_response_time,
        "hit_rate": policy.hit_rate,
        "error_rate": policy.error_rate,
        "eviction_rate": policy.eviction_rate,
        "cache_size": policy.cache_size,
    }
    return floors[metric].warning


@dataclass(frozen=True, slots=True)
class _Moved:
    """One side's windows, those `at` which it goes `depth` far as a rule; `floor` is the practical floor of the metric."""

    tested: Tested
    side: Side
    at: np.typing.NDArray[np.intp]
    depth: Floats
    floor: float

    def judged(self) -> Tested:
        """The windows and their spans, tested against the end of the usual."""
        tested, at = self.tested, self.at
        row, low_or_high = ROW[self.side.metric], 0 if self._falls else 1
        tails, expected, centre = tested.tails.copy(), tested.expected.copy(), tested.centre.copy()
        evidence = tested.evidence.copy()
        shown: dict[Test, Floats] = {}
        for test in (Test.WINDOW, *SPANS):
            seen = tested.shown(test, self.side.metric).at(at)
            end = self._end(seen)
            tails[low_or_high, test, row, at] = self._tails(
                seen, end, test, tails[low_or_high, test, row, at], quick_tails
            )
            shown[test] = self._nearest(seen, end)
            if test is Test.QUARTER and self.side.metric in SEQUENCES:
                # what is summed up is of the quarter of an hour, more or less
                within = ~self._beyond(seen, end)
                evidence[low_or_high, SEQUENCES.index(self.side.metric), at[within]] = 0.0
        expected[row, at] = shown[Test.WINDOW]
        link = link_of(self.side.metric, shown[Test.WINDOW])
        centre[row, at] = np.where(np.isfinite(link), link, centre[row, at])
        return replace(
            tested,
            tails=tails,
            expected=expected,
            centre=centre,
            evidence=evidence,
            spans=partial(with_expected, tested.spans, row, at, shown),
            exact=self._exact,
        )

    @property
    def _falls(self) -> bool:
        return self.side.direction == "drop"

    def _end(self, seen: Shown) -> Floats:
        """The end of the usual: as far as it went, and the practical floor further."""
        sign = -1.0 if self._falls else 1.0
        metric, expected = self.side.metric, seen.expected
        end = moved_by(metric, expected, sign * self.depth)
        further = self.floor if metric == "error_rate" else self.floor * expected
        most = 1.0 if metric in PROPORTIONS else np.inf
        return np.minimum(np.maximum(end + sign * further, 0.0), most)

    def _nearest(self, seen: Shown, end: Floats) -> Floats:
        """Of what may be expected, that which is nearest to what was seen."""
        lower, upper = (end, seen.expected) if self._falls else (seen.expected, end)
        return np.minimum(np.maximum(seen.value, lower), upper)

    def _beyond(self, seen: Shown, end: Floats) -> Mask:
        return np.asarray(seen.value < end if self._falls else seen.value > end)

    def _tails(
        self,
        seen: Shown,
        end: Floats,
        test: Test,
        before: Floats,
        of_rate: Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats]],
    ) -> Floats:
        """What is as far on this side as was seen; 1 where it does not go beyond the end."""
        tail = np.where(np.isfinite(before), 1.0, np.nan)
        where = np.flatnonzero(self._beyond(seen, end) & np.isfinite(before))
        if len(where):
            newest = self.tested.weight[ROW[self.side.metric], self.at][where]
            both = tails_against(self.side.metric, seen.at(where), end[where], newest, test, of_rate)
            tail[where] = both[0 if self._falls else 1]
        return tail

    def _exact(self) -> Floats:
        tails, at = self.tested.exact().copy(), self.at
        row, low_or_high = ROW[self.side.metric], 0 if self._falls else 1
        seen = self.tested.shown(Test.WINDOW, self.side.metric).at(at)
        tails[low_or_high, row, at] = self._tails(
            seen, self._end(seen), Test.WINDOW, tails[low_or_high, row, at], proportion_tails
        )
        return tails
