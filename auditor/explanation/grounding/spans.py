"""Numbers that say how long: the incident, its flagged minutes, the waiting, the baseline, an earlier incident."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.context import preceding, subjects_of
from auditor.explanation.grounding.matching import any_agrees, facts_about
from auditor.explanation.grounding.roles import Role
from auditor.explanation.grounding.spot import Spot
from auditor.explanation.grounding.values import metric_value

if TYPE_CHECKING:
    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.quantities import Quantity
    from auditor.explanation.grounding.reading import Reading
    from auditor.explanation.grounding.spot import Spot

_WAITING: Final = re.compile(
    r"\bwait(?:ing|ed|s)?\b|\badded (?:latency|delay|response|time)|extra (?:latency|delay|time|seconds)|additional (?:latency|delay|time|wait)|cumulative|latency added|\bdelays?\b|in total|time lost|lost time|added [\w ]*(?:requests|users)|accumulated|added up"
)

_BASELINE: Final = re.compile(
    r"\bbaseline\b|\blearn(?:ed|t|ing)\b|\btrained\b|\bhistory\b|\bmodel of\b|\bold\b|\brests on\b|\bbuilt on\b"
)

_AGED: Final = re.compile(
    r"\bold\b|\bage (?:of|is)\b|\bof history\b|\blearn(?:ed|t) (?:from|over|on|in)\b|\btrained (?:on|for|over)\b"
)

_PAST: Final = re.compile(
    r"\b(?:previous(?:ly)?|past incident|earlier incident|earlier one|last (?:incident|time|one)|similar|before that|back then|precedent|that (?:one|time|incident)|then lasted|past|same (?:thing )?(?:happened|occurred))\b"
)

_LASTED: Final = re.compile(r"(?:lasted|for|since|within|after|last|past)\s*(?:the )?(?:last |past )?$")
_DURING: Final = re.compile(r"\b(?:for|lasted|after|since)\s*$")
_INCIDENT: Final = re.compile(r"\b(?:incident|anomaly|problem|issue|alert|drop|fall|rise)\b")
_OF_THEM: Final = re.compile(r"\s*of (?:them|these|those|which|the minutes|its minutes|that time)\b")
_OF_ALL: Final = re.compile(r"\s*(?:out )?of (?:the |its |all )?(?:last )?")
_SILENT: Final = re.compile(r"\bsilen(?:t|ce)\b")
_CREEP: Final = re.compile(r"\b(?:crept|creep|over|lead|build-?up|gradual|before|start|took)\b")


def flagged_of(spot: Spot) -> bool | None:
    """Whether "12 of 14 minutes" or "12 of them" are those flagged, of all; None where the number is of no such pair."""
    one = spot.one
    if one.unit in {"", "windows", "time"} and _OF_THEM.match(spot.right):
        return _lasts(spot, {"flagged_minutes"})
    for at, role in ((spot.index, "flagged_minutes"), (spot.index - 1, "minutes")):
        if 0 <= at < len(spot.reading.quantities) - 1 and _is_pair(spot.reading, at):
            if spot.context.field in {"digest", "item"}:
                counted = {"windows"} if role == "minutes" else {"audited", "no_data"}
                return any(
                    one.number.means(fact.value, one.hedge)
                    for fact in facts_about(spot.context, "", ("coverage",), counted)
                )
            return _lasts(spot, {role})
    return None


def _is_pair(reading: Reading, at: int) -> bool:
    """Whether a number and the next are "so many of so many minutes"."""
    first, second = reading.quantities[at], reading.quantities[at + 1]
    timed = (second.is_time or second.unit in {"windows", "window"}) and first.unit in {"", "time", "windows"}
    return timed and _OF_ALL.fullmatch(reading.low[first.end : second.start]) is not None


def _durations(reading: Reading, one: Quantity) -> tuple[str, ...]:
    """The incident's duration, and that of the metrics spoken of; silence is the traffic's."""
    silence = ("duration throughput",) if _SILENT.search(reading.low) else ()
    return (
        "duration",
        *silence,
        *(f"duration {mention.subject}" for mention in preceding(reading, one.start)),
    )


def _lasts(spot: Spot, roles: set[str]) -> bool:
    """Whether a number of minutes is one of the incident's in some part."""
    number = spot.one.number if spot.one.is_time else spot.one.number.times(60.0)
    facts = facts_about(spot.context, spot.cache, _durations(spot.reading, spot.one), roles)
    return any(number.means(fact.value, spot.one.hedge) for fact in facts)


def span_of_time(spot: Spot) -> bool | None:
    """Whether a span that is no response time is right: of waiting, the baseline, a past incident, or this one.

    None where the number is no span, or is a response time.
    """
    one = spot.one
    if one.unit in {"windows", "window", "samples", "data points"}:
        return _windows(spot)
    if not one.is_time:
        return None
    about = f"{spot.left[-45:]}|{spot.right}"
    if _WAITING.search(about) and not _LASTED.search(spot.left):
        return any_agrees(one, facts_about(spot.context, spot.cache, ("waiting",))) or metric_value(spot)
    of_latency = _speaks_of_latency(spot.reading, spot.context)
    placed = spot.reading.roles[spot.index] is not Role.OPEN and not _DURING.search(spot.left)
    if placed and of_latency and not _AGED.search(about):
        return None
    from_history = re.search(r"\blearn\w+\b.*\bfrom\s*$", spot.reading.low[: one.start])
    if _AGED.search(about) or from_history or (_BASELINE.search(about) and one.number.value >= 3600.0):
        aged = any_agrees(one, facts_about(spot.context, spot.cache, ("baseline",)))
        return aged or (_INCIDENT.search(spot.left) is not None and _lasting(spot))
    return _own(spot, of_latency=of_latency)


def _windows(spot: Spot) -> bool:
    """A count of windows: audited ones, those behind the baseline, or the incident's minutes."""
    if spot.context.field in {"digest", "item"}:
        return any_agrees(spot.one, facts_about(spot.context, spot.cache, ("coverage",)))
    if _BASELINE.search(spot.reading.low):
        return any_agrees(spot.one, facts_about(spot.context, spot.cache, ("baseline",)))
    return _lasts(spot, {"minutes", "flagged_minutes"})


def _own(spot: Spot, *, of_latency: bool) -> bool | None:
    """A span of this incident or of a past one; None where it can as well be a response time."""
    one, known = spot.one, spot.reading.subjects or spot.context.carried
    if _PAST.search(spot.reading.low) and spot.context.facts.past:
        return any_agrees(one, facts_about(spot.context, spot.cache, ("past",))) or _lasting(spot)
    if one.number.value < 60.0 and known and not _DURING.search(spot.left):
        return None
    if _lasting(spot) or _crept(spot):
        return True
    return None if one.number.value < 3600.0 and of_latency else False


def _speaks_of_latency(reading: Reading, context: Context) -> bool:
    named = (*subjects_of(reading.subjects), *context.carried, context.facts.lead)
    return any("latency" in name or name.endswith("_ms") for name in named)


def _lasting(spot: Spot) -> bool:
    if spot.context.field in {"item", "digest"}:
        return any_agrees(spot.one, facts_about(spot.context, spot.cache, ("duration",)))
    flagged = re.search(r"flag|anomal|unusual", spot.reading.low) is not None
    roles = {"minutes", "flagged_minutes"} if flagged else {"minutes"}
    return any_agrees(
        spot.one, facts_about(spot.context, spot.cache, _durations(spot.reading, spot.one), roles)
    )


def _crept(spot: Spot) -> bool:
    told = (fact for fact in spot.context.facts.numbers if fact.subject == "told span")
    cued = spot.context.field == "step" or _CREEP.search(spot.left) is not None
    return cued and any_agrees(spot.one, told)
