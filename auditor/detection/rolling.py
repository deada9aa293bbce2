"""Several hours at once: what the end of each does to the level, and the largest surprises of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.budget import CALIBRATED, surprises
from auditor.detection.hours import MINUTES, Part, summarise_hours
from auditor.detection.signals import AT, SIGNALS, Signals, signals_of
from auditor.detection.tested import Test

if TYPE_CHECKING:
    from auditor.detection.profile import Profile
    from auditor.detection.reading import Reading
    from auditor.detection.tracking import Tracked
    from auditor.detection.windows import Floats, WindowBlock

OPENING_CREDIT: Final = 1.0
"""How far beyond its level a test's surprise counts where an incident opens: enough for too low a level to rise, too little for a
fault to deafen."""


@dataclass(frozen=True, slots=True)
class Rolled:
    """What holds in each hour of a chunk if nothing in it is left out of learning.

    Parameters
    ----------
    profile
        In the last hour; None while learning.
    later
        The profile in the second hour, the third and so on.
    parts
        Shape (hours - 1, signals, 4): the summaries of all hours but the last.
    """

    profile: Profile | None
    later: tuple[Profile, ...]
    parts: Floats

    @classmethod
    def over(cls, profile: Profile | None, chunk: WindowBlock) -> Rolled:
        """Roll the profile over a chunk, which begins an hour where it has more than one."""
        hours = -(-len(chunk) // MINUTES)
        if profile is None or hours < 2 or chunk.first_minute % MINUTES:
            return cls(profile, (), np.zeros((0, len(SIGNALS), len(Part))))
        signals = signals_of(chunk.slice(0, (hours - 1) * MINUTES))
        shape = (len(SIGNALS), hours - 1, MINUTES)
        parts = summarise_hours(Signals(signals.value.reshape(shape), signals.weight.reshape(shape)))
        later = []
        for back, part in enumerate(parts):
            profile = profile.with_hour(chunk.first_minute // MINUTES + back, part[:, Part.LEVEL])
            later.append(profile)
        return cls(profile, tuple(later), parts)


def hourly_peaks(before: Floats, chunk: WindowBlock, reading: Reading, tracked: Tracked) -> Floats:
    """The largest surprise of each test in each hour of the chunk, shape (hours, signals, tests); NaN where there is none.

    `before` is that of the first hour before the chunk. Of what belongs to an incident its opening counts alone, as not much more than what
    opens one.
    """
    minutes = chunk.first_minute + np.arange(len(chunk))
    starts = np.flatnonzero((minutes % MINUTES == 0) | (np.arange(len(chunk)) == 0))
    peaks = np.full((len(starts), len(SIGNALS), len(Test)), np.nan)
    left_out = (tracked.excluded | tracked.anomalous) & ~tracked.opening
    if reading.levels is not None:
        for name, tested in reading.tests.items():
            if name not in CALIBRATED:
                continue
            at = AT[name]
            most = reading.levels.level[at][:, None] + OPENING_CREDIT
            surprise = surprises(name, tested)
            surprise = np.where(tracked.opening, np.minimum(surprise, most), surprise)
            unknown = left_out | (tested.doubtful & (surprise >= most - OPENING_CREDIT))
            peaks[:, at] = np.fmax.reduceat(np.where(unknown, np.nan, surprise), starts, axis=1).T
    peaks[0] = np.fmax(peaks[0], before)
    return peaks
