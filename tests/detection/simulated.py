"""Windows of a cache that never was: seeded, with the faults that a test asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from auditor.detection.windows import COLUMNS, WindowBlock

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = np.typing.NDArray[np.float64]
FIRST_MINUTE = 29_000_160
"""A midnight, UTC."""


@dataclass(slots=True)
class Course:
    """What the cache does minute by minute, before chance; arrays of shape (n,) that a fault may change."""

    traffic: Floats
    hit_rate: Floats
    errors: Floats
    hit_ms: Floats
    miss_ms: Floats
    size: Floats
    absent: np.typing.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


def course(
    minutes: int,
    *,
    traffic: float = 120.0,
    hit_rate: float = 0.75,
    daily: float = 0.4,
    first: int = FIRST_MINUTE,
) -> Course:
    """A steady cache whose traffic has a daily shape."""
    shape = np.sin(2 * np.pi * ((first + np.arange(minutes)) % 1440) / 1440)
    return Course(
        traffic=traffic * np.exp(daily * shape),
        hit_rate=np.full(minutes, hit_rate),
        errors=np.full(minutes, 0.001),
        hit_ms=np.full(minutes, 2.0),
        miss_ms=np.full(minutes, 400.0),
        size=np.full(minutes, 1000.0),
        absent=np.zeros(minutes, dtype=np.bool_),
    )


def windows(
    minutes: int,
    *,
    seed: int = 1,
    fault: Callable[[Course], None] | None = None,
    noise: float = 0.08,
    traffic: float = 120.0,
    hit_rate: float = 0.75,
    daily: float = 0.4,
    first: int = FIRST_MINUTE,
    name: str = "answers",
) -> WindowBlock:
    """The windows of `minutes` minutes, with chance added to the course and the fault put into it."""
    rng = np.random.default_rng(seed)
    plan = course(minutes, traffic=traffic, hit_rate=hit_rate, daily=daily, first=first)
    if fault is not None:
        fault(plan)
    gets = rng.poisson(plan.traffic * np.exp(rng.normal(0, noise, minutes))).astype(np.float64)
    logit = np.log(plan.hit_rate / (1 - plan.hit_rate)) + rng.normal(0, noise, minutes)
    hits = rng.binomial(gets.astype(np.int64), 1 / (1 + np.exp(-logit))).astype(np.float64)
    errors = rng.binomial(gets.astype(np.int64), plan.errors).astype(np.float64)
    misses = gets - hits
    evictions = rng.binomial(misses.astype(np.int64), 0.8).astype(np.float64)
    hit_ms = _means(rng, hits, plan.hit_ms, 0.5)
    miss_ms = _means(rng, misses, plan.miss_ms, 0.6)
    with np.errstate(invalid="ignore", divide="ignore"):
        average = (np.nan_to_num(hit_ms) * hits + np.nan_to_num(miss_ms) * misses) / gets
        rate = 100 * hits / gets
    p95 = np.fmax(miss_ms * 2.2 * np.exp(rng.normal(0, 0.1, minutes)), hit_ms)
    size = plan.size * np.exp(rng.normal(0, 0.003, minutes))
    columns = {
        "total_operations": gets + misses + evictions + errors,
        "hits": hits,
        "misses": misses,
        "sets": misses,
        "evictions": evictions,
        "errors": errors,
        "avg_response_time_ms": average,
        "p50_response_time_ms": hit_ms,
        "p95_response_time_ms": p95,
        "p99_response_time_ms": p95 * 1.45,
        "max_response_time_ms": np.fmax(miss_ms * 30, hit_ms * 30),
        "avg_cache_size": size,
        "max_cache_size": size,
        "hit_rate": rate,
        "avg_hit_response_time_ms": hit_ms,
        "avg_miss_response_time_ms": miss_ms,
    }
    there = ~plan.absent
    at = first + np.arange(minutes)
    return WindowBlock.from_rows(
        name,
        at[there],
        {column: columns[column][there] for column in COLUMNS},
        first_minute=first,
        last_minute=first + minutes - 1,
    )


def _means(rng: np.random.Generator, counts: Floats, median: Floats, sigma: float) -> Floats:
    """The means of so many lognormal latencies each, by their normal approximation; NaN of none."""
    mean = median * np.exp(sigma**2 / 2)
    deviation = mean * np.sqrt(np.exp(sigma**2) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = mean + deviation * rng.normal(size=len(counts)) / np.sqrt(counts)
    return np.where(counts > 0, np.maximum(drawn, 0.2 * mean), np.nan)
