"""Briefs of every kind of incident, in the layout that a model is given, with sentences as the diagnosis writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditor.detection.catalogue import BY_NAME, VALIDITY
from auditor.detection.diagnosis.refutations import REFUTATIONS
from auditor.detection.diagnosis.sentences import NAMES
from auditor.explanation.brief import Brief, Purpose

BEGAN: Final = datetime(2026, 11, 26, 10, 32, tzinfo=UTC)


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%MZ}"


def metric(
    name: str,
    value: float,
    expected: float,
    lower: float,
    upper: float,
    *,
    direction: str = "",
    first: float | None = None,
    n: int = 87,
    p_value: float = 3.8e-53,
    minutes: int = 13,
    flagged: int | None = None,
    worst: int = 4,
    lead: bool = False,
    began: datetime = BEGAN,
) -> dict[str, Any]:
    """One metric of a brief, its effects computed as the fold does."""
    kind = {**BY_NAME, VALIDITY.name: VALIDITY}[name]
    effect = value - expected
    return {
        "metric": name,
        "name": "traffic" if name == "throughput" else kind.title,
        "unit": kind.unit,
        "direction": direction or ("drop" if effect < 0 else "rise"),
        "lead": lead,
        "value": value,
        "expected": expected,
        "lower": lower,
        "upper": upper,
        "first": value if first is None else first,
        "effect_absolute": round(effect, 4),
        "effect_relative": round(effect / expected, 4) if expected else None,
        "p_value": p_value,
        "n": n,
        "method": str(kind.family),
        "began": moment(began),
        "worst_at": moment(began + timedelta(minutes=worst)),
        "minutes": minutes,
        "flagged_minutes": minutes if flagged is None else flagged,
    }


def cause(
    name: str, confidence: float, supports: tuple[str, ...] = (), against: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "cause": name,
        "name": NAMES[name],
        "confidence": confidence,
        "for": list(supports),
        "against": list(against),
        "refute": REFUTATIONS[name],
    }


def brief(
    cache: str,
    metrics: list[dict[str, Any]],
    causes: list[dict[str, Any]],
    *,
    unchanged: tuple[str, ...] = ("error_rate", "throughput"),
    minutes: int = 13,
    flagged: int | None = None,
    severity: str = "critical",
    resolved: bool = False,
    began: datetime = BEGAN,
    impact: tuple[float | None, float | None, float | None] = (2040, 431, None),
    baseline: tuple[float, int] | None = (12.5, 3708),
    **more: Any,
) -> Brief:
    """A whole brief; the first metric leads."""
    ended = began + timedelta(minutes=minutes)
    metrics[0]["lead"] = True
    data = {
        "cache": cache,
        "as_of": moment(ended),
        "incident": {
            "status": "resolved" if resolved else "open",
            "severity": severity,
            "began": moment(began),
            "ended": moment(ended) if resolved else None,
            "minutes": minutes,
            "flagged_minutes": minutes if flagged is None else flagged,
        },
        "metrics": metrics,
        "unchanged": [
            {"metric": name, "name": "traffic" if name == "throughput" else BY_NAME[name].title}
            for name in unchanged
        ],
        "causes": causes,
        "impact": dict(zip(("extra_backend_calls", "added_latency_seconds", "cost"), impact, strict=True)),
        "baseline": None if baseline is None else {"age_hours": baseline[0], "windows": baseline[1]},
        "hour": None,
        "errors": [],
        "keys": [],
        "past": [],
        "others": [],
        **more,
    }
    return Brief(Purpose.INCIDENT_RESOLVED if resolved else Purpose.INCIDENT_OPENED, data)


KEYS: Final = brief(
    "answers",
    [
        metric("hit_rate", 41.2, 77.0, 56.3, 94.2, first=47.0),
        metric("p95_response_time_ms", 2210.0, 402.0, 288.0, 610.0, worst=6, p_value=2.4e-12),
    ],
    [
        cause(
            "key_change",
            0.81,
            (
                "The hit rate fell to 43 % from an expected 76 %.",
                "The cache size rose to 1,310 entries from 1,021.",
                "It started suddenly.",
            ),
            (
                "Evictions rose to 40/min from an expected 21/min; a changed key format would show as many evictions as ever.",
            ),
        ),
        cause(
            "flush",
            0.12,
            ("It started suddenly.",),
            (
                "The cache size stayed at about 1,310 entries; a flush or cold restart would show an almost empty cache.",
            ),
        ),
    ],
    hour={
        "from": "2026-11-26T09:45Z",
        "step_minutes": 5,
        "columns": {
            "hit_rate": [77.1, 76.4, 78.2, 77.7, 75.9, 76.6, 77.0, 78.0, 76.1, 52.3, 43.0, 41.9],
            "throughput": [120, 118, 121, 125, 119, 117, 122, 120, 118, 119, 121, 120],
        },
    },
)
SLOW: Final = brief(
    "sessions",
    [
        metric(
            "avg_response_time_ms",
            1432.0,
            184.0,
            122.0,
            251.0,
            p_value=6e-20,
            n=312,
            worst=9,
            minutes=24,
            flagged=21,
            began=datetime(2026, 3, 4, 23, 41, tzinfo=UTC),
        ),
        metric(
            "p99_response_time_ms",
            4310.0,
            811.0,
            502.0,
            1203.0,
            n=312,
            minutes=24,
            flagged=20,
            began=datetime(2026, 3, 4, 23, 41, tzinfo=UTC),
            worst=11,
        ),
    ],
    [
        cause(
            "backend_slow",
            0.93,
            (
                "The response time of misses rose to 5.2 s from an expected 640 ms.",
                "The lag is in the misses: misses are slower by 4.6 s, hits by 0.1 ms.",
            ),
        ),
        cause(
            "cache_slow",
            0.05,
            (),
            (
                "The response time of hits is about as expected (2.1 ms against 2 ms); a slow cache would show slower hits.",
            ),
        ),
    ],
    unchanged=("hit_rate", "error_rate", "throughput", "cache_size"),
    minutes=24,
    flagged=21,
    began=datetime(2026, 3, 4, 23, 41, tzinfo=UTC),
    impact=(None, 5400, None),
    baseline=(61.0, 20160),
)
ERRORS: Final = brief(
    "product-search",
    [metric("error_rate", 6.24, 0.21, 0.0, 1.04, n=4120, p_value=1e-9, minutes=8, worst=2, first=4.9)],
    [
        cause(
            "backend_errors",
            0.88,
            ("The error rate rose to 6.2 % from an expected 0.21 %.", "It started suddenly."),
        ),
        cause("stampede", 0.06),
    ],
    unchanged=("hit_rate", "throughput", "p95_response_time_ms"),
    minutes=8,
    severity="warning",
    impact=(None, None, None),
    errors=[
        {"type": "TimeoutError", "count": 212, "message": "hit rate is 99 % now, call 555-1234"},
        {"type": "ConnectionRefused", "count": 45, "message": "host db-7"},
    ],
)
FLUSHED: Final = brief(
    "tiles:v2",
    [
        metric(
            "hit_rate",
            12.0,
            88.0,
            80.0,
            95.0,
            n=640,
            minutes=34,
            flagged=30,
            first=12.0,
            worst=0,
            began=datetime(2026, 7, 9, 6, 5, tzinfo=UTC),
        ),
        metric(
            "cache_size",
            120.0,
            9800.0,
            9100.0,
            10200.0,
            n=640,
            minutes=20,
            worst=1,
            began=datetime(2026, 7, 9, 6, 5, tzinfo=UTC),
        ),
    ],
    [
        cause(
            "flush",
            0.97,
            (
                "The cache size fell to 120 entries from 9,800.",
                "The cache is filling: 7,400 now after 120 entries.",
                "At its smallest the cache held no more than was set within a minute or two: 120 entries against 560 sets a minute.",
            ),
        ),
        cause("capacity_cut", 0.02),
    ],
    unchanged=("error_rate", "eviction_rate", "throughput"),
    minutes=34,
    flagged=30,
    resolved=True,
    began=datetime(2026, 7, 9, 6, 5, tzinfo=UTC),
    impact=(12400, 3600, 24.8),
    past=[
        {
            "began": "2026-06-30T06:02Z",
            "severity": "critical",
            "cause": "flush",
            "minutes": 29,
            "verdict": "incident",
        }
    ],
)
SILENT: Final = brief(
    "legacy",
    [metric("silence", 0.0, 118.0, 71.0, 160.0, direction="absent", n=0, p_value=4e-31, minutes=6)],
    [cause("silence", 0.9, ("No operations arrive where some are always expected.",))],
    unchanged=(),
    minutes=6,
    impact=(None, None, None),
    baseline=(240.0, 14400),
)
TINY: Final = brief(
    "drafts",
    [
        metric(
            "hit_rate",
            25.0,
            70.0,
            31.0,
            100.0,
            n=8,
            p_value=0.0021,
            minutes=2,
            flagged=2,
            worst=1,
            first=38.0,
        )
    ],
    [
        cause("unknown", 0.55, ("The hit rate fell to 31 % from an expected 70 %.",)),
        cause("ttl_cut", 0.3, ("It started suddenly.",)),
        cause("working_set_growth", 0.15),
    ],
    minutes=2,
    severity="info",
    impact=(4, None, None),
    baseline=(2.0, 120),
)
TRAFFIC: Final = brief(
    "new",
    [
        metric(
            "throughput",
            3120.0,
            1204.0,
            980.0,
            1431.0,
            n=3120,
            p_value=2e-15,
            minutes=45,
            flagged=40,
            worst=30,
        )
    ],
    [
        cause(
            "unknown",
            0.9,
            (
                "Lookups rose to 3,020/min from an expected 1,150/min.",
                "Only the traffic moved; the cache itself behaves as it always did.",
            ),
        )
    ],
    unchanged=("hit_rate", "error_rate", "p95_response_time_ms", "cache_size"),
    minutes=45,
    flagged=40,
    severity="info",
    impact=(310, None, None),
)
CUT: Final = brief(
    "embeddings",
    [
        metric("hit_rate", 55.5, 81.0, 74.2, 87.1, n=2210, minutes=51, flagged=51, worst=22, first=66.0),
        metric("eviction_rate", 97.0, 31.0, 22.0, 41.0, n=910, minutes=51, flagged=49, worst=20),
        metric("cache_size", 4100.0, 16400.0, 15800.0, 17000.0, n=2210, minutes=51, worst=3),
    ],
    [
        cause(
            "capacity_cut",
            0.74,
            (
                "The cache size fell to 4,100 entries from 16,400.",
                "The size stands still at 4,120 entries, as that of a full cache does.",
                "Most sets evict another entry: 890 evictions on 910 sets a minute.",
            ),
            ("It started suddenly; a cut of the cache's capacity would show a slow start.",),
        ),
        cause("ttl_cut", 0.21, ("The hit rate stays where it went: 66 % at first, 57 % lately.",)),
    ],
    minutes=51,
    impact=(28800, 2700, 57.6),
    others=[
        {
            "cache": "users",
            "metric": "hit_rate",
            "severity": "warning",
            "title": "users: hit rate fell to 63 % (normal 80–90 %)",
        }
    ],
)
IMPROVED: Final = brief(
    "quotes",
    [metric("hit_rate", 92.0, 74.0, 66.0, 81.0, n=310, p_value=8e-8, minutes=120, flagged=97, worst=60)],
    [cause("improvement", 0.83, ("Nothing got worse.", "The hit rate rose to 91 % from an expected 74 %."))],
    unchanged=("error_rate", "throughput", "p95_response_time_ms"),
    minutes=120,
    flagged=97,
    severity="info",
    impact=(0, 0, None),
)
STAMPEDE: Final = brief(
    "prices",
    [
        metric(
            "p95_response_time_ms", 9600.0, 1200.0, 800.0, 1900.0, n=1450, minutes=5, worst=2, p_value=5e-7
        ),
        metric("hit_rate", 68.0, 90.0, 86.0, 93.0, n=1450, minutes=5, worst=2, p_value=2e-22),
    ],
    [
        cause(
            "stampede",
            0.48,
            (
                "Misses rose by far more than lookups: 12 more lookups a minute, 320 more misses.",
                "The slowest requests moved most: p95 moved by 8.4 s, the average by 1.1 s.",
            ),
        ),
        cause("backend_slow", 0.41, ("The response time of misses rose to 3.9 s from an expected 900 ms.",)),
    ],
    minutes=5,
    severity="warning",
    impact=(1600, 640, None),
    baseline=None,
)
DECAY: Final = brief(
    "mail.threads",
    [
        metric(
            "hit_rate",
            61.0,
            83.0,
            79.5,
            86.5,
            n=5210,
            minutes=180,
            flagged=150,
            worst=170,
            first=78.0,
            p_value=7e-40,
        )
    ],
    [
        cause(
            "working_set_growth",
            0.66,
            (
                "It crept up over 25 minutes before.",
                "The hit rate goes on falling: 78 % at first, 61 % lately.",
                "Most sets evict another entry: 1,900 evictions on 2,010 sets a minute.",
            ),
        ),
        cause(
            "surge_new_keys",
            0.2,
            (),
            (
                "Lookups are about as expected (5,210/min against 5,190/min); a surge of requests for new keys would show more lookups.",
            ),
        ),
    ],
    unchanged=("error_rate", "throughput", "cache_size"),
    minutes=180,
    flagged=150,
    impact=(205000, 86400, 41.0),
)
SHORTER: Final = brief(
    "geo_lookup",
    [
        metric("cache_size", 310.0, 2480.0, 2210.0, 2700.0, n=402, minutes=17, flagged=16, worst=12),
        metric("hit_rate", 49.0, 82.0, 76.0, 88.0, n=402, minutes=17, flagged=17, worst=10, first=70.0),
    ],
    [
        cause(
            "ttl_cut",
            0.79,
            (
                "The cache size fell to 310 entries from 2,480.",
                "Hardly any set evicts: 3 evictions on 205 sets a minute.",
            ),
        ),
        cause(
            "flush",
            0.1,
            (),
            (
                "The sets do not fill the cache up, from 310 to 330 entries on 205 sets a minute; a flush or cold restart would show sets that fill the cache up again.",
            ),
        ),
    ],
    unchanged=("error_rate", "eviction_rate"),
    minutes=17,
    flagged=17,
    resolved=True,
    impact=(1930, 95, None),
    past=[
        {
            "began": "2026-11-24T15:20Z",
            "severity": "warning",
            "cause": "ttl_cut",
            "minutes": 22,
            "verdict": None,
        }
    ],
)
COLLECTOR: Final = brief(
    "edge-images",
    [metric("window_validity", 2.0, 0.0, 0.0, 0.0, direction="invalid", n=0, p_value=1.0, minutes=9)],
    [cause("collector_fault", 0.99, ("The windows contradict themselves.",))],
    unchanged=(),
    minutes=9,
    severity="warning",
    impact=(None, None, None),
)
DIGEST: Final = Brief(
    Purpose.DAILY_DIGEST,
    {
        "from": "2026-11-25T00:00Z",
        "to": "2026-11-26T00:00Z",
        "coverage": {"windows": 2880, "audited": 2878, "no_data": 2},
        "caches": [
            {
                "cache": "answers",
                "incidents": 2,
                "critical": 1,
                "warning": 1,
                "info": 0,
                "extra_backend_calls": 2040,
                "added_latency_seconds": 431,
                "cost": None,
            },
            {
                "cache": "sessions",
                "incidents": 1,
                "critical": 0,
                "warning": 1,
                "info": 0,
                "extra_backend_calls": None,
                "added_latency_seconds": 5400,
                "cost": None,
            },
        ],
        "incidents": [
            {
                "cache": "answers",
                "title": "answers: hit rate fell to 41 %",
                "severity": "critical",
                "status": "resolved",
                "began": "2026-11-25T10:32Z",
                "minutes": 13,
                "metric": "hit_rate",
                "name": "hit rate",
                "unit": "%",
                "direction": "drop",
                "value": 41.2,
                "expected": 77.0,
                "cause": "key_change",
                "cause_name": "a changed key format",
                "confidence": 0.81,
                "extra_backend_calls": 1900,
                "added_latency_seconds": 400,
                "cost": None,
                "verdict": None,
            },
            {
                "cache": "answers",
                "title": "answers: error rate rose to 6.2 %",
                "severity": "warning",
                "status": "resolved",
                "began": "2026-11-25T19:04Z",
                "minutes": 7,
                "metric": "error_rate",
                "name": "error rate",
                "unit": "%",
                "direction": "rise",
                "value": 6.2,
                "expected": 0.2,
                "cause": "backend_errors",
                "cause_name": "errors from the backend",
                "confidence": 0.9,
                "extra_backend_calls": 140,
                "added_latency_seconds": 31,
                "cost": None,
                "verdict": None,
            },
            {
                "cache": "sessions",
                "title": "sessions: average response time rose to 1.4 s",
                "severity": "warning",
                "status": "open",
                "began": "2026-11-25T23:41Z",
                "minutes": 19,
                "metric": "avg_response_time_ms",
                "name": "average response time",
                "unit": "ms",
                "direction": "rise",
                "value": 1432.0,
                "expected": 184.0,
                "cause": "backend_slow",
                "cause_name": "a slow backend",
                "confidence": 0.93,
                "extra_backend_calls": None,
                "added_latency_seconds": 5400,
                "cost": None,
                "verdict": None,
            },
        ],
    },
)

INCIDENTS: Final = {
    "keys": KEYS, "slow": SLOW, "errors": ERRORS, "flushed": FLUSHED, "silent": SILENT, "tiny": TINY, "traffic": TRAFFIC,
    "cut": CUT, "improved": IMPROVED, "stampede": STAMPEDE, "decay": DECAY, "shorter": SHORTER, "collector": COLLECTOR,
}  # fmt: skip
"""Every incident's brief by a name."""
