"""A replay against what the service stored: the ledger's verdicts and scores, and the observations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from auditor.replay.writers import instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.database.history import LedgerRow
    from auditor.replay.engine import CacheReplay

SHOWN: Final = 20
COMPARED: Final = (
    "severity",
    "category",
    "metric_name",
    "metric_value",
    "baseline_value",
    "status",
    "incident_id",
    "title",
    "description",
    "evidence",
)


def ledger_differences(outcome: CacheReplay, stored: Iterable[LedgerRow]) -> Iterator[str]:
    """A sentence for each minute in which the replay and the stored ledger differ.

    Windows that came late were judged by the service when they came and are told apart there: their first verdict is compared
    only where it was not replaced.
    """
    rows = iter(stored)
    row = next(rows, None)
    name = outcome.implementation_type
    for ledger in outcome.ledgers:
        for minute, verdict, scores in ledger.rows():
            while row is not None and row.minute < minute:
                yield f"{name} {instant(row.minute)}: stored as {row.verdict}, not in the replay"
                row = next(rows, None)
            if row is None or row.minute > minute:
                yield f"{name} {instant(minute)}: replayed as {verdict}, not stored"
                continue
            if row.late_verdict is None:
                yield from _row_differences(name, minute, (str(verdict), scores), (row.verdict, row.scores))
            row = next(rows, None)


def _row_differences(
    name: str, minute: int, replayed: tuple[str, Mapping[str, Any]], stored: tuple[str, Mapping[str, Any]]
) -> Iterator[str]:
    where = f"{name} {instant(minute)}"
    if replayed[0] != stored[0]:
        yield f"{where}: replayed as {replayed[0]}, stored as {stored[0]}"
    elif replayed[1].keys() != stored[1].keys():
        yield f"{where}: metrics {sorted(replayed[1])} were replayed, {sorted(stored[1])} stored"
    else:
        for metric, scores in replayed[1].items():
            if not all(map(same, scores, stored[1][metric])):
                yield f"{where}: {metric} replayed as {scores}, stored as {stored[1][metric]}"


def observation_differences(
    replayed: Iterable[Mapping[str, Any]], stored: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """A sentence for each observation that only one side has, or that differs.

    Where a model worded a stored one, the deterministic text that is kept with it is compared.
    """
    ours = {row["fingerprint"]: row for row in replayed}
    theirs = {row["fingerprint"]: row for row in stored}
    for fingerprint in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(fingerprint), theirs.get(fingerprint)
        if mine is None or other is None:
            row = mine or other or {}
            yield f"{row['implementation_type']}: “{row['title']}” is only {'stored' if mine is None else 'in the replay'}"
            continue
        for column in COMPARED:
            there = _deterministic(other, column)
            if not same(mine[column], there):
                yield f"{mine['implementation_type']}: “{mine['title']}” has {column} {mine[column]}, stored {there}"


def _deterministic(row: Mapping[str, Any], column: str) -> Any:
    """A stored column, with its text as it was before a model worded it."""
    explanation = row.get("explanation") or {}
    if column == "description" and explanation.get("source") == "model":
        return (explanation.get("template") or {}).get(column)
    return row[column]


def same(one: Any, other: Any) -> bool:
    """Whether two stored values are the same: numbers to the last bit that a database keeps."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return bool(one == other)
