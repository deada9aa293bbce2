"""Several hours at once: what the end of each does to the level, and the largest surprises of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.budget import CAUTION, largest_surprises, surprises
from auditor.detection.hours import MINUTES, Part, summarise_hours
from auditor.detection.signals import AT, SIGNALS, Signals
from auditor.detection.tested import ROW, Test

if TYPE_CHECKING:
    from auditor.detection.budget import Levels
    from auditor.detection.hours import History
    from auditor.detection.profile import Profile, Standing
    from auditor.detection.reading import Reading
    from auditor.detection.tested import Tested
    from auditor.detection.tracking import Tracked
    from auditor.detection.windows import Floats, WindowBlock

_AFTER: Final = ROW["throughput"] + 1
_GAUGES: Final = slice(AT["avg_response_time_ms"], AT["cache_size"] + 1)
_AT_HITS: Final = AT["avg_hit_response_time_ms"]
_HITS: Final = ROW["avg_hit_response_time_ms"]
_RANGES: Final = (
    (slice(0, _AFTER), slice(0, _AFTER)),
    (_GAUGES, slice(_AFTER, _HITS)),
    (slice(_AT_HITS, _AT_HITS + 1), slice(_HITS, None)),
)
"""Where the rows of the metrics stand among the signals."""
_NO_HOURS: Final = np.zeros((0, len(SIGNALS), len(Part)))
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
        Where level and load stand in the second hour, the third and so on.
    parts
        Shape (hours - 1, signals, 4): the summaries of all hours but the last.
    closing
        That of the last hour, shape (signals, 4), where it is whole and begins in the chunk; else None.
    """

    profile: Profile | None
    later: tuple[Standing, ...]
    parts: Floats
    closing: Floats | None = None

    @classmethod
    def over(cls, profile: Profile | None, chunk: WindowBlock, signals: Signals) -> Rolled:
        """Roll the profile over a chunk, which begins an hour where it has more than one; `signals` are its own."""
        hours, open_windows = divmod(len(chunk), MINUTES)
        if profile is None or not hours or chunk.first_minute % MINUTES:
            return cls(profile, (), _NO_HOURS)
        whole = signals.slice(0, hours * MINUTES)
        shape = (len(SIGNALS), hours, MINUTES)
        parts = summarise_hours(Signals(whole.value.reshape(shape), whole.weight.reshape(shape)))
        closing = None if open_windows else parts[-1]
        earlier = parts if open_windows else parts[:-1]
        standings = profile.standings_after(chunk.first_minute // MINUTES, earlier[:, :, Part.LEVEL])
        return cls(profile.standing_at(standings), tuple(standings), earlier, closing)

    def after(self, history: History, hour: int) -> History:
        """The history with all hours of the chunk but the last; `hour` is the chunk's first."""
        if not len(self.parts):
            return history
        return history.with_hours(
            hour, self.parts, np.full((len(self.parts), len(SIGNALS), len(Test)), np.nan)
        )


def hourly_peaks(before: Floats, chunk: WindowBlock, reading: Reading, tracked: Tracked) -> Floats:
    """The largest surprise of each test in each hour of the chunk, shape (hours, signals, tests); NaN where there is none.

    `before` is that of the first hour before the chunk. Of what belongs to an incident its opening counts alone, as not much more than what
    opens one.
    """
    ahead = -chunk.first_minute % MINUTES
    starts = [0, *range(ahead or MINUTES, len(chunk), MINUTES)]
    peaks = np.full((len(starts), len(SIGNALS), len(Test)), np.nan)
    if reading.levels is not None and reading.tested is not None:
        largest = _largest(reading.tested, reading.levels, tracked, starts)
        for signals, metrics in _RANGES:
            peaks[:, signals] = largest[:, metrics].T
    peaks[0] = np.fmax(peaks[0], before)
    return peaks


def peaks_after(before: Floats, surprise: Floats) -> Floats:
    """`hourly_peaks` of one window that is learned from, whose surprises have shape (tests, metrics); shape (signals, tests)."""
    peaks = before.copy()
    of_metrics = surprise.T
    for signals, metrics in _RANGES:
        np.fmax(peaks[signals], of_metrics[metrics], out=peaks[signals])
    return peaks


def _largest(tested: Tested, levels: Levels, tracked: Tracked, starts: list[int]) -> Floats:
    """The largest surprises that are learned from, by test, metric and hour."""
    ordinary = not (tracked.opening | tracked.excluded | tracked.anomalous).any()
    if ordinary:
        # of ordinary hours all is learned from, so that only the largest has to be told as a surprise
        largest = largest_surprises(tested, starts)
        row = ROW["throughput"]
        ordinary = not (largest[:, row] >= levels.of_metrics[:, row, None] - CAUTION).any()
    if ordinary:
        return largest
    surprise = _counted(surprises(tested), tested, levels, tracked)
    return surprise if surprise.shape[2] == 1 else np.fmax.reduceat(surprise, starts, axis=2)


def _counted(surprise: Floats, tested: Tested, levels: Levels, tracked: Tracked) -> Floats:
    """The surprises that are learned from, NaN elsewhere; shape (tests, metrics, n)."""
    most = levels.of_metrics[:, :, None] + OPENING_CREDIT
    if tracked.opening.any():
        surprise = np.where(tracked.opening, np.minimum(surprise, most), surprise)
    row = ROW["throughput"]
    beyond = surprise[:, row] >= most[:, row] - OPENING_CREDIT
    if beyond.any():
        surprise[:, row][beyond & tested.doubtful] = np.nan
    left_out = (tracked.excluded | tracked.anomalous) & ~tracked.opening
    if left_out.any():
        surprise[:, :, left_out] = np.nan
    return surprise
