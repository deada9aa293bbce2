"""The digest in words, complete without any model: what happened in a span of time, what it cost, and whether anybody looked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.diagnosis.figures import count, day, known, minutes, percent, plain, plural, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEVERITIES: Final = ("critical", "warning", "info")
_VERDICTS: Final = {
    "incident": "an engineer says it was real",
    "new_normal": "an engineer says it is how things are now",
    "ignore": "an engineer says to ignore it",
}
WORTH_NAMING: Final = 0.1


def digest_text(data: Mapping[str, Any]) -> str:
    """The digest of a brief's data: a headline, what was audited, each cache's toll, and the incidents one by one.

    Parameters
    ----------
    data
        As `Brief` describes it for the daily digest: names and titles in it are neutral already.
    """
    parts = [
        [_headline(data), _coverage(data)],
        [_cache(cache) for cache in data["caches"]],
        [*(_incident(incident) for incident in data["incidents"]), *_left_out(data)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _headline(data: Mapping[str, Any]) -> str:
    incidents, caches = _total(data), len(data["caches"])
    if not incidents:
        return f"{_span(data)}: no incident."
    graves = sum(cache["critical"] for cache in data["caches"])
    grave = f", {count(graves)} of them critical" if graves else ", none of them critical"
    if incidents == 1:
        grave = ", critical" if graves else ", not critical"
    return f"{_span(data)}: {plural(incidents, 'incident')} of {plural(caches, 'cache')}{grave}."


def _total(data: Mapping[str, Any]) -> int:
    return sum(int(cache["incidents"]) for cache in data["caches"])


def _span(data: Mapping[str, Any]) -> str:
    start, end = _instant(data["from"]), _instant(data["to"])
    whole = start.hour == start.minute == 0 and (end - start).total_seconds() == 86_400
    if whole:
        return f"{day(_minute(start))} (UTC)"
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _coverage(data: Mapping[str, Any]) -> str:
    coverage = data["coverage"]
    windows, audited, empty = (coverage.get(name) or 0 for name in ("windows", "audited", "no_data"))
    if not windows:
        return "No window arrived in that time."
    missing = windows - audited - empty
    text = f"Of {plural(windows, 'window')} {plain(audited, 0)} {_was(audited)} audited"
    if empty:
        text += f" and {plain(empty, 0)} had no data"
    return f"{text}; {plain(missing, 0)} {_was(missing)} not audited." if missing > 0 else f"{text}."


def _was(number: float) -> str:
    return "was" if number == 1 else "were"


def _cache(cache: Mapping[str, Any]) -> str:
    graded = [f"{count(cache[severity])} {severity}" for severity in _SEVERITIES if cache[severity]]
    toll = _toll(cache)
    return (
        f"{cache['cache']}: {plural(cache['incidents'], 'incident')} ({', '.join(graded)})"
        f"{'; ' if toll else ''}{toll}."
    )


def _toll(facts: Mapping[str, Any]) -> str:
    calls, waiting, cost = (facts[name] for name in ("extra_backend_calls", "added_latency_seconds", "cost"))
    parts = []
    if known(calls) and calls >= 0.5:
        parts.append(f"{plural(round(calls), 'call')} to the backend beyond the usual")
    if known(waiting) and waiting >= 0.05:
        parts.append(f"{seconds(waiting)} of added waiting")
    if known(cost) and cost > 0:
        parts.append(f"{cost:,.2f} in money" if cost >= 0.01 else "less than 0.01 in money")
    return ", ".join(parts)


def _incident(incident: Mapping[str, Any]) -> str:
    began = _instant(incident["began"]) if incident["began"] else None
    when = f"{began:%Y-%m-%d %H:%M}" if began else "at an unknown time"
    lasted = f"{minutes(int(incident['minutes']))}, " if known(incident["minutes"]) else ""
    state = "over" if incident["status"] == "resolved" else "still open"
    facts = [f"{lasted}{state}", *_why(incident)]
    if _toll(incident):
        facts.append(_toll(incident))
    if incident["verdict"] in _VERDICTS:
        facts.append(_VERDICTS[incident["verdict"]])
    return f"[{incident['severity']}] {when} {incident['title']}: {'; '.join(facts)}."


def _why(incident: Mapping[str, Any]) -> list[str]:
    sure = incident["confidence"]
    if incident["cause"] in {None, "unknown"} or not known(sure) or sure < WORTH_NAMING:
        return []
    return [f"most likely {incident['cause_name']} ({percent(sure)} confidence)"]


def _left_out(data: Mapping[str, Any]) -> list[str]:
    more = _total(data) - len(data["incidents"])
    return [f"And {plural(more, 'slighter incident')} more."] if more > 0 else []


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)
