"""Each window, and the spans that end with it, against what the profile predicts for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.counts import doubts_of, operations_tested
from auditor.detection.gauges import gauges_tested, parts_tested
from auditor.detection.one_window import one_window_tested
from auditor.detection.proportions import proportions_tested
from auditor.detection.sequential import evidences
from auditor.detection.signals import AT
from auditor.detection.tested import LEAD, METRICS, ROW, Tested

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.detection.one_window import Ahead
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.signals import Signals
    from auditor.detection.tested import Family, Shown, Test
    from auditor.detection.windows import Floats

SEQUENCES: Final = ("hit_rate", "error_rate", "avg_response_time_ms")
"""Metrics in which a small change that lasts is looked for."""
AT_OF_METRICS: Final = [AT[name] for name in METRICS]
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
    low, high = _tails(families, there, learned)
    z = np.where(there, np.concatenate([family.z for family in families]), np.nan)
    fall, rise = _sequences(z, learned.tolist(), sequences)
    return Tested(
        value=np.where(there, np.concatenate([family.value for family in families]), np.nan),
        expected=np.where(there, np.concatenate([family.expected for family in families]), np.nan),
        low=low,
        high=high,
        weight=np.concatenate([family.weight for family in families]),
        centre=np.concatenate([family.centre for family in families]),
        variance=np.concatenate([family.variance for family in families]),
        fall=fall,
        rise=rise,
        spans=partial(_span, families),
        parts=partial(parts_tested, profile, signals, outlook, lead),
        doubts=partial(doubts_of, profile, outlook, families[1].expected[0], lead),
        gathered=partial(_gathered, families),
    )


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
    value, weight = signals.value[:, -1].tolist(), signals.weight[:, -1].tolist()
    try:
        plain = one_window_tested(one.ahead, one.gathered[:LEAD], value, weight, minute)
    except (ArithmeticError, ValueError):
        return full()
    numbers = np.array([plain.value, plain.expected, plain.weight, plain.centre, plain.variance])[:, :, None]
    low, high = np.array([plain.low, plain.high])[:, :, :, None]
    learned = one.ahead.learned_metrics
    fall, rise = _sequences(np.array(plain.z)[:, None], learned, sequences)
    return Tested(
        *(numbers[0], numbers[1], low, high, numbers[2], numbers[3], numbers[4]),
        fall=fall,
        rise=rise,
        spans=lambda test, row: full().spans(test, row),
        parts=lambda: full().parts(),
        doubts=lambda: full().doubts(),
        gathered=lambda: plain.gathered,
    )


def _gathered(families: tuple[Family, ...]) -> Floats:
    rows = [family.gathered[:, :, -LEAD - 1 :].swapaxes(0, 1) for family in families]
    return np.concatenate([row.reshape(-1, row.shape[-1]) for row in rows])[:, ::-1].T.copy()


def _tails(
    families: tuple[Family, ...],
    there: np.typing.NDArray[np.bool_],
    learned: np.typing.NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    low = np.concatenate([family.low for family in families], axis=1)
    high = np.concatenate([family.high for family in families], axis=1)
    if not there.all():
        low[0, ~there], high[0, ~there] = np.nan, np.nan
        low[:, ~learned], high[:, ~learned] = np.nan, np.nan
    return low, high


def _sequences(
    z: Floats, learned: list[bool], sequences: Sequences
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    names = [name for name, row in zip(SEQUENCES, _ROWS, strict=True) if learned[row]]
    rises = z[[ROW[name] for name in names]]
    starts = [sequences.started.get(name, (0.0, 0.0)) for name in names]
    most = [sequences.most[name] for name in names]
    sums = np.array(
        evidences(
            np.concatenate([-rises, rises]), [*(s[0] for s in starts), *(s[1] for s in starts)], most * 2
        )
    )
    both = list(zip(names, sums[: len(names)], sums[len(names) :], strict=True))
    return {name: fall for name, fall, _ in both}, {name: rise for name, _, rise in both}


def _span(families: tuple[Family, ...], test: Test, row: int) -> Shown:
    """What a span's test of a metric's row looked at."""
    for family in families:
        if row < len(family.there):
            return family.span(test, row)
        row -= len(family.there)
    raise IndexError(row)
