"""What one cache's detector remembers between windows, and its JSON."""

from __future__ import annotations

import base64
import operator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.ahead import Ahead
from auditor.detection.answers import Answer
from auditor.detection.budget import levels_of
from auditor.detection.hours import MINUTES, History
from auditor.detection.profile import Profile
from auditor.detection.scoring import OneWindow
from auditor.detection.signals import SIGNALS, Signals, signals_of
from auditor.detection.tested import LEAD, Test
from auditor.detection.validity import broken_identities
from auditor.detection.windows import COLUMNS, WindowBlock

if TYPE_CHECKING:
    from auditor.detection.budget import Levels
    from auditor.detection.episodes import Episodes
    from auditor.detection.judgement import State
    from auditor.detection.policy import Policy
    from auditor.detection.windows import Floats

STATE_VERSION: Final = 2
KEPT: Final = MINUTES + LEAD
"""Windows remembered as they came: the hour that is being gathered, and what completes a span."""


def no_peaks() -> Floats:
    """What the peaks of an hour are before its first window."""
    return np.full((len(SIGNALS), len(Test)), np.nan)


class KeptState(dict[str, Any]):
    """A state as JSON that carries the memory it was written from, so that whoever hands this very object back spares its reading.

    Copied, pickled or joined with another it is a plain dict. Its parts may be replaced, which is noticed; profile and history are not to be
    changed in place.
    """

    __slots__ = ("memory",)

    def __init__(self, state: dict[str, Any], memory: Memory) -> None:
        super().__init__(state)
        self.memory = memory

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


@dataclass(slots=True)
class Memory:
    """The state of the fold as it works; `as_json` and `from_json` are exact inverses.

    Parameters
    ----------
    recent
        The last windows, at most `KEPT`; None before the first.
    excluded
        Of shape (len(recent),): windows that must not be learned from.
    peaks
        Shape (signals, tests): the largest surprise so far in the hour that is being gathered; NaN where none.
    sequences
        Log e-values of a fall and of a rise, by metric: where the sequential tests stand.
    seen
        Valid windows with data so far, counted up to the number that learning needs.
    absent_run
        Minutes without a row up to the last one.
    profile
        What is normal; None while learning.
    stored_history
        The hours that relearning reads, as JSON: they are looked at once an hour, and most calls end before that. None while
        `gathered` holds them.
    gathered
        The hours as arrays, once they have been looked at.
    tracks
        The current incident of each track, as JSON; see `incidents`.
    agreed
        The levels that "normal has moved" is measured from; None in the first day.
    answers
        What engineers have answered, as far as it has been taken in.
    lead_signals
        The signals of the last windows, at most `LEAD`, masked where they say nothing; None where they have to be taken from `recent`.
    ahead, gathered_spans
        What the profile expects of the hour under way, by minute, and what spans are sums of in the last windows of it; None where not known.
    written
        The parts of the JSON that this memory was written as, or read from, last; what has not changed is not written again.
    known_levels
        The levels of a profile under a policy, the last that were asked for.
    """

    recent: WindowBlock | None = None
    excluded: np.typing.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    peaks: Floats = field(default_factory=no_peaks)
    sequences: dict[str, tuple[float, float]] = field(default_factory=dict)
    seen: int = 0
    absent_run: int = 0
    profile: Profile | None = None
    stored_history: dict[str, Any] | None = None
    gathered: History | None = None
    tracks: dict[str, Any] = field(default_factory=dict)
    agreed: dict[str, Any] | None = None
    answers: tuple[Answer, ...] = ()
    lead_signals: Signals | None = None
    ahead: Ahead | None = None
    gathered_spans: tuple[Profile, int, Floats] | None = None
    written: _Written | None = None
    known_levels: tuple[Profile, Policy, Levels] | None = None

    @property
    def history(self) -> History:
        """The hours that relearning reads."""
        if self.gathered is None:
            self.gathered = (
                History.empty() if self.stored_history is None else History.from_json(self.stored_history)
            )
        return self.gathered

    def add_hours(self, hour: int, parts: Floats, peaks: Floats) -> History:
        """Append the summaries of hours, the first of them `hour`; the history with them."""
        self.gathered = self.history.with_hours(hour, parts, peaks)
        self.stored_history = None
        return self.gathered

    def replace_history(self, history: History) -> None:
        """Have relearning read other hours than were seen."""
        self.gathered, self.stored_history = history, None

    def record(self, episodes: Episodes) -> None:
        """Keep what was found strange in the place of what was kept of it so far."""
        self.gathered = replace(self.history, episodes=episodes)
        self.stored_history = None

    def remember(self, block: WindowBlock, excluded: np.typing.NDArray[np.bool_]) -> None:
        """Append windows and forget those that are no longer needed."""
        self.excluded = np.concatenate([self.excluded, excluded])[-KEPT:]
        self.recent = joined(self.recent, block, KEPT)

    def lead(self) -> Signals:
        """The signals of the last windows that spans reach back to, masked where they say nothing."""
        if self.lead_signals is None:
            self.lead_signals = _no_signals() if self.recent is None else _lead_of(self.recent)
        return self.lead_signals

    def one_window(self, profile: Profile, hour_start: int) -> OneWindow | None:
        """What it takes to test the next window by itself; None where the windows before it were judged by another profile, or in another hour."""
        gathered = self.gathered_spans
        if gathered is None or gathered[0] is not profile or gathered[1] != hour_start:
            return None
        if self.ahead is None or self.ahead.profile is not profile or self.ahead.hour_start != hour_start:
            self.ahead = Ahead.of(profile, hour_start)
        return OneWindow(self.ahead, gathered[2])

    def keep_spans(self, before: Profile, hour_start: int) -> None:
        """Keep what spans are sums of, once the level has moved at the end of an hour: what came before it was expected by the level of then."""
        gathered = self.gathered_spans
        if gathered is not None and gathered[0] is before and self.profile is not None:
            self.gathered_spans = (self.profile, hour_start, gathered[2])

    def levels(self, profile: Profile, policy: Policy) -> Levels:
        """How surprising each test has to be, worked out once for a profile and a policy."""
        known = self.known_levels
        if known is None or known[0] is not profile or known[1] != policy:
            known = self.known_levels = (profile, policy, levels_of(profile, policy))
        return known[2]

    def as_json(self) -> State:
        """The state as plain JSON."""
        written = self.written
        if written is None or written.of_profile is not self.profile:
            profile = None if self.profile is None else self.profile.as_json()
            written = self.written = _Written(self.profile, profile)
        if self.stored_history is None:
            # the arrays are as large as the text, and not looked at again before the hour is over
            self.stored_history, self.gathered = self.history.as_json(), None
        hot = {
            "recent": None if self.recent is None else _block_as_json(self.recent),
            "excluded": base64.b64encode(np.packbits(self.excluded).tobytes()).decode(),
            "peaks": base64.b64encode(self.peaks.astype("<f8").tobytes()).decode(),
            "sequences": {name: list(both) for name, both in self.sequences.items()},
            "seen": self.seen,
            "absent_run": self.absent_run,
            "profile": written.profile,
            "tracks": self.tracks,
            "agreed": self.agreed,
            "answers": [answer.as_json() for answer in self.answers],
        }
        state = {"version": STATE_VERSION, "hot": hot, "history": self.stored_history}
        self.written = _Written(written.of_profile, written.profile, _parts_of(state))
        return KeptState(state, self)

    @classmethod
    def from_json(cls, state: State | None, implementation_type: str) -> Memory:
        """The memory that `as_json` wrote, or an empty one.

        Raises
        ------
        ValueError
            If the state was written by a version that this one does not know.
        """
        if state is None:
            return cls()
        if state["version"] != STATE_VERSION:
            raise ValueError(
                f"the stored state of {implementation_type} has version {state['version']}, this auditor reads {STATE_VERSION}"
            )
        hot = state["hot"]
        memory = _kept(state)
        if memory is None:
            memory = cls._read(hot, implementation_type)
            memory.stored_history = state["history"]
        memory.sequences = {name: (fall, rise) for name, (fall, rise) in hot["sequences"].items()}
        memory.seen, memory.absent_run = hot["seen"], hot["absent_run"]
        memory.tracks, memory.agreed = _copied(hot["tracks"]), hot["agreed"]
        memory.answers = tuple(map(Answer.from_json, hot.get("answers", ())))
        return memory

    @classmethod
    def _read(cls, hot: dict[str, Any], implementation_type: str) -> Memory:
        recent = None if hot["recent"] is None else _block_from_json(hot["recent"], implementation_type)
        bits = np.unpackbits(np.frombuffer(base64.b64decode(hot["excluded"]), dtype=np.uint8))
        profile = None if hot["profile"] is None else Profile.from_json(hot["profile"])
        return cls(
            recent=recent,
            excluded=bits[: 0 if recent is None else len(recent)].astype(np.bool_),
            peaks=np.frombuffer(base64.b64decode(hot["peaks"]), dtype="<f8").reshape(no_peaks().shape).copy(),
            profile=profile,
            written=_Written(profile, hot["profile"]),
        )


@dataclass(frozen=True, slots=True)
class _Written:
    """A profile with its JSON, and the parts of the state it was written with."""

    of_profile: Profile | None
    profile: dict[str, Any] | None
    parts: tuple[Any, ...] = ()


def _parts_of(state: State) -> tuple[Any, ...]:
    """What is only read anew where it is not the same object as when it was written."""
    hot = state["hot"]
    recent = hot["recent"] or {}
    return (
        *(hot["recent"], hot["excluded"], hot["peaks"], hot["profile"], state["history"]),
        *(recent.get("columns"), recent.get("present"), recent.get("first_minute"), recent.get("windows")),
    )


def _kept(state: State) -> Memory | None:
    """A copy of the memory that a state carries, if the state is still what was written then."""
    if not isinstance(state, KeptState) or state.memory.written is None:
        return None
    same = all(map(operator.is_, _parts_of(state), state.memory.written.parts))
    return replace(state.memory) if same else None


def _copied(stored: Any) -> Any:
    """A copy of plain JSON, in a quarter of `deepcopy`'s time."""
    if isinstance(stored, dict):
        return {name: _copied(part) for name, part in stored.items()}
    return [_copied(part) for part in stored] if isinstance(stored, list) else stored


def _no_signals() -> Signals:
    return Signals(np.zeros((len(SIGNALS), 0)), np.zeros((len(SIGNALS), 0)))


def _lead_of(recent: WindowBlock) -> Signals:
    tail = recent.slice(max(0, len(recent) - LEAD), len(recent))
    broken, _ = broken_identities(tail)
    return signals_of(tail).masked(tail.present & ~broken)


def joined(first: WindowBlock | None, second: WindowBlock, keep: int) -> WindowBlock:
    """The last `keep` windows of two blocks, the second following the first."""
    if first is None:
        return second.slice(max(0, len(second) - keep), len(second))
    values = np.concatenate([first.values, second.values], axis=1)[:, -keep:]
    present = np.concatenate([first.present, second.present])[-keep:]
    revision = np.concatenate([first.revision, second.revision])[-keep:]
    start = second.last_minute - len(present) + 1
    return WindowBlock(second.implementation_type, start, values, present, revision)


def _block_as_json(block: WindowBlock) -> dict[str, Any]:
    return {
        "first_minute": block.first_minute,
        "windows": len(block),
        "columns": base64.b64encode(block.values.astype("<f8").tobytes()).decode(),
        "present": base64.b64encode(np.packbits(block.present).tobytes()).decode(),
    }


def _block_from_json(stored: dict[str, Any], implementation_type: str) -> WindowBlock:
    count = stored["windows"]
    data = np.frombuffer(base64.b64decode(stored["columns"]), dtype="<f8").reshape(len(COLUMNS), count)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(stored["present"]), dtype=np.uint8))[:count]
    zeros = np.zeros(count, dtype=np.int64)
    return WindowBlock(
        implementation_type, stored["first_minute"], data.astype(np.float64), bits.astype(np.bool_), zeros
    )
