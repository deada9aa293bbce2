"""What an engineer's answer does to what has been learned.

- `incident`: it was no accident of the tests, and no habit. Its hours are not learned from, neither what is normal nor how far out a healthy cache gets, nor
  what is usual at that time.
- `new_normal`: the levels of the metrics that moved are those of now. What the hours before say of shapes and of spreads stays; their levels move
  by as much as the cache has. The alarm no longer keeps its windows out of learning.
- `ignore`: it was nothing to be woken for. Its windows may be learned from, and for four weeks what is no larger is an info; see `answers`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.answers import Answer, Says, Share, effect_of_part, ignored, with_answer
from auditor.detection.findings import HITS_LATENCY, INFO, LATENCIES
from auditor.detection.hours import MINUTES, Part, summarise_hours
from auditor.detection.incidents import TRACKS, fingerprint, is_open, opened_in
from auditor.detection.signals import AT, SIGNALS, Signals, signals_of
from auditor.detection.state import no_peaks
from auditor.detection.validity import broken_identities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.detection.findings import Side
    from auditor.detection.incidents import Incident
    from auditor.detection.profile import Profile
    from auditor.detection.state import Memory
    from auditor.detection.windows import Floats

PATIENCE_MINUTES: Final = 60
"""Minutes for which a new normal may be waited for: then what has moved is either known or over."""
_LATENCIES: Final = tuple(name for name in SIGNALS if name.endswith("response_time_ms"))
_WITH: Final = dict.fromkeys((*LATENCIES, HITS_LATENCY), _LATENCIES)
"""What moves together: the latencies are of the same operations."""


def take(memory: Memory, answer: Answer, minute: int, implementation_type: str) -> bool | None:
    """Take an answer in before the window at `minute` is judged.

    Returns
    -------
    bool or None
        Whether what is normal has to be learned anew; None where the answer has to wait for more windows, and nothing has changed.
    """
    track = _track_of(memory, answer, implementation_type)
    if track is not None:
        answer = _as_known(memory.tracks[track], answer)
    relearn = False
    if answer.says is Says.INCIDENT:
        _leave_out(memory, answer, minute)
    elif answer.says is Says.NEW_NORMAL and track is not None:
        # what is no track's incident any more is over: there is nothing to move by
        lasting = is_open(memory.tracks, track)
        shift = _shift(memory, answer, minute if lasting else answer.last_minute, minute)
        if shift is None:
            if lasting and memory.profile is not None and minute - answer.minute < PATIENCE_MINUTES:
                return None
        else:
            _move(memory, answer, shift)
            memory.record(memory.history.episodes.without(answer.first_minute, minute))
            # the hour is half of the one normal and half of the other
            memory.excluded = memory.excluded | _within(
                memory, minute - minute % MINUTES, answer.first_minute - 1
            )
            relearn = True
    if answer.says is not Says.INCIDENT and track is not None:
        memory.tracks[track]["accepted"] = minute
        _learn_from(memory, answer)
    memory.answers = with_answer(memory.answers, answer, minute)
    return relearn


def _track_of(memory: Memory, answer: Answer, implementation_type: str) -> str | None:
    """The track whose current incident the answer is about."""
    for track in TRACKS:
        incident = memory.tracks.get(track)
        if incident is None:
            continue
        named = opened_in(track, incident)
        for key in incident["metrics"]:
            if fingerprint(implementation_type, named, incident["opened"], key) == answer.fingerprint:
                return track
    return None


def _as_known(incident: Incident, answer: Answer) -> Answer:
    """The answer about an incident as it stands, which is what was answered to, whatever has become of it since in the database."""
    shares = tuple(
        Share(share["metric"], share["direction"], effect_of_part(share))
        for share in incident["metrics"].values()
    )
    return replace(answer, first_minute=incident["opened"], last_minute=incident["last"], shares=shares)


def _leave_out(memory: Memory, answer: Answer, minute: int) -> None:
    first, last = answer.first_minute // MINUTES, answer.last_minute // MINUTES
    if len(memory.history.parts):
        memory.replace_history(memory.history.without(first, last))
    memory.record(memory.history.episodes.without(answer.first_minute, answer.last_minute))
    if last >= minute // MINUTES:
        memory.peaks = no_peaks()
    memory.excluded = memory.excluded | _within(memory, answer.first_minute, answer.last_minute)


def _learn_from(memory: Memory, answer: Answer) -> None:
    """Let the windows of an incident be learned from, but for those that are broken."""
    if memory.recent is not None:
        broken, _ = broken_identities(memory.recent)
        memory.excluded = memory.excluded & (
            broken | ~_within(memory, answer.first_minute, answer.last_minute)
        )


def _within(memory: Memory, first: int, last: int) -> np.typing.NDArray[np.bool_]:
    """Which of the recent windows lie between two minutes, both included."""
    if memory.recent is None:
        return np.zeros(0, dtype=np.bool_)
    minutes = memory.recent.first_minute + np.arange(len(memory.recent))
    return (minutes >= first) & (minutes <= last)


def _shift(memory: Memory, answer: Answer, last: int, minute: int) -> Floats | None:
    """How far the signals that moved are, up to the minute `last`, from what was expected, on the link scale, shape (signals,); None where that is not known."""
    profile, recent = memory.profile, memory.recent
    if profile is None or recent is None:
        return None
    hour = slice(max(0, len(recent) - MINUTES), len(recent))
    looked_at = _within(memory, answer.first_minute, last)[hour]
    windows = recent.slice(hour.start, hour.stop)
    broken, _ = broken_identities(windows)
    moved = _difference(
        profile,
        signals_of(windows).masked(looked_at & windows.present & ~broken),
        windows.first_minute,
        minute,
    )
    shift = np.zeros(len(SIGNALS))
    named = [
        AT[name] for share in answer.shares for name in _WITH.get(share.metric, (share.metric,)) if name in AT
    ]
    shift[named] = moved[named]
    return shift if np.isfinite(moved[named]).any() else None


def _difference(profile: Profile, signals: Signals, first_minute: int, minute: int) -> Floats:
    summary = summarise_hours(Signals(signals.value[:, None], signals.weight[:, None]))[0]
    said = signals.weight > 0.0
    minutes = first_minute + np.arange(said.shape[1])
    expected = profile.outlook(minutes, minute - minute % MINUTES).link
    mean = np.where(said, expected, 0.0).sum(axis=1) / said.sum(axis=1)
    return np.asarray(summary[:, Part.LEVEL] - mean)


def _move(memory: Memory, answer: Answer, shift: Floats) -> None:
    """Move what was learned before the incident, so that it is about the cache as it is now."""
    shift = np.nan_to_num(shift)
    memory.replace_history(memory.history.moved(answer.first_minute // MINUTES, shift))
    moved = {share.metric for share in answer.shares}
    memory.sequences = {name: ends for name, ends in memory.sequences.items() if name not in moved}
    if memory.agreed is not None:
        levels = {name: level for name, level in memory.agreed["levels"].items() if name not in moved}
        memory.agreed = memory.agreed | {"levels": levels}


def quietened(
    sides: list[Side], answers: Sequence[Answer], minutes: np.typing.NDArray[np.int64]
) -> list[Side]:
    """The findings of windows at `minutes`, those that are no more than what was called ignorable as infos."""
    if not any(answer.says is Says.IGNORE for answer in answers):
        return sides
    return [_quietened(side, answers, minutes) for side in sides]


def _quietened(side: Side, answers: Sequence[Answer], minutes: np.typing.NDArray[np.int64]) -> Side:
    level = side.level.copy()
    loud = np.flatnonzero(level > INFO)
    for i, effect in zip(loud.tolist(), _effects(side)[loud].tolist(), strict=True):
        if ignored(answers, side.metric, side.direction, int(minutes[i]), effect) is not None:
            level[i] = INFO
    return replace(side, level=level)


def _effects(side: Side) -> Floats:
    absolute = np.abs(side.value - side.expected)
    return absolute if side.metric == "error_rate" else absolute / np.maximum(np.abs(side.expected), 1e-12)
