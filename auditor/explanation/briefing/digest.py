"""The brief of the daily digest: the incidents of a span of time, by cache and one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auditor.detection.catalogue import Severity
from auditor.detection.diagnosis.sentences import NAMES
from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.briefing.figures import (
    Row,
    at,
    cache_name,
    counted,
    evidence_of,
    leads,
    objects_of,
    one_of,
    rounded,
)
from auditor.explanation.briefing.incident import (
    VERDICTS,
    cause_of,
    impact_of,
    incident_facts,
    metric_facts,
)
from auditor.explanation.briefing.sizing import MOST_TOKENS, fitted, shortened
from auditor.explanation.names import neutral_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_INCIDENTS: Final = 40
MOST_CACHES: Final = 30
_TOLL: Final = ("extra_backend_calls", "added_latency_seconds", "cost")
_GRAVEST_FIRST: Final = {str(Severity.CRITICAL): 0, str(Severity.WARNING): 1, str(Severity.INFO): 2}


def digest_brief(
    rows: Iterable[Row],
    *,
    start: int,
    end: int,
    coverage: Mapping[str, Any],
    most_tokens: int = MOST_TOKENS,
) -> Brief:
    """What a model is told of a span of time: each cache's toll, and its incidents, the gravest first.

    Parameters
    ----------
    rows
        The rows of `cache_auditor_observations` that began in the span; those that do not lead their incident are passed over.
    start, end
        The span's first minute and the minute after its last, since 1970.
    coverage
        How many windows there ought to be, and how many were audited and had no data: `{windows, audited, no_data}`.
    most_tokens
        The estimated size that it is cut to, at least `LEAST_TOKENS`: the slightest incidents go first, then the caches with the least.

    Raises
    ------
    ValueError
        If `most_tokens` is too few.
    """
    found = sorted((row for row in rows if leads(row)), key=_gravest_first)
    data = {
        "from": at(start),
        "to": at(end),
        "coverage": {name: counted(coverage.get(name)) for name in ("windows", "audited", "no_data")},
        "caches": _caches(found)[:MOST_CACHES],
        "incidents": [_incident(row) for row in found[:MOST_INCIDENTS]],
    }
    return Brief(Purpose.DAILY_DIGEST, fitted(data, most_tokens, _CUTS))


_CUTS: Final = (shortened("incidents", 3), shortened("caches", 3), shortened("incidents", 0))


def _gravest_first(row: Row) -> tuple[Any, ...]:
    return (
        _GRAVEST_FIRST.get(str(row.get("severity")), 2),
        -(impact_of(evidence_of(row))["extra_backend_calls"] or 0),
        str(row.get("implementation_type")),
        rounded(evidence_of(row).get("opened_minute")) or 0,
        str(row.get("fingerprint")),
    )


def _caches(rows: list[Row]) -> list[dict[str, Any]]:
    """The caches by name as people see it, those with the gravest incidents first."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(str(row.get("implementation_type") or ""), []).append(row)
    return [_cache(name, its_rows) for name, its_rows in by_name.items()]


def _cache(name: str, rows: list[Row]) -> dict[str, Any]:
    severities = [row.get("severity") for row in rows]
    tolls = {toll: [impact_of(evidence_of(row))[toll] for row in rows] for toll in _TOLL}
    return {
        "cache": cache_name(name),
        "incidents": len(rows),
        **{str(severity): severities.count(str(severity)) for severity in _GRAVEST_FIRST},
        **{toll: rounded(_sum(values)) for toll, values in tolls.items()},
    }


def _sum(values: list[float | int | None]) -> float | None:
    sure = [value for value in values if value is not None]
    return sum(sure) if sure else None


def _incident(row: Row) -> dict[str, Any]:
    facts, metric, cause = incident_facts(row, [row]), metric_facts(row, lead=True), cause_of(row)
    return {
        "cache": cache_name(row.get("implementation_type")),
        "title": neutral_text(str(row.get("title") or ""), 120),
        **{name: facts[name] for name in ("severity", "status", "began", "minutes")},
        **{name: metric[name] for name in ("metric", "name", "unit", "direction", "value", "expected")},
        "cause": cause,
        "cause_name": None if cause is None else NAMES[cause],
        "confidence": None
        if cause is None
        else rounded(objects_of(evidence_of(row)["causes"])[0].get("confidence")),
        **impact_of(evidence_of(row)),
        "verdict": one_of(row.get("verdict"), VERDICTS),
    }
