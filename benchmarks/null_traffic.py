"""Caches with nothing wrong, in every shape of traffic in which one is tempted to see something: seeded, operation by operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.signal import lfilter

from auditor.detection.windows import WindowBlock

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

WEEK: Final = 10_080
DAY: Final = 1440
FIRST_MINUTE: Final = 29_000_160 + 3 * DAY
"""A midnight, UTC, of a Sunday, with which the five working days of these worlds begin."""
CHANGE_OF_CLOCKS: Final = 2 * WEEK
"""Minutes after the first at which summer time begins."""
ERRORS: Final = 0.002
OFFICE_MINUTES: Final = 600
OUT_OF_HOURS: Final = 0.03


@dataclass(frozen=True, slots=True)
class Null:
    """One kind of healthy cache.

    Parameters
    ----------
    name
        As in the table.
    traffic
        Mean lookups a minute by day.
    daily
        Half the range of the daily shape, on the log scale.
    weekend
        What the traffic is multiplied by on the other two days.
    wobble
        Standard deviation of single minutes beyond chance: of log traffic, of the logit of the hit rate, of log latency.
    memory
        Autocorrelation of that from minute to minute.
    heavy
        Whether latencies have a Pareto tail of index 2 (no variance); else they are lognormal.
    night
        Hours from midnight without any lookup; the minutes are there all the same.
    clocks
        Whether the daily shape comes an hour earlier once summer time has begun.
    office
        Hours, UTC, at which offices open, where they are all that asks: ten hours on five days by their own clocks; 3 % of that is left at other times.
    """

    name: str
    traffic: float = 40.0
    daily: float = 0.0
    weekend: float = 1.0
    wobble: float = 0.0
    memory: float = 0.0
    heavy: bool = False
    night: int = 0
    clocks: bool = False
    office: int | None = None


NULLS: Final = (
    Null("plain binomial"),
    Null("overdispersed", wobble=0.15),
    Null("daily and weekly shape", daily=0.9, weekend=0.7, wobble=0.08),
    Null("AR(1) 0.6 noise", wobble=0.12, memory=0.6),
    Null("heavy-tailed latency", heavy=True, wobble=0.05),
    Null("0 to 5 a minute", traffic=2.5, daily=0.3),
    Null("quiet nights", daily=0.5, night=6, wobble=0.08),
    Null("weekends at a third", daily=0.5, weekend=1 / 3, wobble=0.08),
    Null("clocks changed", daily=0.9, wobble=0.08, clocks=True),
    Null("office hours", traffic=100.0, wobble=0.08, office=16),
)


def healthy(null: Null, weeks: int, seed: int) -> WindowBlock:
    """The windows of so many weeks from a cold start, none of them left out."""
    rng = np.random.default_rng(seed)
    count = weeks * WEEK
    minutes = FIRST_MINUTE + np.arange(count)
    mean = null.traffic * np.exp(_course(null, minutes) + _noise(null, count, rng))
    mean[(minutes % DAY) < 60 * null.night] = 0.0
    lookups = rng.poisson(mean)
    rate = 1.0 / (1.0 + np.exp(-(1.1 + _noise(null, count, rng))))
    slower = np.exp(_noise(null, count, rng))
    of_minute = np.repeat(np.arange(count), lookups)
    hit = rng.random(len(of_minute)) < rate[of_minute]
    normal = np.exp(0.5 * rng.normal(size=len(of_minute)))
    latency = (
        np.where(hit, 2.0, 300.0)
        * slower[of_minute]
        * (1.0 + rng.pareto(2.0, len(of_minute)) if null.heavy else normal)
    )
    order = _within_minutes(latency, of_minute, lookups)
    hit, latency = hit[order], latency[order]
    return _windows(null, minutes, of_minute, hit, latency, lookups, rng)


def _within_minutes(
    latency: Floats, of_minute: np.typing.NDArray[np.intp], lookups: np.typing.NDArray[np.int64]
) -> np.typing.NDArray[np.intp]:
    """The order of `np.lexsort((latency, of_minute))`, minute by minute, in a third of its time."""
    place = np.arange(lookups.max(initial=0))
    start = np.cumsum(lookups) - lookups
    laid = np.full((len(lookups), len(place)), np.inf)
    laid[of_minute, np.arange(len(latency)) - start[of_minute]] = latency
    order = np.argsort(laid, axis=1) + start[:, None]
    return np.asarray(order[place < lookups[:, None]])


def _course(null: Null, minutes: np.typing.NDArray[np.int64]) -> Floats:
    of_week = (minutes - FIRST_MINUTE) % WEEK
    late = np.where(minutes - FIRST_MINUTE >= CHANGE_OF_CLOCKS, 60, 0) if null.clocks else 0
    shape = -null.daily * np.cos(2 * np.pi * ((minutes + late) % DAY) / DAY)
    if null.office is not None:
        opened = (minutes - FIRST_MINUTE - 60 * null.office) % WEEK
        since = np.where(opened < 5 * DAY, opened % DAY, np.inf)
        shape = shape + np.log(
            OUT_OF_HOURS + (since < OFFICE_MINUTES) * np.minimum(1.0, (since + 1.0) / 60.0)
        )
    return np.where(of_week >= 5 * DAY, shape + np.log(null.weekend), shape)


def _noise(null: Null, count: int, rng: np.random.Generator) -> Floats:
    fresh = rng.normal(0.0, null.wobble * np.sqrt(1.0 - null.memory**2), count)
    return np.asarray(lfilter([1.0], [1.0, -null.memory], fresh))


def _windows(
    null: Null,
    minutes: np.typing.NDArray[np.int64],
    of_minute: np.typing.NDArray[np.int64],
    hit: np.typing.NDArray[np.bool_],
    latency: Floats,
    lookups: np.typing.NDArray[np.int64],
    rng: np.random.Generator,
) -> WindowBlock:
    count = len(minutes)
    hits = np.bincount(of_minute, hit, count)
    misses = lookups - hits
    of_hits = np.bincount(of_minute, latency * hit, count)
    of_misses = np.bincount(of_minute, latency * ~hit, count)
    evictions = rng.binomial(misses.astype(np.int64), 0.8).astype(np.float64)
    errors = rng.binomial(lookups, ERRORS).astype(np.float64)
    size = 1000.0 * np.exp(_noise(null, count, rng) * 0.1 + rng.normal(0.0, 0.003, count))
    start = np.cumsum(lookups) - lookups
    sorted_latency = np.append(latency, np.nan)

    def percentile(q: float) -> Floats:
        at = start + np.maximum(np.ceil(q * lookups).astype(np.int64) - 1, 0)
        return np.where(lookups > 0, sorted_latency[np.minimum(at, len(latency))], np.nan)

    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "total_operations": lookups + misses + evictions + errors,
            "hits": hits,
            "misses": misses,
            "sets": misses,
            "evictions": evictions,
            "errors": errors,
            "avg_response_time_ms": (of_hits + of_misses) / lookups,
            "p50_response_time_ms": percentile(0.5),
            "p95_response_time_ms": percentile(0.95),
            "p99_response_time_ms": percentile(0.99),
            "max_response_time_ms": percentile(1.0),
            "avg_cache_size": size,
            "max_cache_size": size,
            "hit_rate": 100.0 * hits / lookups,
            "avg_hit_response_time_ms": of_hits / hits,
            "avg_miss_response_time_ms": of_misses / misses,
        }
    return WindowBlock.from_rows(
        null.name, minutes, columns, first_minute=int(minutes[0]), last_minute=int(minutes[-1])
    )
