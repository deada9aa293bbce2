"""The metric catalogue: what is judged, how, and when it matters. Documents are generated from this table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How much an observation matters; only the last two are meant to page anyone."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Category(StrEnum):
    """What kind of trouble an observation is about."""

    PERFORMANCE = "performance"
    RELIABILITY = "reliability"
    CAPACITY = "capacity"
    ANOMALY = "anomaly"


class Family(StrEnum):
    """The distribution a metric is tested under."""

    PROPORTION = "overdispersed proportion (beta-binomial)"
    COUNT = "overdispersed count (negative binomial)"
    GAUGE = "positive gauge on the log scale (Student t)"
    ABSENCE = "expected operations, given that none arrived"


class Side(StrEnum):
    """The direction that can raise more than an info."""

    DROP = "drop"
    RISE = "rise"
    BOTH = "both"
    ABSENCE = "absence"


@dataclass(frozen=True, slots=True)
class Metric:
    """One judged metric.

    Parameters
    ----------
    name
        The name in rows, evidence and reports.
    title
        The name in sentences.
    unit
        What the value is counted in: percent, ms, per minute, entries.
    family
        The distribution it is tested under.
    side
        The alarming side.
    category
        The category of its observations.
    rank
        Its place as the leader of an incident: the lowest of an incident's metrics carries the severity.
    """

    name: str
    title: str
    unit: str
    family: Family
    side: Side
    category: Category
    rank: int


CATALOGUE: Final = (
    Metric("hit_rate", "hit rate", "%", Family.PROPORTION, Side.DROP, Category.PERFORMANCE, 1),
    Metric("error_rate", "error rate", "%", Family.PROPORTION, Side.RISE, Category.RELIABILITY, 0),
    Metric("eviction_rate", "eviction rate", "%", Family.PROPORTION, Side.RISE, Category.CAPACITY, 8),
    Metric("throughput", "throughput", "operations/min", Family.COUNT, Side.BOTH, Category.ANOMALY, 9),
    Metric(
        "avg_response_time_ms",
        "average response time",
        "ms",
        Family.GAUGE,
        Side.RISE,
        Category.PERFORMANCE,
        2,
    ),
    Metric(
        "p95_response_time_ms", "p95 response time", "ms", Family.GAUGE, Side.RISE, Category.PERFORMANCE, 3
    ),
    Metric(
        "p99_response_time_ms", "p99 response time", "ms", Family.GAUGE, Side.RISE, Category.PERFORMANCE, 4
    ),
    Metric(
        "avg_hit_response_time_ms",
        "average response time of hits",
        "ms",
        Family.GAUGE,
        Side.RISE,
        Category.PERFORMANCE,
        5,
    ),
    Metric("cache_size", "cache size", "entries", Family.GAUGE, Side.BOTH, Category.CAPACITY, 7),
    Metric("silence", "silence", "operations/min", Family.ABSENCE, Side.ABSENCE, Category.RELIABILITY, 6),
)
"""Every metric of a cache window, in the order of its columns in the ledger."""

BY_NAME: Final = {metric.name: metric for metric in CATALOGUE}

VALIDITY: Final = Metric(
    "window_validity",
    "window validity",
    "broken identities",
    Family.ABSENCE,
    Side.BOTH,
    Category.RELIABILITY,
    -1,
)
"""Not a test: the observation that a window contradicts itself, which is the collector's fault."""

BASELINE: Final = Metric("baseline", "learned normal", "", Family.GAUGE, Side.BOTH, Category.ANOMALY, 10)
"""Not a test: the observation that what is normal has moved since it was last agreed."""
