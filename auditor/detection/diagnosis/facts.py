"""Each clue as a clause with its numbers, without the full stop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from auditor.detection.diagnosis.figures import count, known, milliseconds, percent, plural
from auditor.detection.diagnosis.levels import gets, late, normal_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.detection.diagnosis.readings import Reading
    from auditor.detection.signature import IncidentSignature

_DIRECTION: Final[Mapping[str, str]] = {"fell": "fell", "rose": "rose", "emptied": "fell"}


def fact(reading: Reading, signature: IncidentSignature) -> str:
    """What the clue measured, as a clause; empty where a number in it is unknown."""
    numbers, write = _FACTS[reading.clue]
    values = numbers(signature)
    return write(reading.kind, *values) if all(map(known, values)) else ""


def _moved(name: str, unit: Callable[[float], str], kind: str, expected: float, observed: float) -> str:
    verb = _DIRECTION.get(kind)
    was, now = unit(expected), unit(observed)
    if verb is None or was == now:
        return (
            f"{name} {_be(name)} about as expected ({now})"
            if was == now
            else (f"{name} {_be(name)} about as expected ({now} against {was})")
        )
    return f"{name} {verb} to {now} from an expected {was}"


def _be(name: str) -> str:
    return "are" if name in {"Lookups", "Hits", "Evictions"} else "is"


def _a_minute(value: float) -> str:
    return f"{count(value)}/min"


def _both(name: str) -> Callable[[IncidentSignature], tuple[float, ...]]:
    return lambda signature: (signature.signals[name].expected, signature.signals[name].observed)


def _hit_trend(kind: str, first: float, last: float) -> str:
    if kind == "recovering":
        return f"The hit rate is recovering: {percent(first)} at first, {percent(last)} lately"
    if kind == "falling":
        return f"The hit rate goes on falling: {percent(first)} at first, {percent(last)} lately"
    return f"The hit rate stays where it went: {percent(first)} at first, {percent(last)} lately"


def _hits_left(kind: str, expected: float, lowest: float) -> str:
    share = lowest / expected if expected > 0.0 else math.nan
    if not known(share):
        return ""
    if share < 0.005:
        return "Next to nothing is left of the usual hit rate"
    if share >= 0.97:
        return "The usual hit rate is still there"
    lead = {"few": "Only", "some": "About"}.get(kind, "As much as")
    return f"{lead} {percent(min(1.0, share))} of the usual hit rate is left"


def _size(kind: str, normal: float, lowest: float, now: float) -> str:
    if kind in {"emptied", "fell"}:
        return f"The cache size fell to {plural(lowest, 'entry', 'entries')} from {count(normal)}"
    if kind == "rose":
        return f"The cache size rose to {plural(now, 'entry', 'entries')} from {count(normal)}"
    return f"The cache size stayed at about {plural(now, 'entry', 'entries')}"


def _size_earlier(kind: str, expected: float, earlier: float) -> str:
    shown = f"{plural(earlier, 'entry', 'entries')} against an expected {count(expected)}"
    if kind == "fell":
        return f"Some minutes before the cache was smaller than expected already: {shown}"
    return f"Until then the cache was as large as expected: {shown}"


def _size_earlier_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    return signature.signals["cache_size"].expected, signature.size_earlier


def _size_trend(kind: str, first: float, lowest: float, now: float) -> str:
    if kind == "refilling":
        return f"The cache is filling: {count(now)} now after {plural(lowest, 'entry', 'entries')}"
    if kind == "falling":
        return f"The cache goes on shrinking: {count(now)} now after {plural(first, 'entry', 'entries')}"
    return f"The cache size holds at {plural(now, 'entry', 'entries')}"


def _size_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    size = signature.signals["cache_size"]
    return normal_size(signature), size.lowest, late(signature, size)


def _size_trend_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    size = signature.signals["cache_size"]
    return size.first, size.lowest, late(signature, size)


def _eviction_share(kind: str, evictions: float, sets: float) -> str:
    shown = f"{count(evictions)} evictions on {count(sets)} sets a minute"
    return {"none": f"Hardly any set evicts: {shown}", "some": f"Part of the sets evict: {shown}"}.get(
        kind, f"Most sets evict another entry: {shown}"
    )


def _evicted(kind: str, gone: float, evictions: float) -> str:
    shown = f"{plural(evictions, 'eviction')}, {plural(gone, 'entry', 'entries')} gone"
    verb = "account" if kind == "yes" else "do not account"
    return f"Evictions {verb} for the entries that are gone: {shown}"


def _evicted_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    gone = normal_size(signature) - signature.signals["cache_size"].lowest
    return gone, signature.signals["evictions"].observed * signature.windows


def _refill(kind: str, lowest: float, now: float, sets: float) -> str:
    shown = f"from {count(lowest)} to {plural(now, 'entry', 'entries')} on {count(sets)} sets a minute"
    return (
        f"The sets fill the cache up again, {shown}"
        if kind == "yes"
        else f"The sets do not fill the cache up, {shown}"
    )


def _refill_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    size = signature.signals["cache_size"]
    return size.lowest, late(signature, size), signature.signals["sets"].observed


def _size_floor(kind: str, lowest: float, sets: float) -> str:
    shown = f"{plural(lowest, 'entry', 'entries')} against {count(sets)} sets a minute"
    if kind == "within":
        return f"At its smallest the cache held no more than was set within a minute or two: {shown}"
    return f"At its smallest the cache still held more than was set since: {shown}"


def _size_floor_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    return signature.signals["cache_size"].lowest, signature.signals["sets"].observed


def _swing(kind: str, lowest: float, now: float) -> str:
    if kind == "level":
        return f"The size stands still at {plural(now, 'entry', 'entries')}, as that of a full cache does"
    return f"The size does not stand still: {count(now)} now after {plural(lowest, 'entry', 'entries')}"


def _surplus(kind: str, lookups: float, misses: float) -> str:
    shown = f"{count(lookups)} more lookups a minute, {count(max(0.0, misses))} more misses"
    return {
        "little": f"Most of the added lookups are hits: {shown}",
        "matching": f"The added misses match the added lookups: {shown}",
    }.get(kind, f"Misses rose by far more than lookups: {shown}")


def _surplus_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    expected, observed = gets(signature)
    misses = signature.signals["misses"]
    return observed - expected, misses.observed - misses.expected


def _share_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    return signature.signals["evictions"].observed, signature.signals["sets"].observed


def _landed(kind: str, sets: float, evictions: float) -> str:
    surplus = f"{count(sets)} more sets a minute than expected"
    pushed = f" ({count(evictions)} more evictions)" if evictions >= 0.5 else ""
    if kind == "no":
        return f"{surplus} came with no matching growth or eviction{pushed}"
    return f"{surplus} took up room, by growth or by eviction{pushed}"


def _landed_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    sets, evictions = signature.signals["sets"], signature.signals["evictions"]
    return sets.observed - sets.expected, max(0.0, evictions.observed - evictions.expected)


def _per_miss(kind: str, expected_sets: float, sets: float, expected_misses: float, misses: float) -> str:
    was, now = expected_sets / max(expected_misses, 1e-9), sets / max(misses, 1e-9)
    return _moved("The number of sets for each miss", lambda value: f"{value:.2f}", kind, was, now)


def _per_miss_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    return (*_both("sets")(signature), *_both("misses")(signature))


def _hit_lag_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    hit, miss = (signature.signals[f"avg_{name}_response_time_ms"] for name in ("hit", "miss"))
    return hit.observed - hit.expected, miss.observed - miss.expected


def _hit_lag(kind: str, hit: float, miss: float) -> str:
    lag = f"misses are slower by {milliseconds(miss)}, hits by {milliseconds(max(0.0, hit))}"
    return f"Both lag alike: {lag}" if kind == "shared" else f"The lag is in the misses: {lag}"


def _latency(kind: str, expected: float, observed: float) -> str:
    shown = f"{milliseconds(observed)}, expected {milliseconds(expected)}"
    if kind == "rose":
        return f"The average response time rose beyond what the share of misses explains ({shown})"
    if kind == "fell":
        return f"The average response time fell ({shown})"
    return f"The share of misses explains the average response time ({shown})"


def _shape_numbers(signature: IncidentSignature) -> tuple[float, ...]:
    average, tail = (signature.signals[f"{name}_response_time_ms"] for name in ("avg", "p95"))
    return average.observed - average.expected, tail.observed - tail.expected


def _shape(kind: str, average: float, tail: float) -> str:
    lag = f"p95 moved by {milliseconds(tail)}, the average by {milliseconds(average)}"
    return (
        f"The slowest requests moved most: {lag}"
        if kind == "tall"
        else f"All requests slowed about alike: {lag}"
    )


def _onset(kind: str, lead_in: float) -> str:
    return (
        "It started suddenly" if kind == "sudden" else f"It crept up over {plural(lead_in, 'minute')} before"
    )


def _brief(_kind: str, windows: float) -> str:
    return f"It was over after {plural(windows, 'minute')}"


def _plainly(
    yes: str, no: str
) -> tuple[Callable[[IncidentSignature], tuple[float, ...]], Callable[..., str]]:
    return (lambda _: ()), (lambda kind: yes if kind == "yes" else no)


def _change(
    name: str, unit: Callable[[float], str], signal: str
) -> tuple[Callable[[IncidentSignature], tuple[float, ...]], Callable[..., str]]:
    return _both(signal), lambda kind, expected, observed: _moved(name, unit, kind, expected, observed)


def _pair(name: str, first: str, second: str) -> Callable[[IncidentSignature], tuple[float, ...]]:
    return lambda signature: (
        getattr(signature.signals[name], first),
        getattr(signature.signals[name], second),
    )


_FACTS: Final[Mapping[str, tuple[Callable[[IncidentSignature], tuple[float, ...]], Callable[..., str]]]] = {
    "hit_rate": _change("The hit rate", percent, "hit_rate"),
    "hits_left": (_pair("hit_rate", "expected", "lowest"), _hits_left),
    "hit_trend": (_pair("hit_rate", "first", "last"), _hit_trend),
    "gets": (gets, lambda kind, was, now: _moved("Lookups", _a_minute, kind, was, now)),
    "hits": _change("Hits", _a_minute, "hits"),
    "size": (_size_numbers, _size),
    "size_earlier": (_size_earlier_numbers, _size_earlier),
    "size_trend": (_size_trend_numbers, _size_trend),
    "eviction_share": (_share_numbers, _eviction_share),
    "evicted": (_evicted_numbers, _evicted),
    "evictions": _change("Evictions", _a_minute, "evictions"),
    "landed": (_landed_numbers, _landed),
    "refill": (_refill_numbers, _refill),
    "swing": (_pair("cache_size", "lowest", "last"), _swing),
    "size_floor": (_size_floor_numbers, _size_floor),
    "surplus": (_surplus_numbers, _surplus),
    "sets_per_miss": (_per_miss_numbers, _per_miss),
    "miss_latency": _change("The response time of misses", milliseconds, "avg_miss_response_time_ms"),
    "hit_latency": _change("The response time of hits", milliseconds, "avg_hit_response_time_ms"),
    "hit_lag": (_hit_lag_numbers, _hit_lag),
    "latency": (_both("avg_response_time_ms"), _latency),
    "latency_shape": (_shape_numbers, _shape),
    "errors": _change("The error rate", percent, "error_rate"),
    "onset": (lambda signature: (float(signature.lead_in),), _onset),
    "brief": (lambda signature: (float(signature.windows),), _brief),
    "silent_before": (
        lambda signature: (float(signature.silent_before),),
        lambda _, minutes: f"No operations arrived for {plural(minutes, 'minute')}",
    ),
    "silence": _plainly("No operations arrive where some are always expected", ""),
    "validity": _plainly("The windows contradict themselves", ""),
    "harm": _plainly("", "Nothing got worse"),
}
