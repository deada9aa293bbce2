"""Windows in time order into incidents: which minute opens, extends or resolves what."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.accumulation import accumulate
from auditor.detection.answers import ignored
from auditor.detection.findings import CRITICAL, INFO, WARNING
from auditor.detection.incidents import (
    ALARM,
    COLLECTOR,
    NOTICE,
    REASONS_KEPT,
    TRACKS,
    Finding,
    Incident,
    current,
    excludes,
    extend,
    goes_on,
    is_open,
    is_rest,
    notice_that_goes_on,
    opened,
    quieten,
    rest_until,
    settling,
    silence_that_goes_on,
    track_of_silence,
)
from auditor.detection.signals import AT

if TYPE_CHECKING:
    from auditor.detection.policy import Policy
    from auditor.detection.reading import Reading
    from auditor.detection.state import Memory
    from auditor.detection.windows import WindowBlock

LEAD_IN_WINDOWS: Final = 14
LEAD_IN_SHARE: Final = 0.3
"""Share of the opening's effect by which windows before it have to be off to count as its lead-in."""
EARLIER_WINDOWS: Final = 5
"""How many windows before an opening its cause had not begun, unless it is one that creeps."""
SILENCE_CRITICAL_MINUTES: Final = 5


@dataclass(slots=True)
class Tracked:
    """What a chunk did to the incidents; `excluded`, `anomalous` and `opening` (of an incident of the cache) have shape (n,)."""

    excluded: np.typing.NDArray[np.bool_]
    anomalous: np.typing.NDArray[np.bool_]
    opening: np.typing.NDArray[np.bool_]
    touched: set[str] = field(default_factory=set)
    finished: list[tuple[str, Incident]] = field(default_factory=list)


def track_findings(
    memory: Memory, chunk: WindowBlock, reading: Reading, reasons: dict[int, tuple[str, ...]], policy: Policy
) -> Tracked:
    """Walk the chunk in time order, moving the incidents in `memory`; minutes with nothing to say are passed over.

    `reasons` says why windows of the chunk are broken, by position.
    """
    count = len(chunk)
    anomalous = np.zeros(count, dtype=np.bool_)
    for side in reading.sides:
        anomalous |= side.level > 0
    tracked = Tracked(np.zeros(count, dtype=np.bool_), anomalous, np.zeros(count, dtype=np.bool_))
    speaking = anomalous | reading.silent | reading.usual
    for position in reasons:
        speaking[position] = True
    steps = _Steps(memory, chunk, reading, reasons, policy, tracked)
    i = 0
    while i < count:
        if not any(is_open(memory.tracks, track) for track in TRACKS):
            ahead = np.flatnonzero(speaking[i:])
            if not len(ahead):
                break
            i += int(ahead[0])
        steps.take(i)
        i += 1
    memory.absent_run = int(reading.absent_run[-1]) if count else memory.absent_run
    return tracked


@dataclass(frozen=True, slots=True)
class _Steps:
    memory: Memory
    chunk: WindowBlock
    reading: Reading
    reasons: dict[int, tuple[str, ...]]
    policy: Policy
    tracked: Tracked

    def take(self, i: int) -> None:
        minute = self.chunk.first_minute + i
        if i in self.reasons:
            broken = _broken(self.reasons[i])
            level = self._level("window_validity", "invalid", i, broken["value"], broken["level"])
            self._extend(COLLECTOR, minute, i, [broken | {"level": level}])
        elif not self.chunk.present[i]:
            if self.reading.silent[i]:
                silence, run = self._silence(i), int(self.reading.absent_run[i])
                track = COLLECTOR
                if silence["level"] >= WARNING:
                    track = track_of_silence(self.memory.tracks, minute, run, self.policy)
                self._extend(track, minute, i, [silence])
                self.memory.tracks[track]["silent"] = run
        else:
            self._quieten(COLLECTOR, minute)
            self._statistics(minute, i)
        known = 0 if self.memory.profile is None else self.memory.profile.windows
        self.tracked.excluded[i] = excludes(self.memory.tracks, minute, known) or self.reading.usual[i]

    def _statistics(self, minute: int, i: int) -> None:
        found = [self.reading.finding(side, i) for side in self.reading.sides if side.level[i]]
        found = [settling(self.memory.tracks, finding) for finding in found]
        worse = any(finding["level"] >= WARNING for finding in found)
        if worse:
            self._extend(ALARM, minute, i, found)
        elif not self.reading.usual[i]:
            # what is usual hides whether the alarm goes on
            self._quieten(ALARM, minute)
        if found and not worse and not is_open(self.memory.tracks, ALARM):
            self._extend(NOTICE, minute, i, found)
        else:
            self._quieten(NOTICE, minute)

    def _extend(self, track: str, minute: int, i: int, found: list[Finding]) -> None:
        tracks = self.memory.tracks
        incident = current(tracks, track, minute, found, self.policy)
        if incident is None:
            self._finish(track, minute)
            incident = self._gone_on(minute, found) if track == ALARM else None
            incident = incident or opened(minute)
            tracks[track] = incident
            if track != COLLECTOR:
                self.tracked.opening[i] = True
                self._look_back(incident, i, found)
        if track == NOTICE and (not incident["metrics"] or is_rest(incident)):
            until = rest_until(tracks, minute, found)
            incident["rest_until"] = until if until is not None else incident.get("rest_until")
        extend(incident, minute, found, self.reading.alpha)
        if track == COLLECTOR:
            for reason in self.reasons.get(i, ()):
                if reason not in incident["reasons"] and len(incident["reasons"]) < REASONS_KEPT:
                    incident["reasons"].append(reason)
        elif self.reading.flow is not None:
            accumulate(incident, self.reading.flow, i, minute)
        self.tracked.touched.add(track)

    def _quieten(self, track: str, minute: int) -> None:
        incident = self.memory.tracks.get(track)
        if incident is None or incident["resolved"] is not None:
            return
        if quieten(incident, minute, self.policy):
            self.tracked.touched.discard(track)
            self.tracked.finished.append((track, _copy(incident)))

    def _gone_on(self, minute: int, found: list[Finding]) -> Incident | None:
        """The silence or the notice of just now, which goes on as an alarm."""
        tracks = self.memory.tracks
        silence = silence_that_goes_on(tracks)
        notice = notice_that_goes_on(tracks, minute, found, self.policy)
        for track, incident in ((COLLECTOR, silence), (NOTICE, notice)):
            if incident is not None:
                del tracks[track]
                self.tracked.touched.discard(track)
                return goes_on(incident, track, minute)
        return None

    def _finish(self, track: str, minute: int) -> None:
        """End an incident that is still open, for another one begins."""
        if is_open(self.memory.tracks, track):
            incident = self.memory.tracks[track] | {"resolved": minute}
            self.tracked.touched.discard(track)
            self.tracked.finished.append((track, _copy(incident)))

    def _look_back(self, incident: Incident, i: int, found: list[Finding]) -> None:
        """What came before: the last known size and an earlier one, and for how long the hit rate had been leaning already."""
        reading = self.reading
        at = reading.lead + i
        sizes = reading.signals.value[AT["cache_size"]][max(0, at - LEAD_IN_WINDOWS) : at]
        known = sizes[np.isfinite(sizes)]
        for name, back in (("size_before", 1), ("size_earlier", EARLIER_WINDOWS)):
            incident[name] = math.exp(known[-back]) - 1.0 if len(known) >= back else None
        effects = [finding["absolute"] for finding in found if finding["metric"] == "hit_rate"]
        if not effects:
            return
        incident["lead_in"] = 0
        if reading.hit_rate is None:
            return
        rate = AT["hit_rate"]
        while incident["lead_in"] < min(LEAD_IN_WINDOWS, at):
            before = at - 1 - incident["lead_in"]
            trials = reading.signals.weight[rate][before]
            if not trials:
                return
            away = reading.signals.value[rate][before] / trials - reading.hit_rate[before]
            if away * effects[0] <= 0 or abs(away) < LEAD_IN_SHARE * abs(effects[0]):
                return
            incident["lead_in"] += 1

    def _level(self, metric: str, direction: str, i: int, effect: float, level: int) -> int:
        """The level of a finding about the collector, unless an engineer has called it ignorable."""
        minute = self.chunk.first_minute + i
        return level if ignored(self.memory.answers, metric, direction, minute, effect) is None else INFO

    def _silence(self, i: int) -> Finding:
        run = float(self.reading.absent_run[i])
        expected = float(self.reading.traffic[i])
        p = float(self.reading.silence[i])
        level = CRITICAL if run >= SILENCE_CRITICAL_MINUTES else WARNING
        return {
            "metric": "silence",
            "direction": "absent",
            "level": self._level("silence", "absent", i, run, level),
            "p": p,
            "value": 0.0,
            "expected": expected,
            "absolute": -expected,
            "relative": -1.0,
            "lower": None,
            "upper": None,
            "p_value": p,
            "n": None,
            "method": "negative binomial probability of nothing at all",
        }


def _broken(reasons: tuple[str, ...]) -> Finding:
    return {
        "metric": "window_validity",
        "direction": "invalid",
        "level": WARNING,
        "p": 0.0,
        "value": float(len(reasons)),
        "expected": 0.0,
        "absolute": float(len(reasons)),
        "relative": 0.0,
        "lower": None,
        "upper": None,
        "p_value": None,
        "n": None,
        "method": "identities that every window satisfies",
    }


def _copy(incident: Incident) -> dict[str, Any]:
    """The incident as it stands; later findings may open it again and move it on."""
    return incident | {
        "metrics": {key: dict(part) for key, part in incident["metrics"].items()},
        "signals": {name: dict(sums) for name, sums in incident["signals"].items()},
        "reasons": list(incident["reasons"]),
    }
