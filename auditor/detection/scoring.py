"""Each window, and the spans that end with it, against what the profile predicts for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.counts import doubts_of, operations_tested
from auditor.detection.gauges import gauges_tested, parts_tested
from auditor.detection.one_window import one_window_tested
from auditor.detection.proportions import proportions_tested
from auditor.detection.response import by_lookups, lookups_gathered
from auditor.detection.sequential import evidence_of_one, evidences
from auditor.detection.signals import AT
from auditor.detection.tested import LEAD, METRICS, ROW, SEQUENCES, SPANS, Tested

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.detection.ahead import Ahead
    from auditor.detection.one_window import Plain
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.signals import Signals
    from auditor.detection.tested import Family, Shown, Test
    from auditor.detection.windows import Floats

AT_OF_METRICS: Final = [AT[name] for name in METRICS]
_AT_FIRST: Final = (0.0, 0.0)
_ROWS: Final = [ROW[name] for name in SEQUENCES]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Where the sequential tests stand: log e-values of a fall and of a rise by metric, and how far each may grow."""

    started: Mapping[str, tuple[float, float]]
    most: Mapping[str, float]


def score(profile: Profile, signals: Signals, outlook: Outlook, lead: int, sequences: Sequences) -> Tested:
    """Test windows `lead`.. of `signals`; those before them only complete the spans.

    Parameters
    ----------
    profile
        What is normal.
    signals
        The windows to be tested with up to 14 before them, masked where they say nothing.
    outlook
        What was expected of each window; arrays of shape (signals, lead + n).
    lead
        How many windows come before those to be tested.
    sequences
        Where the sequential tests stood before the first window to be tested.
    """
    families = (
        proportions_tested(profile, signals, outlook, lead),
        operations_tested(profile, signals, outlook, lead),
        gauges_tested(profile, signals, outlook, lead),
    )
    learned = profile.hours[AT_OF_METRICS] > 0.0
    there = np.concatenate([family.there for family in families]) & learned[:, None]
    z = np.where(there, np.concatenate([family.z for family in families]), np.nan)[_ROWS]
    shared = np.concatenate([family.shared for family in families])[_ROWS]
    # windows of an hour share their drift, which a sequence must not sum up: it is tested against a level that is off by as much
    off = np.array([-z - shared, z - shared])
    asked = lookups_gathered(signals, outlook)
    tested = Tested(
        value=np.where(there, np.concatenate([family.value for family in families]), np.nan),
        expected=np.where(there, np.concatenate([family.expected for family in families]), np.nan),
        tails=_tails(families, there, learned),
        weight=np.concatenate([family.weight for family in families]),
        centre=np.concatenate([family.centre for family in families]),
        variance=np.concatenate([family.variance for family in families]),
        evidence=np.zeros_like(off),
        learned=[bool(learned[row]) for row in _ROWS],
        spans=partial(_span, families),
        exact=partial(_exact, families, there),
        parts=partial(parts_tested, profile, signals, outlook, lead),
        doubts=partial(doubts_of, profile, outlook, families[1].expected[0], lead),
        gathered=partial(_gathered, [*(part for family in families for part in family.gathered), asked]),
    )
    # what lookups explain is taken out of `off` before it is summed up
    tested = by_lookups(tested, off, asked, profile, signals, outlook, lead)
    falls_and_rises = evidences(off.reshape(-1, off.shape[-1]), *_ends(sequences))
    return replace(tested, evidence=falls_and_rises.reshape(off.shape))


@dataclass(frozen=True, slots=True)
class OneWindow:
    """What it takes to test a single window in plain floats: what is expected of its hour, and what was gathered of the windows before it."""

    ahead: Ahead
    gathered: Floats

    def traffic(self, minute: int) -> Floats:
        """Operations expected of a minute, shape (1,)."""
        return np.array([self.ahead.traffic[minute - self.ahead.hour_start]])


def score_one(
    one: OneWindow, signals: Signals, minute: int, sequences: Sequences, full: Callable[[], Tested]
) -> Tested:
    """`score` of the last of `signals`, at `minute`; `full` gives it the long way, for what is rarely asked for."""
    plain = plain_of(one, signals, minute)
    if plain is None:
        return full()
    evidence = np.array(evidence_of(plain, sequences))[:, :, None]
    return as_tested(plain, evidence, one.ahead.learned_sequences, full)


def plain_of(one: OneWindow, signals: Signals, minute: int) -> Plain | None:
    """The last of `signals`, at `minute`, tested in plain floats; None where that has to be left to arrays."""
    value, weight = signals.value[:, -1].tolist(), signals.weight[:, -1].tolist()
    try:
        return one_window_tested(one.ahead, one.gathered[:LEAD], value, weight, minute)
    except (ArithmeticError, ValueError):
        return None


def evidence_of(plain: Plain, sequences: Sequences) -> tuple[list[float], list[float]]:
    """Of falls and of rises: where the sequential tests stand after a window."""
    falls, rises = [], []
    for name, row in zip(SEQUENCES, _ROWS, strict=True):
        fall, rise = sequences.started.get(name, _AT_FIRST)
        away, shared, most = plain.z[row], plain.shared[row], sequences.most[name]
        falls.append(evidence_of_one(-away - shared, fall, most))
        rises.append(evidence_of_one(away - shared, rise, most))
    return falls, rises


def as_tested(plain: Plain, evidence: Floats, learned: list[bool], full: Callable[[], Tested]) -> Tested:
    """A window tested in plain floats as arrays of one; arguments as of `score_one` and `Tested`."""
    numbers = np.array([plain.value, plain.expected, plain.weight, plain.centre, plain.variance])[:, :, None]
    tails = np.array([plain.low, plain.high])[:, :, :, None]
    return Tested(
        *(numbers[0], numbers[1], tails, numbers[2], numbers[3], numbers[4]),
        evidence=evidence,
        learned=learned,
        spans=lambda test, row: full().spans(test, row),
        exact=plain.exact,
        parts=lambda: full().parts(),
        doubts=lambda: full().doubts(),
        gathered=lambda: plain.gathered,
    )


def _gathered(parts: list[Floats]) -> Floats:
    rows = [part[:, :, -LEAD - 1 :].swapaxes(0, 1) for part in parts]
    return np.concatenate([row.reshape(-1, row.shape[-1]) for row in rows])[:, ::-1].T.copy()


def _tails(
    families: tuple[Family, ...],
    there: np.typing.NDArray[np.bool_],
    learned: np.typing.NDArray[np.bool_],
) -> Floats:
    tails = np.empty((2, len(SPANS) + 1, *there.shape))
    np.concatenate([family.low for family in families], axis=1, out=tails[0])
    np.concatenate([family.high for family in families], axis=1, out=tails[1])
    if not there.all():
        tails[:, 0, ~there] = np.nan
        tails[:, :, ~learned] = np.nan
    return tails


def _exact(families: tuple[Family, ...], there: np.typing.NDArray[np.bool_]) -> Floats:
    """The windows' tails, shape (2, metrics, n)."""
    tails = np.concatenate([np.array(family.exact()) for family in families], axis=1)
    tails[:, ~there] = np.nan
    return tails


def _ends(sequences: Sequences) -> tuple[list[float], list[float]]:
    """Where falls and rises begin, and how far they may go."""
    starts = [sequences.started.get(name, _AT_FIRST) for name in SEQUENCES]
    most = [sequences.most[name] for name in SEQUENCES]
    return [*(fall for fall, _ in starts), *(rise for _, rise in starts)], most * 2


def _span(families: tuple[Family, ...], test: Test, row: int) -> Shown:
    """What a span's test of a metric's row looked at."""
    for family in families:
        if row < len(family.there):
            return family.span(test, row)
        row -= len(family.there)
    raise IndexError(row)
