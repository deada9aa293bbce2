"""The one fold for live, replay and tuning: state and windows in, verdicts and the next state out.

Pure: no clock, no I/O, no environment. What is learned moves at the end of each UTC hour: the level moves, the hour is summarised, and what is
normal may be learned anew. Those boundaries are never of blocks, so that splitting the windows into blocks differently changes
nothing, to the last bit. Hours up to the next relearning are tested as one array all the same, on the assumption that nothing in them has to be
left out of learning; where something has, they are tested again up to the end of that hour.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.answers import not_taken
from auditor.detection.baseline import learned_baseline, relearn
from auditor.detection.budget import levels_of
from auditor.detection.catalogue import CATALOGUE
from auditor.detection.corrections import quietened, take
from auditor.detection.evidence import observations_of
from auditor.detection.hours import MINUTES, Part, summarise_hours
from auditor.detection.incidents import TRACKS, excludes, is_rest
from auditor.detection.judgement import (
    VERDICTS,
    Judgement,
    LearnedBaseline,
    Ledger,
    Observation,
    State,
    Told,
    Verdict,
)
from auditor.detection.learning import learn
from auditor.detection.once import Once
from auditor.detection.quiet import pass_quietly
from auditor.detection.reading import Before, Reading, read
from auditor.detection.returning import returning
from auditor.detection.rolling import Rolled, hourly_peaks
from auditor.detection.signals import SIGNALS, Signals, signals_of
from auditor.detection.state import Memory, no_peaks
from auditor.detection.tested import LEAD
from auditor.detection.tracking import track_findings
from auditor.detection.validity import broken_identities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from auditor.detection.answers import Answer
    from auditor.detection.episodes import Episodes
    from auditor.detection.judgement import Scores
    from auditor.detection.policy import Policy
    from auditor.detection.profile import Profile
    from auditor.detection.windows import Floats, WindowBlock

DAY_MINUTES: Final = 1440
FIRST_DAY_HOURS: Final = 24
RELEARN_AFTER_GROWTH: Final = 1.25
"""In the first day what is normal is learned anew whenever the history has grown by a quarter: less is hardly anything new."""
RELEARN_AT_UTC_HOUR: Final = 0
NO_ANSWER: Final = 1 << 40
"""Minutes until the next answer where there is none."""
_CODE: Final = {verdict: code for code, verdict in enumerate(VERDICTS)}
_NORMAL: Final = np.array([_CODE[Verdict.NORMAL]], dtype=np.int8)
_NOT_IMPROBABLE: Final = np.zeros(1, dtype=np.bool_)


def judge(
    state: State | None, block: WindowBlock, policy: Policy, answers: Sequence[Answer] = ()
) -> Judgement:
    """Judge consecutive windows of one cache.

    Parameters
    ----------
    state
        What the judgement of the window before gave; None before a cache's first window.
    block
        The windows that follow it, none left out.
    policy
        The settings.
    answers
        What engineers have answered to the cache's observations: all that stands, or more. Each is taken in once, before the first window at or
        after its minute that has not been judged.

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
    work.pending = not_taken(answers, memory.answers, block.first_minute)
    position = 0
    # what is unknown is NaN, and goes through all arithmetic as such
    with np.errstate(all="ignore"):
        while position < len(block):
            ahead = work.take_answers(block.first_minute + position)
            until = position + min(work.chunk_length(block, position), ahead)
            position += work.judge_chunk(block.slice(position, until))
        return work.judgement(block)


def judge_late(state: State | None, block: WindowBlock, policy: Policy) -> Ledger:
    """Judge windows that came late, or were revised, against the state of the moment, which they do not change.

    Each is judged alone, without the quarter of an hour before it.
    """
    memory = Memory.from_json(state, block.implementation_type)
    broken, _ = broken_identities(block)
    profile = memory.profile
    minutes = block.first_minute + np.arange(len(block))
    outlook = None if profile is None else Once(partial(profile.outlook, minutes, block.first_minute))
    levels = None if profile is None else levels_of(profile, policy)
    with np.errstate(all="ignore"):
        signals = signals_of(block).masked(block.present & ~broken)
        reading = read(
            profile, block, signals, outlook, levels, 0, Before(0, {}, partial(_episodes, memory)), policy
        )
    found = np.zeros(len(block), dtype=np.bool_)
    for side in reading.sides:
        found |= side.level > 0
    verdicts = _verdicts(block, broken, found, profile is not None)
    return Ledger(block.first_minute, verdicts, (Told(reading.scores),), reading.improbable)


def _verdicts(
    block: WindowBlock,
    broken: np.typing.NDArray[np.bool_],
    found: np.typing.NDArray[np.bool_],
    learned: bool,
) -> np.typing.NDArray[np.int8]:
    normal = Verdict.NORMAL if learned else Verdict.LEARNING
    verdicts = np.full(len(block), _CODE[normal], dtype=np.int8)
    if learned:
        verdicts[found] = _CODE[Verdict.ANOMALOUS]
    verdicts[broken] = _CODE[Verdict.UNJUDGED]
    verdicts[~block.present] = _CODE[Verdict.NO_DATA]
    return verdicts


def _first_left_out(chunk: WindowBlock, reading: Reading, reasons: dict[int, tuple[str, ...]]) -> int:
    """Windows up to the end of the hour with the first window that learning may have to leave out, or that is recorded; all where there is none."""
    left_out = reading.strange.copy()
    left_out[list(reasons)] = True
    if not left_out.any():
        return len(chunk)
    minute = chunk.first_minute + int(np.argmax(left_out))
    return min(len(chunk), minute - minute % MINUTES + MINUTES - chunk.first_minute)


def _episodes(memory: Memory) -> Episodes:
    return memory.history.episodes


def _joined(parts: list[Any], kind: type) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, dtype=kind), *parts])


class _Work:
    """One call of `judge` under way."""

    def __init__(self, implementation_type: str, memory: Memory, policy: Policy) -> None:
        self.implementation_type = implementation_type
        self.memory = memory
        self.policy = policy
        self.verdicts: list[np.typing.NDArray[np.int8]] = []
        self.scores: list[Callable[[], Mapping[str, Scores]]] = []
        self.improbable: list[np.typing.NDArray[np.bool_]] = []
        self.observations: dict[str, Observation] = {}
        self.touched: set[str] = set()
        self.baseline: Callable[[], LearnedBaseline] | None = None
        self.history_changed = False
        self.pending: list[Answer] = []

    def take_answers(self, minute: int) -> int:
        """Take in what engineers have answered before the window at `minute` is judged; the minutes until there is more to be taken in."""
        waiting: list[Answer] = []
        for answer in self.pending:
            relearn = None
            if answer.minute <= minute:
                relearn = take(self.memory, answer, minute, self.implementation_type)
            if relearn is None:
                waiting.append(answer)
                continue
            self.history_changed = True
            if relearn:
                self._learn(minute, "new normal", provisional=minute % MINUTES > 0)
        self.pending = waiting
        return min((max(answer.minute - minute, 1) for answer in waiting), default=NO_ANSWER)

    def chunk_length(self, block: WindowBlock, position: int) -> int:
        """Windows up to the next relearning; while something is left out of learning, up to the end of the UTC hour."""
        minute = block.first_minute + position
        left = len(block) - position
        length = min(MINUTES - minute % MINUTES, left)
        memory = self.memory
        if memory.profile is None:
            missing = self.policy.learning_windows - memory.seen
            if missing > 0:
                ahead = block.slice(position, position + length)
                broken, _ = broken_identities(ahead)
                counted = np.cumsum(ahead.present & ~broken)
                if counted[-1] >= missing:
                    length = int(np.searchsorted(counted, missing)) + 1
            return length
        if minute % MINUTES or excludes(memory.tracks, minute, memory.profile.windows):
            return length
        hours = len(memory.history.parts)
        if hours < FIRST_DAY_HOURS:
            return min((self._relearning_at(memory.profile) - hours) * MINUTES, left)
        return min((RELEARN_AT_UTC_HOUR * MINUTES - minute - 1) % DAY_MINUTES + 1, left)

    def judge_chunk(self, chunk: WindowBlock) -> int:
        """Judge windows, up to the end of the first hour in which something has to be left out of learning; how many those were."""
        memory = self.memory
        if len(chunk) == 1:
            quiet = pass_quietly(memory, chunk, self.policy)
            if quiet is not None:
                self.verdicts.append(_NORMAL)
                self.scores.append(quiet)
                self.improbable.append(_NOT_IMPROBABLE)
                end = chunk.last_minute + 1
                if end % MINUTES == 0:
                    self._close_hour(end, self._hour_parts(end))
                return 1
        broken, reasons = broken_identities(chunk)
        fresh = signals_of(chunk)
        rolled = Rolled.over(memory.profile, chunk, fresh)
        reading = self._read(chunk, fresh.masked(chunk.present & ~broken), rolled)
        within = _first_left_out(chunk, reading, reasons)
        if within < len(chunk):
            return self.judge_chunk(chunk.slice(0, within))
        memory.profile = rolled.profile
        tracked = track_findings(memory, chunk, reading, reasons, self.policy)
        for track, incident in tracked.finished:
            self._emit(track, incident)
            self.touched.discard(track)
        self.touched |= tracked.touched
        self.verdicts.append(_verdicts(chunk, broken, tracked.anomalous, memory.profile is not None))
        self.scores.append(Told(reading.scores))
        self.improbable.append(reading.improbable)
        memory.sequences = memory.sequences | reading.standing
        peaks = hourly_peaks(memory.peaks, chunk, reading, tracked)
        memory.remember(chunk, tracked.excluded | broken)
        self._record(reading)
        end = reading.signals.value.shape[1]
        memory.lead_signals = reading.signals.slice(max(0, end - LEAD), end)
        valid = chunk.present & ~broken
        memory.seen = min(memory.seen + int(valid.sum()), self.policy.learning_windows)
        if len(rolled.parts):
            memory.add_hours(chunk.first_minute // MINUTES, rolled.parts, peaks[: len(rolled.parts)])
            self.history_changed = True
        memory.peaks = peaks[len(rolled.parts)]
        end = chunk.last_minute + 1
        if end % MINUTES == 0:
            learnable = not (reasons or tracked.excluded.any())
            parts = rolled.closing if learnable and rolled.closing is not None else self._hour_parts(end)
            self._close_hour(end, parts)
        elif memory.profile is None and memory.seen >= self.policy.learning_windows:
            self._learn(end, "first hour", provisional=True)
        return len(chunk)

    def judgement(self, block: WindowBlock) -> Judgement:
        """Everything so far, with the open incidents as they stand."""
        memory = self.memory
        for track in TRACKS:
            if track in self.touched and track in memory.tracks:
                self._emit(track, memory.tracks[track])
        verdict = _joined(self.verdicts, np.int8)
        improbable = _joined(self.improbable, np.bool_)
        return Judgement(
            state=memory.as_json(),
            ledger=Ledger(block.first_minute, verdict, tuple(self.scores), improbable),
            observations=tuple(self.observations.values()),
            baseline=self.baseline and self.baseline(),
            history_changed=self.history_changed,
        )

    def _read(self, chunk: WindowBlock, fresh: Signals, rolled: Rolled) -> Reading:
        memory = self.memory
        before, signals = memory.lead(), fresh
        lead = before.value.shape[1]
        if lead:
            signals = before.followed_by(fresh)
        minutes = np.arange(chunk.first_minute - lead, chunk.last_minute + 1)
        hour_start = chunk.first_minute - chunk.first_minute % MINUTES
        profile = memory.profile
        before_it = Before(memory.absent_run, memory.sequences, partial(_episodes, memory))
        if profile is None:
            return read(None, chunk, signals, None, None, lead, before_it, self.policy)
        outlook = Once(partial(profile.outlook, minutes, hour_start, rolled.later))
        levels = memory.levels(profile, self.policy)
        one = memory.one_window(profile, hour_start) if len(chunk) == 1 else None
        reading = read(profile, chunk, signals, outlook, levels, lead, before_it, self.policy, one)
        sides = reading.sides
        if sides:
            hour = chunk.first_minute // MINUTES
            sides = returning(
                sides, profile, lambda: rolled.after(memory.history, hour), minutes[lead:], self.policy
            )
        if memory.answers:
            sides = quietened(sides, memory.answers, minutes[lead:])
        reading = replace(reading, sides=sides)
        tested = None if rolled.later else reading.tested
        memory.gathered_spans = None if tested is None else (profile, hour_start, tested.gathered())
        return reading

    def _record(self, reading: Reading) -> None:
        if reading.episodes is not None:
            self.memory.record(reading.episodes)
            self.history_changed = True

    def _emit(self, track: str, incident: dict[str, Any]) -> None:
        if is_rest(incident):
            return
        judged = [metric.name for metric in CATALOGUE if metric.name in self._judged()]
        for observation in observations_of(
            self.implementation_type,
            track,
            incident,
            self.memory.profile,
            judged,
            self.policy,
            self.memory.answers,
        ):
            self.observations.pop(observation.fingerprint, None)
            self.observations[observation.fingerprint] = observation

    def _judged(self) -> set[str]:
        profile = self.memory.profile
        if profile is None:
            return set()
        return {name for name, hours in zip(SIGNALS, profile.hours, strict=True) if hours > 0}

    def _close_hour(self, end: int, parts: Floats) -> None:
        memory = self.memory
        hour = end // MINUTES - 1
        hours = len(memory.add_hours(hour, parts[None], memory.peaks[None]).parts)
        memory.peaks = no_peaks()
        self.history_changed = True
        if memory.seen < self.policy.learning_windows:
            return
        profile, first_day = memory.profile, hours <= FIRST_DAY_HOURS
        if profile is None or (first_day and hours >= self._relearning_at(profile)):
            self._learn(end, "in the first day")
        elif not first_day and (end // MINUTES) % 24 == RELEARN_AT_UTC_HOUR:
            memory.record(memory.history.episodes.newest(end))
            self._learn(end, "daily")
        else:
            memory.profile = profile.with_hour(hour, parts[:, Part.LEVEL])
            memory.keep_spans(profile, end)

    def _relearning_at(self, profile: Profile) -> int:
        """Hours of history at which it is learned anew in the first day."""
        then = profile.learned_minute // MINUTES - self.memory.history.first_hour
        return min(max(math.ceil(RELEARN_AFTER_GROWTH * then), then + 1), FIRST_DAY_HOURS)

    def _hour_parts(self, end: int) -> Floats:
        memory = self.memory
        recent = memory.recent
        assert recent is not None
        length = min((end - 1) % MINUTES + 1, len(recent))
        tail = recent.slice(len(recent) - length, len(recent))
        kept = ~memory.excluded[len(recent) - length :]
        signals = signals_of(tail).masked(kept)
        parts = summarise_hours(Signals(signals.value[:, None], signals.weight[:, None]))
        return np.asarray(parts[0])

    def _learn(self, end: int, reason: str, *, provisional: bool = False) -> None:
        memory = self.memory
        history = memory.history
        if provisional:
            history = history.with_hours(
                (end - 1) // MINUTES, self._hour_parts(end)[None], memory.peaks[None]
            )
        profile = learn(history, end, memory.profile)
        relearned = relearn(self.implementation_type, memory.agreed, profile, history, self.policy)
        memory.profile = profile
        memory.agreed = relearned.agreed
        # only the last of a block is handed on
        self.baseline = partial(learned_baseline, self.implementation_type, profile, history, reason)
        for observation in relearned.observations:
            self.observations[observation.fingerprint] = observation
