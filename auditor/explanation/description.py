"""The description: what, since when, how sure, what else, at what cost, and most likely why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.diagnosis.figures import (
    MINUTES_A_YEAR,
    clock,
    count,
    day,
    known,
    minutes,
    percent,
    plural,
    seconds,
)
from auditor.detection.diagnosis.sentences import NAMES
from auditor.explanation.names import neutral_text, quoted
from auditor.explanation.wording import (
    change,
    distance,
    listing,
    metric_names,
    normal_range,
    sentence,
    wording,
)

if TYPE_CHECKING:
    from auditor.explanation.facts import Facts

SURE: Final = ((0.9, "almost certainly"), (0.7, "probably"), (0.45, "most likely"), (0.0, "possibly"))
WORTH_NAMING: Final = 0.1
BRIEF_MINUTES: Final = 2
"""Minutes of an incident that, where chance alone makes one like it every year, may be chance."""
BETTER_BY_NOW: Final = 0.75
"""The share of its worst effect down to which something is told as it was at its worst alone."""
SOON_MINUTES: Final = 2
"""Minutes within which what begins to matter has mattered from its beginning."""
_BY_MISSES: Final = frozenset({"avg_response_time_ms", "p95_response_time_ms", "p99_response_time_ms"})
"""What moves with the share of misses, and is judged by what that leaves expected."""
SENTENCES_FOR: Final = 3
SENTENCES_AGAINST: Final = 2


def describe(facts: Facts) -> str:
    """The whole description: a few lines of whole sentences, each line on one question."""
    own = _reasons(facts) if facts.evidence["metric"] in {"window_validity", "baseline"} else _chance(facts)
    lines = [[_what(facts), _when(facts), *_by_now(facts), *own], _why_quiet(facts), _company(facts)]
    if facts.leads:
        lines += [_impact(facts), _why(facts)]
    return "\n".join(" ".join(line) for line in lines if line)


def _what(facts: Facts) -> str:
    evidence = facts.evidence
    cache, metric = quoted(facts.cache), evidence["metric"]
    if metric == "window_validity":
        return f"The windows that the collector writes for {cache} contradict themselves; they were not judged any further."
    if metric == "silence":
        normal = (
            f" where {count(evidence['expected'])} a minute are normal" if known(evidence["expected"]) else ""
        )
        if facts.is_back:
            return f"No operations of {cache} arrived{normal}; they have come again since, but not as before."
        return f"No operations of {cache} arrive{normal}."
    if metric == "baseline":
        return f"What is normal for {cache} has moved since it was last agreed."
    words = wording(metric, evidence["unit"])
    if evidence["direction"] == "moved":
        was = f", from {words.figure(evidence['expected'])}" if known(evidence["expected"]) else ""
        return f"The normal {words.name} of {cache} {change(evidence)}{was}."
    text = f"The {words.name} of {cache} {change(evidence)}{_at_worst(facts)}"
    if known(evidence["expected"]):
        normal = normal_range(evidence)
        about = f" (normal: {normal})" if normal else ""
        text += f", against an expected {words.figure(evidence['expected'])}{about}"
    far = distance(evidence)
    return f"{text}: {far}." if far and known(evidence["expected"]) else f"{text}."


def _at_worst(facts: Facts) -> str:
    evidence = facts.evidence
    if evidence["windows"] < 2:
        return ""
    worst = evidence["worst_minute"]
    return (
        f" in its most unusual minute, {clock(int(worst))}" if known(worst) else " in its most unusual minute"
    )


def _when(facts: Facts) -> str:
    evidence = facts.evidence
    opened, last, windows = evidence["opened_minute"], evidence["last_minute"], evidence["windows"]
    if facts.is_back:
        return _when_silent(facts)
    start = f"{clock(opened)} on {day(opened)}"
    if evidence["direction"] == "moved":
        now = evidence["worst_minute"]
        measured = (
            f"; that of the last day was measured at {clock(int(now))} on {day(int(now))}"
            if known(now)
            else ""
        )
        return f"The level before had been agreed at {start}{measured}."
    if facts.status == "resolved":
        ended = last + 1
        until = clock(ended) if day(ended) == day(opened) else f"{clock(ended)} on {day(ended)}"
        return f"It began at {start} and ended at {until}, after {minutes(windows)}{_share(facts)}.{_at_first(facts)}"
    if windows < 2:
        return f"It began at {start} and has lasted one minute so far."
    return f"It began at {start} and has lasted {minutes(windows)} so far{_share(facts)}.{_at_first(facts)}"


def _by_now(facts: Facts) -> list[str]:
    """What an open incident's leading metric is now, where its worst minute is behind it."""
    evidence = facts.evidence
    latest, expected, effect = evidence["latest"], evidence["expected"], evidence["effect_absolute"]
    if facts.status != "open" or not facts.leads or not all(map(known, (latest, expected, effect))):
        return []
    if abs(latest - expected) > BETTER_BY_NOW * abs(effect):
        return []
    figure = wording(evidence["metric"], evidence["unit"]).figure
    return [f"In the newest of these minutes it was {figure(latest)}."]


def _at_first(facts: Facts) -> str:
    """Why it pages later than it began."""
    opened, warned = facts.evidence["opened_minute"], facts.evidence["warned_minute"]
    if not facts.leads or not known(warned) or warned - opened < SOON_MINUTES:
        return ""
    on = "" if day(int(warned)) == day(opened) else f" on {day(int(warned))}"
    return f" Until {clock(int(warned))}{on} it was too small to page."


def _when_silent(facts: Facts) -> str:
    """Of a silence that is over and an incident that may not be."""
    lasted, back = facts.evidence["silent_minutes"], facts.evidence["back_minute"]
    began, over = back - lasted, facts.evidence["resolved_minute"]
    text = f"The silence began at {clock(began)} on {day(began)} and lasted {minutes(lasted)}"
    if facts.status != "resolved":
        return f"{text}; the incident goes on."
    if not known(over):
        return f"{text}."
    ended = int(over)
    on = "" if day(ended) == day(began) else f" on {day(ended)}"
    return f"{text}; the incident ended at {clock(ended)}{on}."


def _share(facts: Facts) -> str:
    flagged, windows = facts.evidence["flagged_windows"], facts.evidence["windows"]
    if not known(flagged) or windows < 2:
        return ""
    return (
        " (every minute of it flagged)"
        if flagged >= windows
        else f" ({count(flagged)} of {count(windows)} minutes flagged)"
    )


def _chance(facts: Facts) -> list[str]:
    p, n = facts.evidence["p_value"], facts.evidence["n"]
    if not known(p) or not 0.0 <= p < 1.0:
        return []
    counted = facts.evidence["metric"] not in {"cache_size", "silence", "throughput"}
    behind = f" of {plural(n, 'operation')}" if counted and known(n) and n >= 1 else ""
    brief = facts.leads and facts.evidence["windows"] <= BRIEF_MINUTES and p * MINUTES_A_YEAR > 1.0
    perhaps = ", and it may have been no more than that" if brief else ""
    return [f"By chance alone a minute{behind} like that would come {_how_often(p)}{perhaps}."]


def _why_quiet(facts: Facts) -> list[str]:
    """Why something that would page is told as an info."""
    if facts.evidence.get("returned"):
        return [
            "That is no worse than it had been on the days before: it was better for a while, and that is over."
        ]
    ignored = facts.evidence.get("ignored")
    if not ignored:
        return []
    until = day(int(ignored["until_minute"]))
    return [f"An engineer has called as much of this ignorable: until {until} it pages only if it is larger."]


def _how_often(p: float) -> str:
    if p <= 0.0 or 1.0 / p > 1e4 * MINUTES_A_YEAR:
        return "less than once in ten thousand years"
    every = 1.0 / p
    if every >= MINUTES_A_YEAR:
        return f"about once in {plural(_rough(every / MINUTES_A_YEAR), 'year')}"
    if every >= 2 * 1440:
        return f"about once in {plural(_rough(every / 1440), 'day')}"
    return f"about once in {plural(_rough(every), 'minute')}"


def _rough(value: float) -> float:
    """Two significant digits: a chance is never known better."""
    digits = 1 - math.floor(math.log10(max(value, 1.0)))
    return round(value, digits)


def _reasons(facts: Facts) -> list[str]:
    return [
        sentence(neutral_text(str(reason))) for reason in facts.evidence["reasons"] if str(reason).strip()
    ]


def _company(facts: Facts) -> list[str]:
    evidence = facts.evidence
    own, moved = evidence["metric"], list(evidence["metrics"])
    parts = []
    if not facts.leads and moved:
        parts.append(f"It belongs to the incident that the {metric_names(moved[:1])[0]} leads.")
    others = metric_names([name for name in moved if name != own and (facts.leads or name != moved[0])])
    if others and own != "baseline":
        parts.append(sentence(f"also unusual: {listing(others)}"))
    if facts.leads:
        parts += _unchanged([name for name in evidence["unchanged"] if name not in moved], moved)
    return parts


def _unchanged(names: list[str], moved: list[str]) -> list[str]:
    """What did nothing of its own. With the hit rate the share of misses has moved, and with that the response times and the sets."""
    with_hits = []
    if "hit_rate" in moved:
        with_hits = [name for name in names if name in _BY_MISSES]
        names = [name for name in names if name not in with_hits and name != "eviction_rate"]
    parts = [f"as usual: {listing(metric_names(names))}"] if names else []
    if with_hits:
        parts.append(f"as usual for this hit rate: {listing(metric_names(with_hits))}")
    return [sentence(part) for part in parts]


def _impact(facts: Facts) -> list[str]:
    impact = facts.evidence["impact"] or {}
    calls, waiting, cost = (
        impact.get(name) for name in ("extra_backend_calls", "added_latency_seconds", "cost")
    )
    parts = []
    if known(calls) and calls >= 0.5:
        money = f" (costing {_money(cost)})" if known(cost) and cost > 0 else ""
        parts.append(f"{plural(round(calls), 'call')} to the backend beyond the usual{money}")
    if known(waiting) and waiting >= 0.05:
        parts.append(f"{seconds(waiting)} of added waiting over all requests")
    if not parts:
        return []
    lead = "In all it cost" if facts.status == "resolved" else "So far it has cost"
    return [f"{lead} {' and '.join(parts)}."]


def _money(cost: float) -> str:
    return f"{cost:,.2f}" if cost >= 0.01 else "less than 0.01"


def _why(facts: Facts) -> list[str]:
    cause = facts.cause
    if cause is None:
        return []
    supports = [neutral_text(text) for text in cause["for"][:SENTENCES_FOR]]
    if cause["cause"] == "unknown":
        return [*_unexplained(facts), *supports, *_next(facts)]
    confidence = cause["confidence"]
    sure = next(word for least, word in SURE if confidence >= least)
    named = NAMES.get(cause["cause"], cause["cause"].replace("_", " "))
    parts = [f"The cause is {sure} {named} ({percent(confidence)} confidence)."]
    if supports:
        parts += ["For it:", *supports]
    against = [neutral_text(text) for text in cause["against"][:SENTENCES_AGAINST]]
    if against:
        parts += ["Against it:", *against]
    return parts + _next(facts)


def _unexplained(facts: Facts) -> list[str]:
    if facts.only_traffic:
        return ["No fault of the cache is behind it."]
    return ["No known cause fits what moved."]


def _next(facts: Facts) -> list[str]:
    others: list[dict[str, Any]] = [
        cause
        for cause in facts.evidence["causes"][1:3]
        if cause["confidence"] >= WORTH_NAMING and cause["cause"] != "unknown"
    ]
    if not others:
        return []
    named = [
        f"{NAMES.get(cause['cause'], cause['cause'])} ({percent(cause['confidence'])})" for cause in others
    ]
    return [sentence(f"it could also be {listing(named, 'or')}")]
