"""The brief of an incident, from its rows of `cache_auditor_observations` and what is known around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auditor.detection.catalogue import BASELINE, BY_NAME, VALIDITY, Severity
from auditor.detection.diagnosis.figures import known
from auditor.detection.diagnosis.sentences import NAMES
from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.briefing.excerpts import error_entries, key_entries
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
    said,
)
from auditor.explanation.briefing.hour import hour_steps
from auditor.explanation.briefing.sizing import MOST_TOKENS, emptied, fitted, shortened
from auditor.explanation.names import neutral_text
from auditor.explanation.wording import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DIRECTIONS: Final = ("drop", "rise", "absent", "invalid", "moved")
VERDICTS: Final = ("incident", "new_normal", "ignore")
MOST_CAUSES: Final = 5
MOST_SENTENCES: Final = 5
MOST_REASONS: Final = 3
MOST_PAST: Final = 5
MOST_OTHERS: Final = 5
_METRICS: Final = {**BY_NAME, VALIDITY.name: VALIDITY, BASELINE.name: BASELINE}
_SEVERITIES: Final = tuple(Severity)


def incident_brief(
    rows: Sequence[Row],
    *,
    hour: Mapping[str, Sequence[float | None]] | None = None,
    errors: Iterable[Mapping[str, Any]] = (),
    keys: Iterable[str] = (),
    past: Iterable[Row] = (),
    others: Iterable[Row] = (),
    as_of: int,
    purpose: Purpose,
    excerpts: bool = True,
    most_tokens: int = MOST_TOKENS,
) -> Brief:
    """What a model is told of an incident: allow-listed fields of what is given, and nothing else of it.

    Parameters
    ----------
    rows
        The incident's rows of `cache_auditor_observations`, at least one, in any order; the one whose evidence leads speaks for it.
    hour
        Columns of the one-minute windows around it, as `hour_steps` takes them; None where there are none.
    errors
        Recent errors as `{type, count, message}`.
    keys
        Examples of cache keys.
    past, others
        Rows of earlier incidents with the same signature, and of other caches' in the same minutes; see `_of_others`.
    as_of
        The end of the last window that is spoken of, in minutes since 1970.
    purpose
        What the brief is for: an incident's opening or its end.
    excerpts
        Whether redacted cache keys and error messages may be told at all.
    most_tokens
        The estimated size that it is cut to, at least `LEAST_TOKENS`. In this order go the hour, past incidents, other caches,
        keys, errors, the weaker causes, what did not change, followers' metrics, and sentences for and against.

    Raises
    ------
    ValueError
        If there are no rows, or `most_tokens` is too few.
    """
    lead, followers = _by_lead(rows)
    evidence, incident = evidence_of(lead), lead.get("incident_id")
    data = {
        "cache": cache_name(lead.get("implementation_type")),
        "as_of": at(as_of),
        "incident": incident_facts(lead, rows),
        "metrics": [metric_facts(lead, lead=True), *(metric_facts(row, lead=False) for row in followers)],
        "unchanged": [_named(name) for name in _words(evidence.get("unchanged")) if name in _METRICS],
        "causes": _causes(evidence),
        "impact": impact_of(evidence),
        "baseline": _baseline(evidence, as_of),
        "hour": hour_steps(hour),
        "errors": error_entries(errors, excerpts=excerpts),
        "keys": key_entries(keys, excerpts=excerpts),
        "past": _past(_of_others(past, incident)),
        "others": [_other(row) for row in _of_others(others, incident)[:MOST_OTHERS]],
    }
    return Brief(purpose, fitted(data, most_tokens, _CUTS))


def _by_lead(rows: Sequence[Row]) -> tuple[Row, list[Row]]:
    """The row that speaks for the incident, and the others by their metrics' names."""
    if not rows:
        raise ValueError("an incident has at least one row")
    lead = next((row for row in rows if leads(row)), rows[0])
    return lead, sorted((row for row in rows if row is not lead), key=lambda row: str(row.get("metric_name")))


def _of_others(rows: Iterable[Row], incident: Any) -> list[Row]:
    """Rows that speak for other incidents than this one."""
    return [row for row in rows if leads(row) and row.get("incident_id") != incident]


def incident_facts(lead: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """The state, the severity and the time of an incident."""
    evidences = [evidence_of(row) for row in rows]
    began = min((e["opened_minute"] for e in evidences if known(e.get("opened_minute"))), default=None)
    last = max((e["last_minute"] for e in evidences if known(e.get("last_minute"))), default=None)
    resolved = lead.get("status") == "resolved"
    return {
        "status": "resolved" if resolved else "open",
        "severity": one_of(lead.get("severity"), _SEVERITIES) or str(Severity.INFO),
        "began": at(began),
        "ended": at(last + 1) if resolved and last is not None else None,
        "minutes": None if began is None or last is None else counted(last - began + 1),
        "flagged_minutes": counted(
            max((e["flagged_windows"] for e in evidences if known(e.get("flagged_windows"))), default=None)
        ),
    }


def metric_facts(row: Row, *, lead: bool) -> dict[str, Any]:
    """What one row says of its metric."""
    evidence = evidence_of(row)
    metric = one_of(evidence.get("metric"), _METRICS) or one_of(row.get("metric_name"), _METRICS)
    unit = _METRICS[metric].unit if metric else ""
    began, minutes, ended = evidence.get("opened_minute"), evidence.get("windows"), None
    warned = evidence.get("warned_minute")
    if metric == "silence" and known(evidence.get("back_minute")) and known(evidence.get("silent_minutes")):
        ended, minutes = evidence["back_minute"], evidence["silent_minutes"]
        began = ended - minutes
    return {
        "metric": metric or "unknown",
        "name": wording(metric or "unknown", unit).name,
        "unit": unit,
        "direction": one_of(evidence.get("direction"), DIRECTIONS) or "moved",
        "lead": lead,
        **{name: rounded(evidence.get(name)) for name in _NUMBERS},
        "method": neutral_text(str(evidence["method"]), 60) if evidence.get("method") else None,
        "began": at(began),
        **({"ended": at(ended)} if ended is not None else {}),
        **({"mattered_at": at(warned)} if lead and known(began) and known(warned) and warned > began else {}),
        "worst_at": at(evidence.get("worst_minute")),
        "minutes": counted(minutes),
        "flagged_minutes": counted(evidence.get("flagged_windows")),
    }


_NUMBERS: Final = (
    "value",
    "expected",
    "lower",
    "upper",
    "first",
    "effect_absolute",
    "effect_relative",
    "p_value",
    "n",
)


def _named(metric: str) -> dict[str, str]:
    return {"metric": metric, "name": wording(metric, "").name}


def _words(value: Any) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, (list, tuple)) else []


def _causes(evidence: Row) -> list[dict[str, Any]]:
    """The ranked causes; what is wrong with a window that contradicts itself speaks for the first of them."""
    ranked = [cause for cause in objects_of(evidence.get("causes")) if one_of(cause.get("cause"), NAMES)]
    told = [
        {
            "cause": cause["cause"],
            "name": NAMES[cause["cause"]],
            "confidence": rounded(cause.get("confidence")) or 0,
            "for": said(cause.get("for"), MOST_SENTENCES),
            "against": said(cause.get("against"), MOST_SENTENCES),
            "refute": " ".join(said([cause.get("refute")], 1)),
        }
        for cause in ranked[:MOST_CAUSES]
    ]
    if told:
        told[0]["for"] += said(evidence.get("reasons"), MOST_REASONS)
    return told


def impact_of(evidence: Row) -> dict[str, float | int | None]:
    """What an incident has cost; null where it is not known."""
    given = evidence.get("impact")
    impact = given if isinstance(given, dict) else {}
    calls = impact.get("extra_backend_calls")
    return {
        "extra_backend_calls": rounded(round(calls)) if known(calls) else None,
        "added_latency_seconds": rounded(impact.get("added_latency_seconds")),
        "cost": rounded(impact.get("cost")),
    }


def _baseline(evidence: Row, as_of: int) -> dict[str, float | int | None] | None:
    baseline = evidence.get("baseline")
    if not isinstance(baseline, dict) or not known(baseline.get("learned_minute")):
        return None
    return {
        "age_hours": rounded(max(0.0, as_of - baseline["learned_minute"]) / 60.0),
        "windows": rounded(baseline.get("windows")),
    }


def _past(rows: list[Row]) -> list[dict[str, Any]]:
    """Newest first."""
    dated = [row for row in rows if known(evidence_of(row).get("opened_minute"))]
    dated.sort(key=lambda row: -evidence_of(row)["opened_minute"])
    return [
        {
            "began": at(evidence_of(row)["opened_minute"]),
            "severity": one_of(row.get("severity"), _SEVERITIES),
            "cause": cause_of(row),
            "minutes": counted(evidence_of(row).get("windows")),
            "verdict": one_of(row.get("verdict"), VERDICTS),
        }
        for row in dated[:MOST_PAST]
    ]


def _other(row: Row) -> dict[str, Any]:
    return {
        "cache": cache_name(row.get("implementation_type")),
        "metric": one_of(row.get("metric_name"), _METRICS),
        "severity": one_of(row.get("severity"), _SEVERITIES),
        "title": neutral_text(str(row.get("title") or ""), 120),
    }


def cause_of(row: Row) -> str | None:
    """A row's most probable cause, if one was ranked."""
    causes = objects_of(evidence_of(row).get("causes"))
    return one_of(causes[0].get("cause"), NAMES) if causes else None


def _fewer_sentences(data: dict[str, Any]) -> bool:
    """Take the weakest sentence off the longest list of them."""
    lists = [(cause, side) for cause in data["causes"] for side in ("for", "against") if len(cause[side]) > 1]
    if not lists:
        return False
    cause, side = max(lists, key=lambda place: len(place[0][place[1]]))
    cause[side] = cause[side][:-1]
    return True


_CUTS: Final = (
    emptied("hour", None),
    shortened("past", 0),
    shortened("others", 0),
    shortened("keys", 0),
    shortened("errors", 0),
    shortened("causes", 1),
    shortened("unchanged", 0),
    shortened("metrics", 1),
    _fewer_sentences,
)
