"""Clues in the size of the cache, the sets and the evictions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from auditor.detection.diagnosis.levels import (
    count_error,
    late,
    least,
    log_ratio,
    normal_size,
    sets_of,
    standard_error,
)
from auditor.detection.diagnosis.readings import Reading, reading_of

if TYPE_CHECKING:
    from auditor.detection.signature import IncidentSignature

FULL: Final = 0.8
"""Evictions for each set from which a cache is taken to be full."""
LEAST_SETS: Final = 0.6
"""Sets a minute below which they are taken not to be reported where none is seen: so many are expected of none."""
SETTLED_MINUTES: Final = 8
"""Minutes after which a refill is known from its course."""
MOST_EXPIRING: Final = 0.7
"""The most of the sets that expiries are taken to undo."""
REFILL_ERROR: Final = 0.15
"""The error of a refill in its first minutes, beyond chance."""


def size_clues(signature: IncidentSignature) -> tuple[Reading | None, ...]:
    """Measure each, None where the signature does not allow it."""
    return (
        _size(signature),
        _size_earlier(signature),
        _size_trend(signature),
        _refill(signature),
        _size_floor(signature),
        _swing(signature),
        _evicted(signature),
        _eviction_share(signature),
        _evictions(signature),
        _landed(signature),
        _sets_per_miss(signature),
    )


def _size(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["cache_size"]
    normal = normal_size(signature)
    lowest = least(signal.lowest, signal.last)
    if not normal > 0.0 or not math.isfinite(lowest):
        return None
    value = math.log((lowest + 0.5) / (normal + 0.5))
    if value > math.log(0.9):
        before = signature.size_before if math.isfinite(signature.size_before) else normal
        value = math.log((late(signature, signal) + 0.5) / (before + 0.5))
    return reading_of("size", value, _size_error(signature))


def _size_earlier(signature: IncidentSignature) -> Reading | None:
    """Where entries are gone: how the size stood to the expected one some minutes before, which sudden causes find as it should be."""
    size, earlier = signature.signals["cache_size"], signature.size_earlier
    if not (size.expected > 0.0 and math.isfinite(earlier) and size.lowest < 0.9 * normal_size(signature)):
        return None
    return reading_of(
        "size_earlier", math.log((earlier + 0.5) / (size.expected + 0.5)), _size_error(signature)
    )


def _size_trend(signature: IncidentSignature) -> Reading | None:
    if signature.windows < 3 or _refill(signature) is not None:
        return None
    signal = signature.signals["cache_size"]
    now = late(signature, signal) + 0.5
    if not all(map(math.isfinite, (now, signal.lowest, signal.first))):
        return None
    value = math.log(now / (signal.lowest + 0.5))
    if value < 0.06:
        value = min(0.0, math.log(now / (signal.first + 0.5)))
    return reading_of("size_trend", value, _size_error(signature))


def _size_error(signature: IncidentSignature) -> float:
    signal = signature.signals["cache_size"]
    change = log_ratio(signal.expected, signal.observed, signature.windows)
    return min(0.15, max(0.025, standard_error(change, signal.z, 0.05)))


def _evicted(signature: IncidentSignature) -> Reading | None:
    """The share of the entries gone that was counted as evictions: a cut may be counted, a flush and an expiry are not."""
    evictions = signature.signals["evictions"]
    gone = normal_size(signature) - signature.signals["cache_size"].lowest
    counted = math.isfinite(evictions.observed) and math.isfinite(evictions.expected)
    if not (counted and gone > 0.2 * normal_size(signature)):
        return None
    # what the sets pushed out would have been counted in any case
    pushed = min(evictions.observed, max(evictions.expected, sets_of(signature)[1]))
    share = (evictions.observed - pushed) * signature.windows / gone
    return reading_of("evicted", min(1.0, share), 0.1 + 1.0 / math.sqrt(gone + 1.0))


def _eviction_share(signature: IncidentSignature) -> Reading | None:
    evictions, sets = signature.signals["evictions"].observed, signature.signals["sets"].observed
    if not (math.isfinite(evictions) and sets > 0.0):
        return None
    total = sets * signature.windows
    share = min(1.0, evictions / sets)
    return reading_of(
        "eviction_share",
        share,
        math.sqrt((share * (1.0 - share) + 0.25 / (total + 1.0)) / (total + 1.0)) + 0.03,
    )


def _evictions(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["evictions"]
    expected, observed = signal.expected, signal.observed
    return reading_of(
        "evictions",
        log_ratio(expected, observed, signature.windows),
        count_error(signature, expected, observed),
    )


def _landed(signature: IncidentSignature) -> Reading | None:
    """The share of the surplus sets that took up room: by evicting others or by making the cache larger."""
    (usual, now), evictions = sets_of(signature), signature.signals["evictions"]
    surplus = (now - usual) * signature.windows
    pushed = (evictions.observed - evictions.expected) * signature.windows
    grown = _grown(signature, usual)
    noise = math.sqrt((now + usual + evictions.observed + evictions.expected) * signature.windows)
    if not all(map(math.isfinite, (surplus, pushed, grown))) or surplus <= 2.0 * noise:
        return None
    share = (pushed + max(0.0, grown)) / surplus
    return reading_of("landed", max(-0.5, min(1.5, share)), math.hypot(noise / surplus, 0.1))


def _grown(signature: IncidentSignature, usual_sets: float) -> float:
    """By how many entries the cache grew; nought of a full one, where nearly every set evicts, and NaN where not known."""
    size = signature.signals["cache_size"]
    grown = late(signature, size) - signature.size_before
    full = signature.signals["evictions"].expected >= FULL * usual_sets
    return 0.0 if full and not math.isfinite(grown) else grown


def _refill(signature: IncidentSignature) -> Reading | None:
    """The share of the sets since the cache was smallest that made it larger again; 1 where it is full again.

    Into an emptied cache every set adds an entry, until it is full; into one that is cut or that expires sooner it does not. What is left after
    a flush of a part goes on expiring as it always did.
    """
    size, (_, sets) = signature.signals["cache_size"], sets_of(signature)
    normal, now = normal_size(signature), late(signature, size)
    if signature.windows < 3 or not (normal > 0.0 and sets > 0.0 and size.lowest < 0.9 * normal):
        return None
    minutes = _minutes_of_refill(signature)
    if minutes < 0.5:
        return reading_of("refill", 0.0, REFILL_ERROR)
    added = sets - min(_expiring(signature) * size.lowest / normal, MOST_EXPIRING * sets)
    room = min(added * minutes, 0.95 * normal - size.lowest)
    chance = 1.0 / math.sqrt(sets * minutes)
    error = REFILL_ERROR + 0.5 * chance if signature.minutes < SETTLED_MINUTES else 0.07 + 0.35 * chance
    return reading_of("refill", min(1.5, (now - size.lowest) / max(room, 1.0)), error)


def _expiring(signature: IncidentSignature) -> float:
    """Entries of a healthy cache that expire in a minute: what is set and neither evicted nor kept; 0 where that is not known."""
    expiring = sets_of(signature)[0] - signature.signals["evictions"].expected
    return max(0.0, expiring) if math.isfinite(expiring) else 0.0


def _minutes_of_refill(signature: IncidentSignature) -> float:
    """Minutes from the smallest size to the newest level, which is that of the last three windows, and of the third while there are three.

    Where it is not known which window was the smallest, of three the middle one is taken unless the two others stand about half a climb
    apart, and of more the first or the second.
    """
    size = signature.signals["cache_size"]
    if math.isfinite(size.since_lowest):
        return size.since_lowest - (signature.windows > 3)
    if signature.minutes > 3:
        return signature.minutes - 2.5
    climb = late(signature, size) - size.lowest
    other = 2.0 * (size.first - size.lowest)
    return 2.0 if 0.25 * climb < other < 0.75 * climb else 1.0


def _size_floor(signature: IncidentSignature) -> Reading | None:
    """The smallest size against the sets of one minute: a cache that was emptied holds no more than was set since."""
    size, (_, sets) = signature.signals["cache_size"], sets_of(signature)
    if signature.windows < 2 or not (sets >= 0.0 and size.lowest < 0.7 * normal_size(signature)):
        return None
    return reading_of(
        "size_floor", math.log((size.lowest + 0.5) / (sets + 0.5)), 0.12 + 0.4 / math.sqrt(sets + 0.5)
    )


def _swing(signature: IncidentSignature) -> Reading | None:
    """How far a smaller cache has moved from its smallest size, in units of chance (the root of that many entries).

    A cache filled to a smaller capacity stands still; one that is emptied, or whose entries expire sooner, does not.
    """
    size = signature.signals["cache_size"]
    if signature.windows < SETTLED_MINUTES or not (size.lowest < 0.9 * normal_size(signature)):
        return None
    swing = math.log((size.last + 0.1) / (size.lowest + 0.1)) * math.sqrt(size.lowest + 1.0)
    return reading_of("swing", max(0.0, swing), 0.15)


def _sets_per_miss(signature: IncidentSignature) -> Reading | None:
    sets, misses = signature.signals["sets"], signature.signals["misses"]
    if sets.observed == 0.0 and sets.expected < LEAST_SETS:
        return None
    windows = signature.windows
    value = log_ratio(sets.expected, sets.observed, windows) - log_ratio(
        misses.expected, misses.observed, windows
    )
    error = (
        math.sqrt(2.0 / (misses.observed * windows + 1.0) + 0.004)
        if math.isfinite(misses.observed)
        else math.nan
    )
    return reading_of("sets_per_miss", value, error)
