"""Correct sentences about a brief, worded as models word them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.explanation.grounding.briefs import INCIDENTS
from tests.explanation.grounding.figures import clock, day, distance, figure, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.brief import Brief

Said = tuple[str, str, str]
"""A brief's name, the field, the sentence."""

_DOWN: Final = {
    "went": "fell",
    "noun": "drop",
    "gone": "fallen",
    "side": "below",
    "than": "lower",
    "by": "down",
    "strong": "dropped sharply",
    "going": "falling",
}
_UP: Final = {
    "went": "rose",
    "noun": "rise",
    "gone": "risen",
    "side": "above",
    "than": "higher",
    "by": "up",
    "strong": "climbed sharply",
    "going": "rising",
}
_METRICS: Final = (
    "The {name} of {cache} {went} to {now} from an expected {expected}.",
    "{cache}'s {name} has {gone} to {now}, where {expected} is normal.",
    "At {now}, the {name} is well {side} the expected {expected}.",
    "{Cache}: {name} {went} from {expected} to {now}.",
    "The {name} now stands at {now} instead of the usual {expected}.",
    "A {noun} in the {name} was detected: {now} observed, {expected} expected.",
    "The {name} was measured at {now}, compared with a baseline of {expected}.",
    "The {name} is {distance} {side} what is expected for this time of day.",
    "The {name} {went} by {distance}.",
    "Where {expected} would be normal, only the {name} of {now} was seen.",
    "The {name} has been {going} and was {than} than expected by {distance} at its worst.",
    "Since {began} the {name} of the {cache} cache has been {side} its normal range of {lower}–{upper}.",
    "The {name} (normally between {lower} and {upper}) {strong} to {now}.",
    "In its worst minute, {worst}, the {name} reached {now}.",
    "It {went} to {now} in the {name}, {distance} {side} the usual level.",
    "The {name} is {by} from {expected} to {now} since {began} on {day}.",
    "The expected {name} is {expected}; what was seen is {now}.",
    "{now} was observed for the {name}, versus {expected} expected.",
    "Normally the {name} is {expected}, but it {went} to {now}.",
    "The {name} has {gone} outside its usual range ({lower} to {upper}) and is at {now}.",
    "{Cache} shows an unusual {name}: {now} against {expected}.",
    "The {name} was hit: {expected} before, {now} now.",
)
_SPANS: Final = (
    "It began at {began} on {day} and {lasted} {minutes}.",
    "The incident started at {began} and {lasted} {minutes}.",
    "The anomaly has been seen for {minutes}, since {began}.",
    "This {lasted} {total} minutes, {flagged} of them flagged.",
    "Over {minutes}, starting {day} at {began}, the {name} was unusual.",
    "{flagged} of {total} minutes were flagged.",
)
_OPEN: Final = (
    "The incident is still ongoing after {minutes}.",
    "It has not recovered so far.",
    "As of {end}, the {name} is still {side} normal.",
)
_RESOLVED: Final = (
    "It ended at {end} after {minutes}.",
    "The incident is over: it ran from {began} to {end}.",
    "By {end} it was resolved, {minutes} after it began.",
)
_CAUSES: Final = (
    "The most likely cause is {cause} ({confidence} confidence).",
    "With {confidence} confidence, {cause} explains this.",
    "This points to {cause}.",
    "{Cause} is the best explanation, at {fraction}.",
    "The evidence favours {cause} with a confidence of {fraction}.",
)
_OTHERS: Final = (
    "Less likely is {cause} ({confidence}).",
    "It could also be {cause}, at {confidence} confidence.",
    "An alternative is {cause}, with a confidence of only {fraction}.",
)


def paraphrases() -> Iterator[Said]:
    """Every sentence of every brief."""
    for name, brief in INCIDENTS.items():
        for field, sentence in dict.fromkeys(_of(brief)):
            yield name, field, sentence


def _of(brief: Brief) -> Iterator[tuple[str, str]]:
    data = brief.data
    style = len(data["cache"])
    for metric in data["metrics"]:
        if metric["metric"] in {"window_validity", "silence"}:
            continue
        for index, template in enumerate(_METRICS):
            yield "summary", template.format(**_metric(data, metric, style + index))
    lead = data["metrics"][0]
    resolved = data["incident"]["status"] == "resolved"
    for index, template in enumerate((*_SPANS, *(_RESOLVED if resolved else _OPEN))):
        if lead["metric"] in {"window_validity", "silence"} and "{name}" in template:
            continue
        yield "summary", template.format(**_metric(data, lead, style + index))
    yield from _stillness(data)
    yield from _blame(data)
    yield from _costs(data)
    yield from _more(data, style)


def _metric(data: Any, metric: dict[str, Any], style: int) -> dict[str, str]:
    words = _DOWN if metric["direction"] == "drop" else _UP
    incident, cache = data["incident"], data["cache"]
    return {
        **words,
        "name": metric["name"],
        "cache": cache if style % 2 else f"“{cache}”",
        "Cache": cache,
        "now": figure(metric, "value", style),
        "expected": figure(metric, "expected", style + style // 5),
        "lower": figure(metric, "lower", 0 if metric["unit"] != "ms" else style % 2),
        "upper": figure(metric, "upper", 0 if metric["unit"] != "ms" else style % 2),
        "distance": distance(metric, style),
        "began": clock(incident["began"], style),
        "day": day(incident["began"], style),
        "worst": clock(metric["worst_at"], style % 3),
        "end": clock(data["as_of"], style % 3),
        "minutes": span(incident["minutes"], style),
        "flagged": str(incident["flagged_minutes"]),
        "total": str(incident["minutes"]),
        "lasted": "lasted" if incident["status"] == "resolved" else "has lasted",
    }


def _stillness(data: Any) -> Iterator[tuple[str, str]]:
    names = [one["name"] for one in data["unchanged"]]
    for name in names:
        yield "summary", f"The {name} did not move."
        yield "summary", f"The {name} stayed within its normal range."
        yield "why", f"An unchanged {name} fits that."
    if len(names) > 1:
        yield "summary", f"{names[0].capitalize()} and {names[1]} are unchanged."
        yield "summary", f"As usual: {', '.join(names)}."
        yield "summary", f"Neither {names[0]} nor {names[1]} changed."


def _blame(data: Any) -> Iterator[tuple[str, str]]:
    first, *rest = data["causes"]
    if first["cause"] != "unknown":
        for template in _CAUSES:
            yield "summary", template.format(**_cause(first))
    for other in rest:
        if other["cause"] != "unknown":
            for template in _OTHERS:
                yield "summary", template.format(**_cause(other))
            yield "why", f"This speaks against {other['name']}."
    for sentence in first["for"]:
        yield "why", sentence
    for sentence in first["against"]:
        yield "why", sentence


def _cause(cause: dict[str, Any]) -> dict[str, str]:
    name = cause["name"]
    return {
        "cause": name,
        "Cause": f"{name[0].upper()}{name[1:]}",
        "confidence": f"{cause['confidence'] * 100:.0f} %",
        "fraction": f"{cause['confidence']:.2f}",
    }


def _costs(data: Any) -> Iterator[tuple[str, str]]:
    calls, waiting, cost = data["impact"].values()
    if calls:
        yield "impact", f"It has caused {calls:,} extra backend calls."
        yield "impact", f"{calls} additional calls to the backend were needed."
        yield "impact", f"About {calls:,} more calls than usual reached the backend."
        yield (
            "impact",
            f"So far the backend has taken roughly {calls} surplus calls."
            if data["incident"]["status"] == "open"
            else f"The backend took roughly {calls} surplus calls.",
        )
    if waiting:
        yield "impact", f"Requests waited {waiting:,} s longer in total."
        yield "impact", f"That is about {waiting / 60:.0f} minutes of added waiting."
        yield "impact", f"Added latency adds up to {waiting:,} seconds."
    if waiting and calls:
        yield (
            "impact",
            f"The toll is {calls:,} extra backend calls and {waiting / 60:.0f} min of added waiting.",
        )
    if cost:
        yield "impact", f"The extra calls cost {cost:.2f}."


def _more(data: Any, style: int) -> Iterator[tuple[str, str]]:
    baseline = data["baseline"]
    if baseline:
        yield "summary", f"The baseline is {baseline['age_hours']:g} hours old."
        yield "summary", f"It was compared with a baseline learned from {baseline['windows']:,} windows."
    lead = data["metrics"][0]
    if lead["n"]:
        yield "summary", f"That minute had {lead['n']:,} operations."
        yield "summary", f"The value rests on {lead['n']} requests."
    if 0 < lead["p_value"] < 1e-20:
        yield "summary", "By chance alone this would come less than once in ten thousand years."
        yield "summary", f"Such a minute is next to impossible by chance (p = {lead['p_value']:.1e})."
    for past in data["past"]:
        yield (
            "summary",
            f"A similar incident on {day(past['began'], style)} lasted {past['minutes']} minutes.",
        )
    for other in data["others"]:
        yield "summary", f"The cache {other['cache']} has an open incident in the same minutes."
    for error in data["errors"]:
        yield "summary", f"The errors include {error['count']} of type {error['type']}."
        yield "summary", f"{error['type']} was seen {error['count']} times."
