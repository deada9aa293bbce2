"""What the demo's viewers look at: the ledger and the observations as the auditor wrote them, read back from the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from auditor.database import failures
from auditor.database.connect import connect

Row = dict[str, Any]

_LEDGER: Final = """
    select monitoring.minute_of(minute_window), verdict, scores from monitoring.cache_auditor_ledger
    where implementation_type = %s and minute_window > monitoring.minute_at(%s) order by minute_window
"""
_COVERAGE: Final = """
    select (select count(*) from monitoring.cache_auditor_ledger l where l.implementation_type = %(cache)s),
        (select count(*) from monitoring.cache_metrics_1min w where w.implementation_type = %(cache)s
            and not exists (select from monitoring.cache_auditor_ledger l
                where l.implementation_type = w.implementation_type and l.minute_window = w.minute_window))
"""
_OBSERVATIONS: Final = """
    select to_jsonb(o) from monitoring.cache_auditor_observations o
    where implementation_type = %s order by "timestamp", severity, id
"""


@dataclass(frozen=True, slots=True)
class AuditedMinute:
    """A minute of the ledger: {metric: [value, expected, lower, upper, p_value]} of those judged."""

    minute: int
    verdict: str
    scores: dict[str, list[float | None]]


class Watch:
    """A reader of one cache's ledger and observations over its own connection; a context manager."""

    def __init__(self, dsn: str, cache: str) -> None:
        self._dsn = dsn
        self._cache = cache
        self._connection = connect(dsn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ledger_after(self, minute: int) -> list[AuditedMinute]:
        """The ledger's rows after a minute (since 1970), in order of time.

        Raises
        ------
        DependencyUnreachable
            If the database is gone.
        """
        with failures.explained(self._dsn):
            rows = self._connection.execute(_LEDGER, (self._cache, minute)).fetchall()
        return [AuditedMinute(*row) for row in rows]

    def coverage(self) -> tuple[int, int]:
        """Windows audited, and windows stored that are not audited yet."""
        with failures.explained(self._dsn):
            row = self._connection.execute(_COVERAGE, {"cache": self._cache}).fetchone()
        assert row is not None, "a query without a table gives one row"
        return int(row[0]), int(row[1])

    def observations(self) -> list[Row]:
        """The observations, every column, ready for JSON; the oldest first."""
        with failures.explained(self._dsn):
            return [row for (row,) in self._connection.execute(_OBSERVATIONS, (self._cache,)).fetchall()]


def holds_windows(dsn: str) -> bool:
    """Whether the database holds any windows already."""
    with connect(dsn) as connection, failures.explained(dsn):
        row = connection.execute("select exists (select from monitoring.cache_metrics_1min)").fetchone()
    return bool(row and row[0])
