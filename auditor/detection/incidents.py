"""Findings that belong together: opened, extended, resolved after a quiet spell, reopened if they flap.

A track is a kind of incident that one cache can have one of at a time: `alarm` (something is worse), `notice` (something is different,
and nothing worse) and `collector` (the windows themselves are wrong or missing). A track's incident is plain JSON and part of the state.

What ends in an alarm is that alarm's beginning: a silence (what restarts is silent, and comes back empty), and a notice of what was there
before it mattered. It goes on in the track of alarms, under the name it was opened with. What is left of an alarm once it no longer matters is
no notice of its own for two hours.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.catalogue import BASELINE, BY_NAME, VALIDITY, Severity
from auditor.detection.findings import CRITICAL, HITS_LATENCY, INFO, LATENCIES, WARNING

if TYPE_CHECKING:
    from auditor.detection.policy import Policy

Incident = dict[str, Any]
Finding = dict[str, Any]

ALARM: Final = "alarm"
NOTICE: Final = "notice"
COLLECTOR: Final = "collector"
TRACKS: Final = (ALARM, NOTICE, COLLECTOR)

METRICS: Final = BY_NAME | {VALIDITY.name: VALIDITY, BASELINE.name: BASELINE}

SILENCE: Final = "silence:absent"
HITS: Final = "hits"
_KIND: Final = {"hit_rate": HITS, "error_rate": "errors"} | dict.fromkeys(
    (*LATENCIES, HITS_LATENCY), "latency"
)
"""What hurts users, and may be another fault while an incident of something else is open; a cache's size follows."""
AGAIN_AFTER_MINUTES: Final = 120
"""Minutes without a finding of a kind after which it is another fault, though something else has kept the incident open."""
JUST_NOTICED_MINUTES: Final = 15
"""Minutes since a notice opened in which an alarm that opens is of the same change, whatever the two are of."""
NO_FURTHER: Final = 1.1
"""By how much something may be further from normal than so far by chance."""
GONE_FURTHER: Final = 2.0
"""How many times as far from normal as it has been something may be and still be the same that has gone further; a fault of its own is sudden."""
FAILS_BEFORE_MINUTES: Final = 5
"""Minutes before a silence in which an alarm that opens is of the same fault."""
NEW_NORMAL_AFTER_MINUTES: Final = 3 * 1440
"""An alarm that has lasted this long is what is normal now: it stays open, but its windows are learned from."""
FIRST_DAY_MINUTES: Final = 1440
LEAST_LEFT_OUT_MINUTES: Final = 60
SHARE_LEFT_OUT: Final = 1 / 6
"""In the first day an alarm that has lasted for this share of what is known is: who knows a night only knows no day."""
SURE_AT_ONCE: Final = 1e-3
"""A finding this many times less probable than the threshold is critical without waiting for two more."""
CRITICAL_WINDOWS: Final = 3
REASONS_KEPT: Final = 5
NOT_KNOWN: Final = -1
"""The lead-in of an incident that the hit rate did not open."""


def opened(minute: int) -> Incident:
    """A new incident without findings."""
    return {
        "opened": minute,
        "last": minute,
        "quiet": 0,
        "resolved": None,
        "flagged": 0,
        "metrics": {},
        "lead": None,
        "signals": {},
        "size_before": None,
        "size_earlier": None,
        "lead_in": NOT_KNOWN,
        "extra_misses": 0.0,
        "added_ms": 0.0,
        "reasons": [],
        "accepted": None,
        "went_on": None,
        "silent": 0,
    }


def began(incident: Incident) -> int:
    """The minute in which what it is told by began: that of its opening, or the one in which a silence or a notice went on as an alarm."""
    went_on: int | None = incident.get("went_on")
    return incident["opened"] if went_on is None else went_on


def silence_that_goes_on(tracks: dict[str, Any]) -> Incident | None:
    """The silence that an alarm which begins now is the rest of: one that has paged, and is not over for as long as resolves it."""
    incident: Incident | None = tracks.get(COLLECTOR)
    if incident is None or incident["resolved"] is not None or list(incident["metrics"]) != [SILENCE]:
        return None
    return None if incident["metrics"][SILENCE]["warned"] is None else incident


def goes_on(incident: Incident, track: str, minute: int) -> Incident:
    """A silence or a notice, opened in its track, as the alarm that it is from now on: what tells the cause is gathered anew."""
    return incident | {
        "went_on": minute,
        "opened_in": track,
        "signals": {},
        "size_before": None,
        "size_earlier": None,
        "lead_in": NOT_KNOWN,
    }


def notice_that_goes_on(
    tracks: dict[str, Any], minute: int, findings: list[Finding], policy: Policy
) -> Incident | None:
    """The notice of what is found to matter now: one that has just opened, or one of the same that has gone further.

    What an engineer has answered to stays by itself, and so does good news.
    """
    incident: Incident | None = tracks.get(NOTICE)
    if incident is None or incident.get("accepted") is not None or is_rest(incident):
        return None
    lead = incident["metrics"][incident["lead"]]
    if improves(lead["metric"], lead["direction"]):
        return None
    if incident["resolved"] is None and minute - incident["opened"] < JUST_NOTICED_MINUTES:
        return incident
    if incident["resolved"] is not None and minute - incident["resolved"] > policy.reopen_within_minutes:
        return None
    return incident if _gone_further(incident, findings) else None


def _gone_further(incident: Incident, findings: list[Finding]) -> bool:
    """Whether some of what warns is what the incident is of, and none of that is much further from normal."""
    pairs = [
        (_size(finding), _size(incident["metrics"][key]["worst"]))
        for finding in findings
        if finding["level"] >= WARNING and (key := _key(finding)) in incident["metrics"]
    ]
    return bool(pairs) and all(now <= GONE_FURTHER * so_far for now, so_far in pairs)


def settling(tracks: dict[str, Any], finding: Finding) -> Finding:
    """A finding, as an info where it is a smaller cache that an open notice has told as one, and that has not become smaller since.

    More hits had made it smaller; when they are over it takes as long as it was to refill.
    """
    if finding["metric"] != "cache_size" or finding["direction"] != "drop" or not is_open(tracks, NOTICE):
        return finding
    part = tracks[NOTICE]["metrics"].get(_key(finding))
    if part is None or _size(finding) > NO_FURTHER * _size(part["worst"]):
        return finding
    return finding | {"level": min(finding["level"], INFO)}


def rest_until(tracks: dict[str, Any], minute: int, findings: list[Finding]) -> int | None:
    """The last minute in which such findings are what is left of an alarm that is over; None where they are not."""
    alarm: Incident | None = tracks.get(ALARM)
    if alarm is None or alarm["resolved"] is None or minute - alarm["last"] > AGAIN_AFTER_MINUTES:
        return None
    left = any(
        _key(finding) in alarm["metrics"] and not improves(finding["metric"], finding["direction"])
        for finding in findings
    )
    return int(alarm["last"]) + AGAIN_AFTER_MINUTES if left else None


def improves(metric: str, direction: str) -> bool:
    """Whether this is good news."""
    if metric == "hit_rate":
        return direction == "rise"
    return direction == "drop" and metric.endswith("response_time_ms")


def is_rest(incident: Incident) -> bool:
    """Whether a notice is so far no more than what is left of an alarm: it is not told."""
    until: int | None = incident.get("rest_until")
    return until is not None and incident["last"] <= until


def track_of_silence(tracks: dict[str, Any], minute: int, run: int, policy: Policy) -> str:
    """The track that silence of `run` minutes belongs to: its own, or that of the alarm which it is part of.

    It is where the alarm opened in the last minutes before (what crashes fails first), or had a silence in the last two hours.
    """
    alarm = current(tracks, ALARM, minute, [], policy)
    if alarm is None:
        return COLLECTOR
    silence = alarm["metrics"].get(SILENCE)
    if silence is not None:
        return ALARM if silence.get("quiet", 0) < AGAIN_AFTER_MINUTES else COLLECTOR
    return ALARM if minute - run - began(alarm) < FAILS_BEFORE_MINUTES else COLLECTOR


def pause_of(incident: Incident) -> int:
    """For how many minutes the cache was silent in an incident that has gone on since; 0 where it was not, or still is."""
    silence = incident["metrics"].get(SILENCE)
    return 0 if silence is None or silence["last"] == incident["last"] else incident.get("silent", 0)


def current(
    tracks: dict[str, Any], track: str, minute: int, findings: list[Finding], policy: Policy
) -> Incident | None:
    """The incident that findings at `minute` belong to: the open one, or one resolved a little while ago that had what they warn of.

    What begins after all that an alarm had is another one, though something of the first still lasts: see `_begins_anew`.
    """
    incident: Incident | None = tracks.get(track)
    if incident is None:
        return None
    if incident["resolved"] is not None and minute - incident["resolved"] > policy.reopen_within_minutes:
        rest: Incident | None = tracks.get(NOTICE) if track == ALARM and is_open(tracks, NOTICE) else None
        if rest is None or not is_rest(rest) or not _gone_further(rest, findings):
            return None
    return None if track == ALARM and _begins_anew(incident, minute, findings, policy) else incident


def _begins_anew(incident: Incident, minute: int, findings: list[Finding], policy: Policy) -> bool:
    """Whether what warns is another fault: it had warned and was quiet for two hours, or is critical and has not been seen so far.

    Fewer hits are no other fault than fewer entries.
    """
    found: dict[str, int] = {}
    for finding in findings:
        kind = _KIND.get(finding["metric"])
        if kind is not None and finding["level"] >= WARNING:
            found[kind] = max(found.get(kind, 0), finding["level"])
    quiet = {kind: _quiet(incident, kind) for kind in found}
    if incident["resolved"] is not None:
        return bool(quiet) and all(since is None for since in quiet.values())
    if minute - began(incident) < policy.resolve_after_minutes + policy.reopen_within_minutes:
        return False
    smaller = incident["metrics"].get("cache_size:drop", {}).get("warned") is not None
    return any(
        found[kind] >= CRITICAL and not (kind == HITS and smaller)
        if since is None
        else since >= AGAIN_AFTER_MINUTES
        for kind, since in quiet.items()
    )


def _quiet(incident: Incident, kind: str) -> int | None:
    """Minutes for which nothing of a kind was found that warned in an incident; None where nothing did."""
    parts = incident["metrics"].values()
    warned = (part for part in parts if _KIND.get(part["metric"]) == kind and part["warned"] is not None)
    return min((int(part.get("quiet", 0)) for part in warned), default=None)


def is_open(tracks: dict[str, Any], track: str) -> bool:
    """Whether the track has an incident that is not resolved."""
    incident = tracks.get(track)
    return incident is not None and incident["resolved"] is None


def excludes(tracks: dict[str, Any], minute: int, known: int) -> bool:
    """Whether the minute belongs to an incident whose windows must not be learned from; those that engineers have accepted may be.

    `known` is how many windows were learned from.
    """
    alarm = tracks.get(ALARM)
    longest = NEW_NORMAL_AFTER_MINUTES
    if known < FIRST_DAY_MINUTES:
        longest = max(LEAST_LEFT_OUT_MINUTES, int(SHARE_LEFT_OUT * known))
    alarmed = (
        alarm is not None
        and alarm["resolved"] is None
        and alarm.get("accepted") is None
        and minute - began(alarm) < longest
    )
    return alarmed or is_open(tracks, COLLECTOR)


def extend(incident: Incident, minute: int, findings: list[Finding], alpha: float) -> None:
    """Add a minute's findings to an incident, opening it again if it was resolved."""
    incident["last"] = minute
    incident["quiet"] = 0
    incident["resolved"] = None
    incident["flagged"] += 1
    for part in incident["metrics"].values():
        part["quiet"] = part.get("quiet", 0) + 1
    for finding in findings:
        _add(incident["metrics"], minute, finding, alpha)
    lead = incident["lead"]
    if lead is None or incident["metrics"][lead]["level"] < WARNING:
        incident["lead"] = _leader(incident["metrics"])


def quieten(incident: Incident, minute: int, policy: Policy) -> bool:
    """Count a quiet minute; True where it was the one that resolves the incident."""
    if incident["resolved"] is not None:
        return False
    incident["quiet"] += 1
    for part in incident["metrics"].values():
        part["quiet"] = part.get("quiet", 0) + 1
    if incident["quiet"] < policy.resolve_after_minutes:
        return False
    incident["resolved"] = minute
    return True


def _leader(metrics: dict[str, Any]) -> str:
    """The first to warn leads, among those of one minute the one that says most; then none takes over."""

    def order(key: str) -> tuple[bool, int, int]:
        part = metrics[key]
        warns = part["level"] >= WARNING
        return not warns, part["warned"] if warns else 0, METRICS[part["metric"]].rank

    return min(metrics, key=order)


def _add(metrics: dict[str, Any], minute: int, finding: Finding, alpha: float) -> None:
    key = _key(finding)
    part = metrics.get(key)
    if part is None:
        part = metrics[key] = {
            "metric": finding["metric"],
            "direction": finding["direction"],
            "first": minute,
            "first_value": finding["value"],
            "flagged": 0,
            "critical_windows": 0,
            "level": 0,
            "critical": False,
            "warned": None,
            "worst": finding | {"minute": minute},
        }
    part["last"] = minute
    part["now"] = finding.get("now")
    part["quiet"] = 0
    part["flagged"] += 1
    part["level"] = max(part["level"], finding["level"])
    if part["warned"] is None and finding["level"] >= WARNING:
        part["warned"] = minute
    if finding["level"] >= CRITICAL:
        part["critical_windows"] += 1
        sure = finding["p"] <= alpha * SURE_AT_ONCE
        part["critical"] = part["critical"] or sure or part["critical_windows"] >= CRITICAL_WINDOWS
    if _size(finding) > _size(part["worst"]):
        part["worst"] = finding | {"minute": minute}


def _key(finding: Finding) -> str:
    return f"{finding['metric']}:{finding['direction']}"


def _size(finding: Finding) -> float:
    size = abs(finding["absolute"] if finding["metric"] == "error_rate" else finding["relative"])
    return size if math.isfinite(size) else 0.0


def severity_of(incident: Incident, key: str) -> Severity:
    """The leader carries the severity of the whole incident, the others are an info: one incident pages once."""
    if key != incident["lead"]:
        return Severity.INFO
    parts = incident["metrics"].values()
    if any(part["critical"] for part in parts):
        return Severity.CRITICAL
    return Severity.WARNING if any(part["level"] >= WARNING for part in parts) else Severity.INFO


def opened_in(track: str, incident: Incident) -> str:
    """The track by which an incident is named: its own, but of what went on as an alarm that in which it opened."""
    return track if incident.get("went_on") is None else incident.get("opened_in", COLLECTOR)


def incident_id(implementation_type: str, track: str, opened_minute: int) -> str:
    """The incident's name for good: of the cache, the track (see `opened_in`) and the minute it opened in."""
    return _digest(implementation_type, track, opened_minute)


def fingerprint(implementation_type: str, track: str, opened_minute: int, key: str) -> str:
    """The finding's name for good: of its incident, its metric and its direction; of no text and no number."""
    return _digest(implementation_type, track, opened_minute, key)


def _digest(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]
