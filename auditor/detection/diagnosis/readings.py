"""What a signature shows: each clue as a measured value with its uncertainty, sorted softly into kinds.

A clue is a number (mostly the logarithm of observed over expected), a standard error, and cuts that divide the line into
named kinds such as fell, same, rose. What a clue says is the probability of each kind, given that the true value is normal
about the measured one. A clue that cannot be measured says nothing at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.detection.signature import IncidentSignature, Signal

_LEAST_ERROR: Final = 0.04
_MOST_ERROR: Final = 0.8
_TRAFFIC_ERROR: Final = 0.08
_LATENCY_ERROR: Final = 0.10

Kinds = tuple[float, tuple[tuple[str, float], ...]]
_CHANGE: Final[Kinds] = (-1.2, (("fell", -0.2), ("same", 0.2), ("rose", 1.2)))
_YES_NO: Final[Kinds] = (-0.5, (("no", 0.5), ("yes", 1.5)))
CUTS: Final[Mapping[str, Kinds]] = {
    "hit_rate": (-1.5, (("fell", -0.15), ("same", 0.15), ("rose", 1.5))),
    "hits_left": (math.log(0.05), (("few", math.log(0.22)), ("some", math.log(0.88)), ("most", 0.15))),
    "hit_trend": (-1.0, (("falling", -0.25), ("flat", 0.3), ("recovering", 1.0))),
    "gets": _CHANGE,
    "hits": _CHANGE,
    "size": (
        -3.0,
        (("emptied", math.log(0.35)), ("fell", math.log(0.9)), ("same", math.log(1.05)), ("rose", 0.5)),
    ),
    "size_trend": (-0.6, (("falling", -0.06), ("flat", 0.06), ("refilling", 0.6))),
    "eviction_share": (0.0, (("none", 0.15), ("some", 0.6), ("most", 1.0))),
    "evictions": (-1.3, (("fell", -0.3), ("same", 0.25), ("rose", 1.3))),
    "sets_per_miss": (-1.2, (("fell", -0.2), ("same", 0.25), ("rose", 1.2))),
    "miss_latency": _CHANGE,
    "hit_latency": _CHANGE,
    "latency": (-1.2, (("fell", -0.15), ("explained", 0.15), ("rose", 1.2))),
    "latency_shape": (0.0, (("level", math.log(1.7)), ("tall", math.log(4.0)))),
    "hit_lag": (0.0, (("shared", 0.6), ("misses_only", 1.0))),
    "errors": (-0.01, (("same", 0.008), ("rose", 0.15))),
    "onset": (0.0, (("sudden", 3.5), ("gradual", 30.0))),
    "landed": (-0.2, (("no", 0.35), ("yes", 1.1))),
    "refill": (0.0, (("no", 0.62), ("yes", 1.1))),
    "size_floor": (-0.5, (("within", math.log(1.8)), ("beyond", 1.7))),
    "surplus": (-0.2, (("little", 0.55), ("matching", 1.7), ("excess", 3.0))),
    "silence": _YES_NO,
    "validity": _YES_NO,
    "harm": _YES_NO,
}
"""Each clue's lowest value that is told apart from lower ones, and its kinds with their upper ends."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One clue as measured.

    Parameters
    ----------
    clue
        Its name in `CUTS`.
    value, error
        The measured value and its standard error, on the clue's own scale.
    """

    clue: str
    value: float
    error: float

    def likelihoods(self) -> dict[str, float]:
        """How probable the measured value is under each kind, true values being spread evenly over the kind.

        A measurement whose error is wide is about as probable under every kind, and so tells nothing.
        """
        start, kinds = CUTS[self.clue]
        value = min(kinds[-1][1], max(start, self.value))
        shares: dict[str, float] = {}
        for kind, end in kinds:
            inside = _normal_cdf((end - value) / self.error) - _normal_cdf((start - value) / self.error)
            shares[kind] = inside / (end - start)
            start = end
        return shares

    @property
    def kind(self) -> str:
        """The kind that the measured value lies in."""
        kinds = CUTS[self.clue][1]
        return next((kind for kind, end in kinds if self.value < end), kinds[-1][0])


def read(signature: IncidentSignature) -> dict[str, Reading]:
    """Measure every clue that the signature allows, by name."""
    measured = (
        _hit_rate(signature),
        _hits_left(signature),
        _hit_trend(signature),
        _count_change(signature, "gets"),
        _count_change(signature, "hits"),
        _size(signature),
        _size_trend(signature),
        _eviction_share(signature),
        _evictions(signature),
        _landed(signature),
        _refill(signature),
        _size_floor(signature),
        _surplus(signature),
        _sets_per_miss(signature),
        _latency_change(signature, "miss_latency", "avg_miss_response_time_ms"),
        _latency_change(signature, "hit_latency", "avg_hit_response_time_ms"),
        _hit_lag(signature),
        _latency(signature),
        _latency_shape(signature),
        _errors(signature),
        _onset(signature),
        *_reported(signature),
    )
    return {reading.clue: reading for reading in measured if reading is not None}


def gets(signature: IncidentSignature) -> tuple[float, float]:
    """Lookups a minute: (expected, observed), NaN where unknown."""
    hits, misses = signature.signals["hits"], signature.signals["misses"]
    return hits.expected + misses.expected, hits.observed + misses.observed


def late(signature: IncidentSignature, signal: Signal) -> float:
    """The newest level that can be told: the third window itself while there are only three."""
    if signature.windows == 3:
        return min(signal.highest, max(signal.lowest, 3.0 * signal.last - 2.0 * signal.first))
    return signal.last


def normal_size(signature: IncidentSignature) -> float:
    """The size a healthy cache would have: what is expected, or the size just before where that is larger."""
    known = [x for x in (signature.signals["cache_size"].expected, signature.size_before) if math.isfinite(x)]
    return max(known, default=math.nan)


def _hit_rate(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["hit_rate"]
    value = _logit(signal.observed, signature) - _logit(signal.expected, signature)
    fallback = math.hypot(_rate_error(signature, signature.windows), 0.08)
    return _reading("hit_rate", value, _error(value, signal.z, fallback))


def _hits_left(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["hit_rate"]
    lowest, trials = _lowest_hit_rate(signature)
    if not signal.expected > 0.0:
        return None
    hits = max(lowest, 0.0) * trials if math.isfinite(trials) else 20.0 * lowest
    return _reading(
        "hits_left",
        math.log((lowest + 1e-3) / (signal.expected + 1e-3)),
        math.sqrt(1.0 / (hits + 1.0) + 0.003),
    )


def _lowest_hit_rate(signature: IncidentSignature) -> tuple[float, float]:
    """The lowest level of the hit rate, and the lookups behind it."""
    signal, trials = signature.signals["hit_rate"], gets(signature)[1]
    return _least(signal.first, signal.observed, late(signature, signal)), trials * min(signature.windows, 2)


def _hit_trend(signature: IncidentSignature) -> Reading | None:
    """The share of the lost hit rate that has been regained since the first windows; below 0 where more was lost."""
    signal = signature.signals["hit_rate"]
    if signature.windows < 3:
        return None
    now = min(1.0, late(signature, signal))
    lost = signal.expected - min(now, signal.first)
    error = math.hypot(_deviation(signature, 1 if signature.windows == 3 else 3), _deviation(signature, 2))
    if not lost > max(0.03, error):
        return None
    return _reading("hit_trend", (now - signal.first) / lost, math.hypot(error / lost, 0.08))


def _count_change(signature: IncidentSignature, clue: str) -> Reading | None:
    signal = signature.signals["hits"]
    expected, observed = gets(signature) if clue == "gets" else (signal.expected, signal.observed)
    return _reading(
        clue, _log_ratio(expected, observed, signature.windows), _count_error(signature, expected, observed)
    )


def _size(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["cache_size"]
    normal = normal_size(signature)
    lowest = _least(signal.lowest, signal.last)
    if not normal > 0.0 or not math.isfinite(lowest):
        return None
    value = math.log((lowest + 0.5) / (normal + 0.5))
    if value > math.log(0.9):
        before = signature.size_before if math.isfinite(signature.size_before) else normal
        value = math.log((late(signature, signal) + 0.5) / (before + 0.5))
    return _reading("size", value, _size_error(signature))


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
    return _reading("size_trend", value, _size_error(signature))


def _size_error(signature: IncidentSignature) -> float:
    signal = signature.signals["cache_size"]
    change = _log_ratio(signal.expected, signal.observed, signature.windows)
    return min(0.15, max(0.025, _error(change, signal.z, 0.05)))


def _eviction_share(signature: IncidentSignature) -> Reading | None:
    evictions, sets = signature.signals["evictions"].observed, signature.signals["sets"].observed
    if not (math.isfinite(evictions) and sets > 0.0):
        return None
    total = sets * signature.windows
    share = min(1.0, evictions / sets)
    return _reading(
        "eviction_share",
        share,
        math.sqrt((share * (1.0 - share) + 0.25 / (total + 1.0)) / (total + 1.0)) + 0.03,
    )


def _evictions(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["evictions"]
    expected, observed = signal.expected, signal.observed
    return _reading(
        "evictions",
        _log_ratio(expected, observed, signature.windows),
        _count_error(signature, expected, observed),
    )


def _landed(signature: IncidentSignature) -> Reading | None:
    """The share of the surplus sets that took up room: by evicting others or by making the cache larger."""
    sets, evictions = signature.signals["sets"], signature.signals["evictions"]
    size = signature.signals["cache_size"]
    surplus = (sets.observed - sets.expected) * signature.windows
    pushed = (evictions.observed - evictions.expected) * signature.windows
    grown = late(signature, size) - signature.size_before
    noise = math.sqrt(
        (sets.observed + sets.expected + evictions.observed + evictions.expected) * signature.windows
    )
    if not all(map(math.isfinite, (surplus, pushed, grown))) or surplus <= 2.0 * noise:
        return None
    return _reading(
        "landed", max(-0.5, min(1.5, (pushed + grown) / surplus)), math.hypot(noise / surplus, 0.1)
    )


def _refill(signature: IncidentSignature) -> Reading | None:
    """The share of the sets since the cache was smallest that made it larger again; 1 where it is full again.

    Into an emptied cache every set adds an entry, until it is full; into one that is cut or that expires sooner it does not.
    """
    size, sets = signature.signals["cache_size"], signature.signals["sets"].observed
    normal, now = normal_size(signature), late(signature, size)
    if signature.windows < 3 or not (normal > 0.0 and sets > 0.0 and size.lowest < 0.9 * normal):
        return None
    minutes = _minutes_of_refill(signature)
    room = min(sets * minutes, 0.95 * normal - size.lowest)
    return _reading(
        "refill", min(1.5, (now - size.lowest) / max(room, 1.0)), 0.15 + 0.5 / math.sqrt(sets * minutes)
    )


def _minutes_of_refill(signature: IncidentSignature) -> float:
    """Minutes from the smallest size to the newest: of three, one where the middle one was smallest, else two."""
    if signature.windows > 3:
        return signature.windows - 2.5
    size = signature.signals["cache_size"]
    other = 2.0 * size.first - size.lowest
    return 2.0 if other < late(signature, size) else 1.0


def _size_floor(signature: IncidentSignature) -> Reading | None:
    """The smallest size against the sets of one minute: a cache that was emptied holds no more than was set since."""
    size, sets = signature.signals["cache_size"], signature.signals["sets"].observed
    if signature.windows < 2 or not (sets >= 0.0 and size.lowest < 0.7 * normal_size(signature)):
        return None
    return _reading(
        "size_floor", math.log((size.lowest + 0.5) / (sets + 0.5)), 0.25 + 0.4 / math.sqrt(sets + 0.5)
    )


def _surplus(signature: IncidentSignature) -> Reading | None:
    """Where lookups rose: the surplus of misses as a share of the surplus of lookups."""
    expected, observed = gets(signature)
    misses = signature.signals["misses"]
    surplus = (observed - expected) * signature.windows
    noise = 2.0 * math.sqrt(max(observed, 0.0) * signature.windows) if math.isfinite(observed) else math.nan
    if not (surplus > max(noise, 0.15 * expected * signature.windows)):
        return None
    share = (misses.observed - misses.expected) * signature.windows / surplus
    return _reading("surplus", max(-1.0, min(4.0, share)), 0.15 + noise / 4.0 / surplus)


def _sets_per_miss(signature: IncidentSignature) -> Reading | None:
    sets, misses = signature.signals["sets"], signature.signals["misses"]
    windows = signature.windows
    value = _log_ratio(sets.expected, sets.observed, windows) - _log_ratio(
        misses.expected, misses.observed, windows
    )
    error = (
        math.sqrt(2.0 / (misses.observed * windows + 1.0) + 0.004)
        if math.isfinite(misses.observed)
        else math.nan
    )
    return _reading("sets_per_miss", value, error)


def _latency_change(signature: IncidentSignature, clue: str, name: str) -> Reading | None:
    signal = signature.signals[name]
    value = _latency_ratio(signal)
    behind = signature.signals["misses" if clue == "miss_latency" else "hits"].observed * signature.windows
    fallback = math.sqrt(_LATENCY_ERROR**2 + 0.5 / (behind + 1.0)) if math.isfinite(behind) else 0.2
    return _reading(clue, value, _error(value, signal.z, fallback))


def _hit_lag(signature: IncidentSignature) -> Reading | None:
    """Where misses have slowed: by how much more than hits have, as a share of the misses' own lag."""
    hit, miss = (signature.signals[f"avg_{kind}_response_time_ms"] for kind in ("hit", "miss"))
    lag = miss.observed - miss.expected
    if not (_latency_ratio(miss) > 0.2 and math.isfinite(hit.observed - hit.expected)):
        return None
    return _reading("hit_lag", 1.0 - max(0.0, hit.observed - hit.expected) / lag, 0.15)


def _latency(signature: IncidentSignature) -> Reading | None:
    """The average response time beyond what more misses can explain, where hits and misses are not timed apart.

    Were hits free, the average would grow with the share of misses: that is the most which the mix explains.
    """
    if all(
        math.isfinite(_latency_ratio(signature.signals[f"avg_{kind}_response_time_ms"]))
        for kind in ("hit", "miss")
    ):
        return None
    signal, rate = signature.signals["avg_response_time_ms"], signature.signals["hit_rate"]
    value = _latency_ratio(signal)
    error = _error(value, signal.z, _LATENCY_ERROR)
    mix = _log_ratio(1.0 - rate.expected, 1.0 - rate.observed, 10)
    if math.isfinite(mix) and mix * value > 0.0:
        value = math.copysign(max(0.0, abs(value) - abs(mix)), value)
    return _reading("latency", value, error)


def _latency_shape(signature: IncidentSignature) -> Reading | None:
    """How much further the slow tail moved than the average, in milliseconds, where hits and misses are not apart."""
    average, tail = (signature.signals[f"{kind}_response_time_ms"] for kind in ("avg", "p95"))
    apart = math.isfinite(_latency_ratio(signature.signals["avg_hit_response_time_ms"]))
    if apart or not (_latency_ratio(average) > 0.15 and math.isfinite(tail.observed - tail.expected)):
        return None
    lag = max(tail.observed - tail.expected, 0.05 * tail.expected)
    return _reading("latency_shape", math.log(lag / (average.observed - average.expected)), 0.35)


def _errors(signature: IncidentSignature) -> Reading | None:
    signal = signature.signals["error_rate"]
    total = signature.signals["throughput"].observed * signature.windows
    value = signal.observed - signal.expected
    spread = (
        math.sqrt((signal.observed * (1.0 - signal.observed) + 0.02) / (total + 1.0))
        if total >= 0.0
        else 0.01
    )
    return _reading("errors", value, min(0.1, max(0.002, spread)))


def _onset(signature: IncidentSignature) -> Reading:
    return Reading("onset", float(max(0, signature.lead_in)), 1.0 + 2.0 / signature.windows)


def _reported(signature: IncidentSignature) -> tuple[Reading, ...]:
    flagged = signature.flagged
    good = {"hit_rate": "rise", "eviction_rate": "drop", "error_rate": "drop"}
    harmless = {"throughput", "cache_size"}
    harm = any(
        direction != ("drop" if name.endswith("_ms") else good.get(name))
        for name, direction in flagged.items()
        if name not in harmless
    )
    only_size = bool(flagged) and set(flagged) <= harmless
    return (
        Reading("silence", float("silence" in flagged), 0.05),
        Reading("validity", float("window_validity" in flagged), 0.05),
        Reading("harm", float(harm or only_size), 0.05),
    )


def _reading(clue: str, value: float, error: float) -> Reading | None:
    if not (math.isfinite(value) and math.isfinite(error)):
        return None
    return Reading(clue, value, max(error, 1e-3))


def _error(value: float, z: float, fallback: float) -> float:
    """The standard error that a z score implies; the fallback where it implies none."""
    implied = abs(value / z) if math.isfinite(z) and abs(z) > 0.5 and math.isfinite(value) else fallback
    return min(_MOST_ERROR, max(_LEAST_ERROR, implied))


def _count_error(signature: IncidentSignature, expected: float, observed: float) -> float:
    if not (math.isfinite(expected) and math.isfinite(observed)):
        return math.nan
    total = observed * signature.windows
    traffic = signature.signals["throughput"]
    spread = _error(_log_ratio(traffic.expected, traffic.observed, 1), traffic.z, _TRAFFIC_ERROR)
    poisson = 1.0 / (total + 1.0) + 1.0 / (10.0 * expected * signature.windows + 1.0)
    return math.sqrt(poisson + min(0.3, spread) ** 2)


def _rate_error(signature: IncidentSignature, windows: int) -> float:
    rate = signature.signals["hit_rate"].observed
    trials = gets(signature)[1] * windows
    if not (math.isfinite(trials) and math.isfinite(rate)):
        return 0.3
    return math.sqrt(1.0 / (trials * rate * (1.0 - rate) + 1.0))


def _deviation(signature: IncidentSignature, windows: int) -> float:
    """The standard error of a hit rate over so many windows."""
    rate, trials = signature.signals["hit_rate"].observed, gets(signature)[1] * windows
    return math.sqrt((rate * (1.0 - rate) + 0.02) / (trials + 1.0)) if math.isfinite(trials) else 0.1


def _log_ratio(expected: float, observed: float, windows: float) -> float:
    """ln(observed / expected) of counts a minute, half a count added to each total so that nought has a logarithm."""
    if not (math.isfinite(expected) and math.isfinite(observed)):
        return math.nan
    return math.log((max(observed, 0.0) * windows + 0.5) / (max(expected, 0.0) * windows + 0.5))


def _latency_ratio(signal: Signal) -> float:
    if not (math.isfinite(signal.expected) and math.isfinite(signal.observed)):
        return math.nan
    return math.log((max(signal.observed, 0.0) + 1e-3) / (max(signal.expected, 0.0) + 1e-3))


def _logit(rate: float, signature: IncidentSignature) -> float:
    if not math.isfinite(rate):
        return math.nan
    trials = gets(signature)[1] * signature.windows
    edge = 0.5 / max(trials, 20.0) if math.isfinite(trials) else 0.01
    inside = min(1.0 - edge, max(edge, rate))
    return math.log(inside / (1.0 - inside))


def _least(*values: float) -> float:
    return min((x for x in values if math.isfinite(x)), default=math.nan)


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
