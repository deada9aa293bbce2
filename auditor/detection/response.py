"""Hit rate and size judged by the lookups that there are: see `load` for what fewer or more of them may do.

The null hypothesis is composite: anywhere between no response and the fullest. A fall is tested against the least that this leaves
expected, a rise against the most, for the p-value of a composite null is the largest that it allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from auditor.detection.load import RESPONDING, UNUSUAL
from auditor.detection.scoring import (
    SEQUENCES,
    concentration_of,
    degrees_of,
    proportion_drift,
    proportion_z,
    sliding,
)
from auditor.detection.sequential import evidence
from auditor.detection.signals import AT
from auditor.detection.tails.elementary import exact_exp, exact_log
from auditor.detection.tails.gauge import gauge_tails
from auditor.detection.tails.proportion import proportion_tails
from auditor.detection.tested import LEAST_KNOWN, SPANS, WIDTH, Spanned, Test, Tested

if TYPE_CHECKING:
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.scoring import Sequences
    from auditor.detection.signals import Signals
    from auditor.detection.windows import Floats


def by_lookups(
    profile: Profile,
    signals: Signals,
    outlook: Outlook,
    lead: int,
    sequences: Sequences,
    tests: dict[str, Tested],
) -> dict[str, Tested]:
    """The tests of `scoring.score` with those of hit rate and size as the number of lookups leaves them; arguments as there."""
    judged = dict(tests)
    traffic, share = AT["throughput"], AT["get_share"]
    fewer, more = unusual_lookups(
        signals.value[share], outlook.lookups, outlook.drift[traffic], profile.spread[traffic], lead
    )
    fewer = np.minimum(fewer, outlook.short[:, lead:])
    for row, name in enumerate(RESPONDING):
        if name not in tests or not (fewer[row].any() or more[row].any()):
            continue
        holds = None
        if name not in SEQUENCES:
            holds = size_that_holds(signals.value[AT[name]], signals.value[share], lead)
        response = _Response(name, tests[name], fewer[row], more[row], holds)
        judged[name] = response.judged()
        if name in SEQUENCES:
            judged[name] = response.in_sequence(
                judged[name], signals.value[AT[name]][lead:], outlook.drift[AT[name]][lead:], sequences
            )
    return judged


def unusual_lookups(
    lookups: Floats, expected: Floats, drift: Floats, spread: float, lead: int
) -> tuple[Floats, Floats]:
    """How far on the log scale lookups are below, and above, what was expected, where that is unusual.

    Parameters
    ----------
    lookups
        Shape (lead + n,): lookups of each window, NaN where unknown.
    expected
        Shape (responding, lead + n): the logarithm of what was expected; NaN where unknown.
    drift, spread
        Variances of the traffic: shared by neighbouring windows, shape (lead + n,), and of single ones.
    lead
        How many windows come before those asked for.

    Returns
    -------
    fewer, more
        Shape (responding, n): at most and at least 0. The furthest of the window, the four and the fifteen that end with it.
    """
    known = np.isfinite(lookups) & np.isfinite(expected)
    gathered = np.stack([known, np.where(known, lookups, 0.0), np.where(known, exact_exp(expected), 0.0)])
    fewer = np.zeros((len(expected), len(lookups) - lead))
    more = fewer.copy()
    for test in (Test.WINDOW, *SPANS):
        said, seen, normal = sliding(gathered, lead, WIDTH[test])
        away = exact_log((seen + 0.5) / (normal + 0.5))
        variance = drift[lead:] + spread / np.maximum(said, 1.0) + 1.0 / (np.minimum(seen, normal) + 0.5)
        away = np.where(away * away >= UNUSUAL * UNUSUAL * variance, away, 0.0)
        fewer, more = np.minimum(fewer, away), np.maximum(more, away)
    return fewer, more


def size_that_holds(size: Floats, lookups: Floats, lead: int) -> Floats:
    """The logarithm of the least size that the four windows before each leave, shape (n,); NaN where fewer than three are known.

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
    said, sizes, asked = sliding(before, lead, WIDTH[Test.FEW])
    number = np.maximum(said, 1.0)
    fallen = exact_log((np.nan_to_num(lookups[lead:]) + 0.5) / (asked / number + 0.5))
    return np.where(said >= LEAST_KNOWN[Test.FEW], sizes / number + np.minimum(fallen, 0.0), np.nan)


@dataclass(frozen=True, slots=True)
class _Response:
    """One metric's windows with what fewer lookups (at most 0) and more (at least 0) may add to its link, shape (n,) each.

    `holds`, on the link scale, is what it cannot have fallen below at once; None where there is no such thing.
    """

    name: str
    tested: Tested
    fewer: Floats
    more: Floats
    holds: Floats | None = None

    def judged(self) -> Tested:
        """The window and its spans, tested against what is left expected."""
        tested = self.tested
        least, most = self._shifted(tested.expected, self.fewer), self._shifted(tested.expected, self.more)
        if self.holds is not None:
            held = np.fmin(exact_exp(self.holds) - 1.0, tested.expected)
            least = np.where(self.fewer < 0.0, np.fmax(least, held), least)
        expected = self._nearest(tested.value, tested.expected, least, most)
        low = self._tail(tested, Test.WINDOW, least, self.fewer, falls=True)
        high = self._tail(tested, Test.WINDOW, most, self.more, falls=False)
        with np.errstate(invalid="ignore"):
            falls, rises = tested.value < least, tested.value > most
        spans = {test: self._spanned(test, span, falls, rises) for test, span in tested.spans.items()}
        link = self._link(expected)
        centre = np.where(self._touched & np.isfinite(link), link, tested.centre)
        return replace(
            tested,
            expected=expected,
            low=low,
            high=high,
            centre=centre,
            spans=spans,
            fewer=self.fewer < 0.0,
        )

    def in_sequence(self, judged: Tested, successes: Floats, drift: Floats, sequences: Sequences) -> Tested:
        """The sequential tests of a rate, likewise."""
        tested = self.tested
        known, n = tested.weight > 0, tested.weight
        k = np.where(known, successes, 0.0)

        def z(sign: float, shift: Floats) -> Floats:
            mean = 1.0 / (1.0 + exact_exp(-(tested.centre + shift)))
            concentration = concentration_of(mean, tested.variance)
            away = sign * proportion_z(k, n, mean, concentration)
            return np.where(known, away - proportion_drift(n, mean, concentration, drift), np.nan)

        fall, rise = sequences.started.get(self.name, (0.0, 0.0))
        most = sequences.most[self.name]
        return replace(
            judged,
            fall=evidence(z(-1.0, self.fewer), fall, most),
            rise=evidence(z(1.0, self.more), rise, most),
        )

    @property
    def _touched(self) -> np.typing.NDArray[np.bool_]:
        return (self.fewer < 0.0) | (self.more > 0.0)

    def _spanned(
        self,
        test: Test,
        span: Spanned,
        falls: np.typing.NDArray[np.bool_],
        rises: np.typing.NDArray[np.bool_],
    ) -> Spanned:
        """A span; 1 where its newest window lies on the other side, or it does itself, as in `scoring`."""
        least, most = self._shifted(span.expected, self.fewer), self._shifted(span.expected, self.more)
        low = self._tail(span, test, least, self.fewer, falls=True)
        high = self._tail(span, test, most, self.more, falls=False)
        with np.errstate(invalid="ignore"):
            low = np.where((self.fewer < 0.0) & ~(falls & (span.value < least)), np.fmax(span.low, 1.0), low)
            high = np.where((self.more > 0.0) & ~(rises & (span.value > most)), np.fmax(span.high, 1.0), high)
        return replace(
            span, low=low, high=high, expected=self._nearest(span.value, span.expected, least, most)
        )

    def _nearest(self, value: Floats, expected: Floats, least: Floats, most: Floats) -> Floats:
        """Of what may be expected, that which is nearest to what was seen."""
        return np.where(self._touched, np.minimum(np.maximum(value, least), most), expected)

    def _shifted(self, expected: Floats, shift: Floats) -> Floats:
        if self.name == "hit_rate":
            moved = expected / (expected + (1.0 - expected) * exact_exp(-shift))
        else:
            moved = (expected + 1.0) * exact_exp(shift) - 1.0
        return np.where(shift != 0.0, moved, expected)

    def _link(self, expected: Floats) -> Floats:
        if self.name == "hit_rate":
            return exact_log(expected) - exact_log(1.0 - expected)
        return exact_log(expected + 1.0)

    def _tail(
        self, part: Tested | Spanned, test: Test, expected: Floats, shift: Floats, *, falls: bool
    ) -> Floats:
        """The tail on one side, anew where the expectation was shifted."""
        before = part.low if falls else part.high
        where = (shift != 0.0) & np.isfinite(before)
        if not where.any():
            return before
        value, weight, mean, variance = (
            array[where] for array in (part.value, part.weight, expected, part.variance)
        )
        if self.name == "hit_rate":
            tails = proportion_tails(value * weight, weight, mean, concentration_of(mean, variance))
        else:
            degrees = degrees_of(self.name, self.tested.weight[where], test)
            tails = gauge_tails(self._link(value), self._link(mean), np.sqrt(variance), degrees)
        after = before.copy()
        after[where] = tails[0] if falls else tails[1]
        return after
