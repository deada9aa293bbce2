"""The one fold for live, replay and tuning: state and windows in, verdicts and the next state out.

Pure: no clock, no I/O, no environment. Within an hour nothing that is learned changes, so an hour's windows are
tested as one array; at the end of each hour the level moves, the hour is summarised, and what is normal may be learned anew. Those
boundaries are of UTC hours and never of blocks, so that splitting the windows into blocks differently changes nothing, to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.baseline import relearn
from auditor.detection.catalogue import CATALOGUE
from auditor.detection.evidence import observations_of
from auditor.detection.findings import alpha_of
from auditor.detection.hours import MINUTES, summarise_hour
from auditor.detection.incidents import TRACKS
from auditor.detection.judgement import (
    VERDICTS,
    Judgement,
    LearnedBaseline,
    Ledger,
    Observation,
    Scores,
    State,
    Verdict,
)
from auditor.detection.learning import learn
from auditor.detection.reading import Reading, read
from auditor.detection.signals import SIGNALS, signals_of
from auditor.detection.state import Memory, joined
from auditor.detection.tracking import track_findings
from auditor.detection.validity import broken_identities

if TYPE_CHECKING:
    from auditor.detection.policy import Policy
    from auditor.detection.windows import WindowBlock

RELEARN_HOURLY_UNTIL_HOURS: Final = 24
RELEARN_AT_UTC_HOUR: Final = 0
_CODE: Final = {verdict: code for code, verdict in enumerate(VERDICTS)}


def judge(state: State | None, block: WindowBlock, policy: Policy) -> Judgement:
    """Judge consecutive windows of one cache.

    Parameters
    ----------
    state
        What the judgement of the window before gave; None before a cache's first window.
    block
        The windows that follow it, none left out.
    policy
        The settings.

    Returns
    -------
    judgement
        The next state (new JSON; the one given is left alone), a ledger row for each window, the observations that
        were opened, extended or resolved, each once in its last state, and the baseline if one was learned.

    Raises
    ------
    ValueError
        If the block does not follow the state's last window, or the state is of an unknown version.
    """
    memory = Memory.from_json(state, block.implementation_type)
    if memory.recent is not None and len(block) and block.first_minute != memory.recent.last_minute + 1:
        raise ValueError(
            f"the windows of {block.implementation_type} start at minute {block.first_minute}, "
            f"the state ends at {memory.recent.last_minute}"
        )
    work = _Work(block.implementation_type, memory, policy)
    position = 0
    while position < len(block):
        until = position + work.chunk_length(block, position)
        work.judge_chunk(block.slice(position, until))
        position = until
    return work.judgement(block)


def judge_late(state: State | None, block: WindowBlock, policy: Policy) -> Ledger:
    """Judge windows that came late, or were revised, against the state of the moment, which they do not change.

    Each is judged alone, without the quarter of an hour before it.
    """
    memory = Memory.from_json(state, block.implementation_type)
    broken, _ = broken_identities(block)
    reading = read(memory.profile, block, signals_of(block).masked(block.present & ~broken), 0, 0, policy)
    found = np.zeros(len(block), dtype=np.bool_)
    for side in reading.sides:
        found |= side.level > 0
    return Ledger(
        block.first_minute, _verdicts(block, broken, found, memory.profile is not None), reading.scores
    )


def _verdicts(
    block: WindowBlock,
    broken: np.typing.NDArray[np.bool_],
    found: np.typing.NDArray[np.bool_],
    learned: bool,
) -> np.typing.NDArray[np.int8]:
    judged = np.where(found, _CODE[Verdict.ANOMALOUS], _CODE[Verdict.NORMAL])
    known = judged if learned else np.full(len(block), _CODE[Verdict.LEARNING])
    there = np.where(broken, _CODE[Verdict.UNJUDGED], known)
    return np.where(block.present, there, _CODE[Verdict.NO_DATA]).astype(np.int8)


class _Work:
    """One call of `judge` under way."""

    def __init__(self, implementation_type: str, memory: Memory, policy: Policy) -> None:
        self.implementation_type = implementation_type
        self.memory = memory
        self.policy = policy
        self.alpha = alpha_of(policy)
        self.verdicts: list[np.typing.NDArray[np.int8]] = []
        self.scores: list[dict[str, Scores]] = []
        self.observations: dict[str, Observation] = {}
        self.touched: set[str] = set()
        self.baseline: LearnedBaseline | None = None
        self.history_changed = False

    def chunk_length(self, block: WindowBlock, position: int) -> int:
        """Windows up to the end of the UTC hour, or up to the one with which learning has enough."""
        minute = block.first_minute + position
        length = min(MINUTES - minute % MINUTES, len(block) - position)
        missing = self.policy.learning_windows - self.memory.seen
        if self.memory.profile is None and missing > 0:
            ahead = block.slice(position, position + length)
            broken, _ = broken_identities(ahead)
            counted = np.cumsum(ahead.present & ~broken)
            if counted[-1] >= missing:
                length = int(np.searchsorted(counted, missing)) + 1
        return length

    def judge_chunk(self, chunk: WindowBlock) -> None:
        memory = self.memory
        broken, reasons = broken_identities(chunk)
        valid = chunk.present & ~broken
        reading = self._read(chunk, broken)
        tracked = track_findings(memory, chunk, reading, reasons, self.policy)
        for track, incident in tracked.finished:
            self._emit(track, incident)
            self.touched.discard(track)
        self.touched |= tracked.touched
        self.verdicts.append(_verdicts(chunk, broken, tracked.anomalous, memory.profile is not None))
        self.scores.append(reading.scores)
        self._gather_peaks(reading, tracked.excluded | tracked.anomalous)
        memory.remember(chunk, tracked.excluded | broken)
        memory.seen = min(memory.seen + int(valid.sum()), self.policy.learning_windows)
        end = chunk.last_minute + 1
        if end % MINUTES == 0:
            self._close_hour(end)
        elif memory.profile is None and memory.seen >= self.policy.learning_windows:
            self._learn(end, "first hour", provisional=True)

    def judgement(self, block: WindowBlock) -> Judgement:
        """Everything so far, with the open incidents as they stand."""
        memory = self.memory
        for track in TRACKS:
            if track in self.touched and track in memory.tracks:
                self._emit(track, memory.tracks[track])
        empty = np.zeros(0, dtype=np.int8)
        verdict = np.concatenate(self.verdicts) if self.verdicts else empty
        return Judgement(
            state=memory.as_json(),
            ledger=Ledger(block.first_minute, verdict, _concatenated(self.scores)),
            observations=tuple(self.observations.values()),
            baseline=self.baseline,
            history_changed=self.history_changed,
        )

    def _read(self, chunk: WindowBlock, broken: np.typing.NDArray[np.bool_]) -> Reading:
        memory = self.memory
        before = memory.recent
        lead = 0 if before is None else min(14, len(before))
        whole = chunk
        unusable = broken
        if before is not None and lead:
            tail = before.slice(len(before) - lead, len(before))
            whole = joined(tail, chunk, lead + len(chunk))
            earlier, _ = broken_identities(tail)
            unusable = np.concatenate([earlier, broken])
        signals = signals_of(whole).masked(whole.present & ~unusable)
        return read(memory.profile, whole, signals, lead, memory.absent_run, self.policy)

    def _emit(self, track: str, incident: dict[str, Any]) -> None:
        judged = [metric.name for metric in CATALOGUE if metric.name in self._judged()]
        for observation in observations_of(
            self.implementation_type, track, incident, self.memory.profile, judged, self.policy
        ):
            self.observations.pop(observation.fingerprint, None)
            self.observations[observation.fingerprint] = observation

    def _judged(self) -> set[str]:
        profile = self.memory.profile
        if profile is None:
            return set()
        return {name for name, hours in zip(SIGNALS, profile.hours, strict=True) if hours > 0}

    def _gather_peaks(self, reading: Reading, left_out: np.typing.NDArray[np.bool_]) -> None:
        for name, tested in reading.tests.items():
            smaller = np.where(left_out, np.nan, np.fmin(tested.low, tested.high))
            if np.isfinite(smaller).any():
                peak = float(-np.log(max(float(np.nanmin(smaller)), 1e-300)))
                self.memory.peaks[name] = max(peak, self.memory.peaks.get(name, 0.0))

    def _close_hour(self, end: int) -> None:
        memory = self.memory
        hour = end // MINUTES - 1
        parts = self._hour_parts(end)
        hours = len(memory.add_hour(hour, parts).parts)
        memory.peaks = {}
        self.history_changed = True
        if memory.seen < self.policy.learning_windows:
            return
        if memory.profile is None or hours <= RELEARN_HOURLY_UNTIL_HOURS:
            self._learn(end, "hourly in the first day")
        elif (end // MINUTES) % 24 == RELEARN_AT_UTC_HOUR:
            self._learn(end, "daily")
        else:
            memory.profile = memory.profile.with_hour(hour, parts[:, 0])

    def _hour_parts(self, end: int) -> np.typing.NDArray[np.float64]:
        memory = self.memory
        recent = memory.recent
        assert recent is not None
        length = min((end - 1) % MINUTES + 1, len(recent))
        tail = recent.slice(len(recent) - length, len(recent))
        kept = ~memory.excluded[len(recent) - length :]
        peaks = np.array([memory.peaks.get(name, np.nan) for name in SIGNALS])
        return summarise_hour(signals_of(tail).masked(kept), peaks)

    def _learn(self, end: int, reason: str, *, provisional: bool = False) -> None:
        memory = self.memory
        history = memory.history
        if provisional:
            history = history.with_hour((end - 1) // MINUTES, self._hour_parts(end))
        profile = learn(history, end)
        relearned = relearn(self.implementation_type, memory.agreed, profile, history, reason, self.policy)
        memory.profile = profile
        memory.agreed = relearned.agreed
        self.baseline = relearned.baseline
        for observation in relearned.observations:
            self.observations[observation.fingerprint] = observation


def _concatenated(parts: list[dict[str, Scores]]) -> dict[str, Scores]:
    if not parts:
        return {}
    return {
        name: Scores(
            *(
                np.concatenate([getattr(part[name], field) for part in parts])
                for field in ("value", "expected", "lower", "upper", "p_value")
            )
        )
        for name in parts[0]
    }
