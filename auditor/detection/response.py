"""Hit rate and size judged by the lookups that there are: see `load` for what fewer or more of them may do.

The null hypothesis is composite: anywhere between no response and the fullest. A fall is tested against the least that this leaves
expected, a rise against the most, for the p-value of a composite null is the largest that it allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.load import RESPONDING, UNUSUAL
from auditor.detection.moved import link_of, moved_by, tails_against, with_expected
from auditor.detection.proportions import concentration_of, proportion_drift, proportion_z, quick_tails
from auditor.detection.signals import AT
from auditor.detection.spans import span_sums
from auditor.detection.tails.elementary import exact_exp, exact_log
from auditor.detection.tails.proportion import proportion_tails
from auditor.detection.tested import ROW, SEQUENCES, SPANS, Shown, Test

if TYPE_CHECKING:
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.signals import Signals
    from auditor.detection.tested import Tested
    from auditor.detection.windows import Floats

Ends = tuple["Floats", "Floats"]
"""The least and the most that may be expected."""
RateTails = Callable[["Floats", "Floats", "Floats", "Floats"], tuple["Floats", "Floats"]]
Mask = np.typing.NDArray[np.bool_]

_THROUGHPUT: Final = AT["throughput"]
_GETS: Final = AT["get_share"]


def by_lookups(
    tested: Tested,
    off: Floats,
    asked: Floats,
    profile: Profile,
    signals: Signals,
    outlook: Outlook,
    lead: int,
) -> Tested:
    """The windows tested as the number of lookups (`asked`, see `lookups_gathered`) leaves hit rate and size; arguments as of `scoring.score`.

    What sequences sum up, `off` of shape (2, sequences, n), is changed in place.
    """
    drift, spread = outlook.drift[_THROUGHPUT, lead:], profile.spread[_THROUGHPUT]
    fewer, more = unusual_lookups(asked, drift, spread, lead, profile.unusual)
    surely = fewer
    if profile.unusual < UNUSUAL:
        surely, _ = unusual_lookups(asked, drift, spread, lead)
    fewer, surely = (np.minimum(by, outlook.short[:, lead:]) for by in (fewer, surely))
    unusual = (fewer < 0.0) | (more > 0.0)
    for row, name in enumerate(RESPONDING):
        at = np.flatnonzero(unusual[row]) if profile.hours[AT[name]] else ()
        if not len(at):
            continue
        holds = None
        if name not in SEQUENCES:
            holds = size_that_holds(signals.value[AT[name]], signals.value[_GETS], lead)[at]
        response = _Response(
            name, tested, np.asarray(at), fewer[row, at], more[row, at], surely[row, at] < 0.0, holds
        )
        if name in SEQUENCES:
            response.take_out(off, signals.value[AT[name], lead:], outlook.drift[AT[name], lead:])
        tested = response.judged()
    return tested


def lookups_gathered(signals: Signals, outlook: Outlook) -> Floats:
    """What is summed up of lookups, by `load.RESPONDING`; see `gathered_of`."""
    return gathered_of(signals.value[_GETS], exact_exp(outlook.lookups))


def gathered_of(lookups: Floats, expected: Floats) -> Floats:
    """Windows where lookups are known, how many there were, and how many were expected: shape (3, m, n), of (n,) and (m, n), NaN where unknown."""
    known = np.isfinite(lookups) & np.isfinite(expected)
    gathered = np.empty((3, *known.shape))
    gathered[0], gathered[1] = known, np.where(known, lookups, 0.0)
    gathered[2] = np.where(known, expected, 0.0)
    return gathered


def unusual_lookups(
    asked: Floats, drift: Floats, spread: float, lead: int, least: float = UNUSUAL
) -> tuple[Floats, Floats]:
    """How far on the log scale lookups are below, and above, what was expected, where that is unusual.

    Parameters
    ----------
    asked
        Shape (3, responding, lead + n); see `lookups_gathered`.
    drift, spread
        Variances of the traffic: shared by neighbouring windows, shape (n,), and of single ones.
    lead
        How many windows come before those asked for.
    least
        From how many deviations on they are unusual.

    Returns
    -------
    fewer, more
        Shape (responding, n): at most and at least 0. The furthest of the window, the four and the fifteen that end with it.
    """
    sums = np.concatenate([asked[None, ..., lead:], span_sums(asked, lead)])
    said, seen, normal = sums.swapaxes(0, 1)
    away = exact_log((seen + 0.5) / (normal + 0.5))
    variance = drift + spread / np.maximum(said, 1.0) + 1.0 / (np.minimum(seen, normal) + 0.5)
    away = np.where(away * away >= least * least * variance, away, 0.0)
    return np.minimum(away.min(axis=0), 0.0), np.maximum(away.max(axis=0), 0.0)


def size_that_holds(size: Floats, lookups: Floats, lead: int) -> Floats:
    """The logarithm of the least size that the four windows before each leave, shape (n,); NaN where none of them is known.

    Entries expire one by one: lookups that have been few for a while explain a small cache, and no sudden fall. Only as far as lookups
    have just fallen themselves may the size.

    Parameters
    ----------
    size, lookups
        Shape (lead + n,): the logarithm of the size and the lookups of each window, NaN where unknown.
    lead
        How many windows come before those asked for.
    """
    known = np.isfinite(size) & np.isfinite(lookups)
    gathered = np.stack([known, np.where(known, size, 0.0), np.where(known, lookups, 0.0)])
    before = np.concatenate([np.zeros((3, 1)), gathered[:, :-1]], axis=1)
    said, sizes, asked = span_sums(before, lead)[SPANS.index(Test.FEW)]
    number = np.maximum(said, 1.0)
    fallen = exact_log((np.nan_to_num(lookups[lead:]) + 0.5) / (asked / number + 0.5))
    return np.where(said > 0.0, sizes / number + np.minimum(fallen, 0.0), np.nan)


@dataclass(frozen=True, slots=True)
class _Response:
    """One metric's windows, those `at` which lookups are unusual, with what fewer of them (at most 0) and more (at least 0) may add to its link.

    `surely_fewer` is where they are so in a cache whose nights are known, too: only then may a percentile be that of more misses.

    `holds`, on the link scale, is what it cannot have fallen below at once; None where there is no such thing. These arrays are as long as `at`.
    """

    name: str
    tested: Tested
    at: np.typing.NDArray[np.intp]
    fewer: Floats
    more: Floats
    surely_fewer: Mask
    holds: Floats | None = None

    def judged(self) -> Tested:
        """The windows and their spans, tested against what is left expected; numbers are put in the place of those before."""
        tested, row, at = self.tested, ROW[self.name], self.at
        window = self._shown(Test.WINDOW)
        ends = least, most = self._ends(window, Test.WINDOW)
        expected, centre, tails = tested.expected, tested.centre, tested.tails
        expected[row, at] = nearest = _nearest(window, ends)
        link = link_of(self.name, nearest)
        centre[row, at] = np.where(np.isfinite(link), link, centre[row, at])
        moved = (self.fewer < 0.0, self.more > 0.0)
        tails[:, Test.WINDOW, row, at] = self._tails(window, ends, Test.WINDOW, moved)
        beyond = window.value < least, window.value > most
        shown = {}
        for test in SPANS:
            span = self._shown(test)
            ends = self._ends(span, test)
            tails[:, test, row, at] = self._span_tails(span, ends, test, beyond)
            shown[test] = _nearest(span, ends)
        return replace(
            tested,
            spans=partial(with_expected, tested.spans, row, at, shown),
            exact=partial(self._exact, window, (least, most), moved),
            fewer=self._is_low() if self.name == "hit_rate" else tested.fewer,
        )

    def take_out(self, off: Floats, successes: Floats, drift: Floats) -> None:
        """Take what the lookups explain of a rate out of what its sequences sum up; see `by_lookups`."""
        row, at = ROW[self.name], self.at
        n, centre, variance = (
            part[row, at] for part in (self.tested.weight, self.tested.centre, self.tested.variance)
        )
        known = n > 0.0
        k = np.where(known, successes[at], 0.0)
        for side, (sign, shift) in enumerate(((-1.0, self.fewer), (1.0, self.more))):
            mean = 1.0 / (1.0 + exact_exp(-(centre + shift)))
            concentration = concentration_of(mean, variance)
            away = sign * proportion_z(k, n, mean, concentration)
            away = away - proportion_drift(n, mean, concentration, drift[at])
            off[side, SEQUENCES.index(self.name), at] = np.where(known, away, np.nan)

    def _is_low(self) -> Mask:
        low = np.zeros(self.tested.expected.shape[1], dtype=np.bool_)
        low[self.at] = self.surely_fewer
        return low

    def _shown(self, test: Test) -> Shown:
        return self.tested.shown(test, self.name).at(self.at)

    def _ends(self, shown: Shown, test: Test) -> Ends:
        least, most = self._shifted(shown.expected, self.fewer), self._shifted(shown.expected, self.more)
        if self.holds is not None and test is Test.WINDOW:
            held = np.fmin(exact_exp(self.holds) - 1.0, shown.expected)
            least = np.where(self.fewer < 0.0, np.fmax(least, held), least)
        return least, most

    def _shifted(self, expected: Floats, shift: Floats) -> Floats:
        return np.where(shift != 0.0, moved_by(self.name, expected, shift), expected)

    def _span_tails(
        self, span: Shown, ends: Ends, test: Test, beyond: tuple[Mask, Mask]
    ) -> tuple[Floats, Floats]:
        """Those of a span; 1 where its newest window lies on the other side (`beyond`, of a fall and of a rise), or it does itself, as elsewhere."""
        least, most = ends
        falls, rises = beyond[0] & (span.value < least), beyond[1] & (span.value > most)
        low, high = self._tails(span, ends, test, ((self.fewer < 0.0) & falls, (self.more > 0.0) & rises))
        low = np.where((self.fewer < 0.0) & ~falls, 1.0, low)
        return low, np.where((self.more > 0.0) & ~rises, 1.0, high)

    def _exact(self, window: Shown, ends: Ends, moved: tuple[Mask, Mask]) -> Floats:
        """The exact tails of all windows, those of these anew on the sides whose expectation has `moved`."""
        tails, row = self.tested.exact().copy(), ROW[self.name]
        anew = self._anew(tails[:, row, self.at], window, ends, Test.WINDOW, moved, proportion_tails)
        tails[:, row, self.at] = anew
        return tails

    def _tails(self, shown: Shown, ends: Ends, test: Test, asked: tuple[Mask, Mask]) -> Floats:
        """Both tails, each anew where it is asked for and known."""
        before = self.tested.tails[:, test, ROW[self.name], self.at]
        return self._anew(before, shown, ends, test, asked, quick_tails)

    def _anew(
        self,
        tails: Floats,
        shown: Shown,
        ends: Ends,
        test: Test,
        asked: tuple[Mask, Mask],
        of_rate: RateTails,
    ) -> Floats:
        """Put tails in the place of those given, where they are asked for and known."""
        for side, (tail, expected) in enumerate(zip(tails, ends, strict=True)):
            where = asked[side] & np.isfinite(tail)
            if where.any():
                tail[where] = self._tails_of(shown, test, expected, where, of_rate)[side]
        return tails

    def _tails_of(
        self, shown: Shown, test: Test, expected: Floats, where: Mask, of_rate: RateTails
    ) -> tuple[Floats, Floats]:
        newest = self.tested.weight[ROW[self.name], self.at][where]
        return tails_against(self.name, shown.at(where), expected[where], newest, test, of_rate)


def _nearest(shown: Shown, ends: Ends) -> Floats:
    """Of what may be expected, that which is nearest to what was seen."""
    least, most = ends
    return np.minimum(np.maximum(shown.value, least), most)
