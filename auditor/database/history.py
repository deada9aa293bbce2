"""What the database remembers, read in bounded memory: windows for replay, the stored ledger, the cursors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.database import failures, wire
from auditor.database.connect import connect
from auditor.detection.windows import COLUMNS, WindowBlock, as_reported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from auditor.detection.achieved import Achieved
    from auditor.detection.answers import Answer

_ROWS: Final = 5_000
_WINDOWS: Final = (
    "select implementation_type, monitoring.minute_of(minute_window), revision::text::bigint, "  # noqa: S608 - own names
    + ", ".join(f"{column}::float8" for column in COLUMNS)
    + " from monitoring.windows_between(monitoring.minute_at(%(from)s::bigint), monitoring.minute_at(%(to)s::bigint + 1),"
    " %(caches)s::text[])"
)
_LEDGER: Final = """
    select implementation_type, monitoring.minute_of(minute_window), verdict, scores, revision::text::bigint, mode,
        config_hash, late_verdict, late_scores
    from monitoring.cache_auditor_ledger
    where minute_window >= monitoring.minute_at(%(from)s::bigint) and minute_window <= monitoring.minute_at(%(to)s::bigint)
        and (%(caches)s::text[] is null or implementation_type = any(%(caches)s::text[]))
    order by implementation_type, minute_window
"""
_CURSORS: Final = (
    "select implementation_type, monitoring.minute_of(cursor_minute)"
    " from monitoring.cache_auditor_checkpoint order by 1"
)
_ALARMING: Final = """
    select ledger.implementation_type, monitoring.minute_of(ledger.minute_window), exists (
        select from monitoring.cache_auditor_observations as part
        join monitoring.cache_auditor_observations as named using (incident_id)
        where part.implementation_type = ledger.implementation_type and named.verdict = 'incident'
            and ledger.minute_window >= part.window_start and ledger.minute_window < part.window_end
    )
    from monitoring.cache_auditor_ledger as ledger
    where ledger.verdict = 'anomalous' and (%(caches)s::text[] is null or ledger.implementation_type = any(%(caches)s::text[]))
        and ledger.minute_window >= monitoring.minute_at(%(from)s::bigint) and ledger.minute_window <= monitoring.minute_at(%(to)s::bigint)
    order by 1, 2
"""
_JUDGED: Final = """
    select implementation_type, count(*) from monitoring.cache_auditor_ledger
    where verdict in ('normal', 'anomalous') and (%(caches)s::text[] is null or implementation_type = any(%(caches)s::text[]))
        and minute_window >= monitoring.minute_at(%(from)s::bigint) and minute_window <= monitoring.minute_at(%(to)s::bigint)
    group by 1 order by 1
"""
_ANSWERS: Final = "select monitoring.auditor_answers(%s::text[], '-infinity')"
_FIRST_MINUTE: Final = -100_000_000
_LAST_MINUTE: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One stored minute of a cache's ledger; the `late_` fields are None where the window was judged once."""

    implementation_type: str
    minute: int
    verdict: str
    scores: dict[str, Any]
    revision: int | None
    mode: str
    config_hash: str
    late_verdict: str | None
    late_scores: dict[str, Any] | None


def windows_between(
    dsn: str,
    *,
    from_minute: int | None = None,
    to_minute: int | None = None,
    caches: Sequence[str] | None = None,
    block_minutes: int = 1440,
) -> Iterator[tuple[str, WindowBlock]]:
    """The stored windows as consecutive blocks, cache after cache in the order of their names.

    A cache's first block starts at its first window within the span; minutes without a row are there as absent. With
    `to_minute` given, each cache is laid out to that minute, else to its own last window. Minutes are since 1970, both ends
    included. Memory is bounded by `block_minutes`.

    Raises
    ------
    DependencyUnreachable
        If the database cannot be reached or lacks the schema.
    """
    asked = _asked(from_minute, to_minute, caches)
    with connect(dsn) as connection, failures.explained(dsn), connection.transaction():
        layout: _Layout | None = None
        for row in _stream(connection, _WINDOWS, asked):
            if layout is None or layout.name != row[0]:
                if layout is not None:
                    yield from layout.finish(to_minute)
                layout = _Layout(row[0], row[1], block_minutes)
            yield from layout.add(row)
        if layout is not None:
            yield from layout.finish(to_minute)


class _Layout:
    """Rows of one cache in time order, cut into blocks of a fixed number of minutes."""

    def __init__(self, name: str, first_minute: int, minutes: int) -> None:
        self.name = name
        self._first = first_minute
        self._minutes = minutes
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> Iterator[tuple[str, WindowBlock]]:
        """Take a row; the blocks that are complete before it."""
        yield from self._before(row[1])
        self._rows.append(row)

    def finish(self, to_minute: int | None) -> Iterator[tuple[str, WindowBlock]]:
        """The blocks that remain, up to the given minute or the last row."""
        last = self._rows[-1][1] if to_minute is None else to_minute
        yield from self._before(last + 1)
        if last >= self._first:
            yield self._cut(last)

    def _before(self, minute: int) -> Iterator[tuple[str, WindowBlock]]:
        while minute >= self._first + self._minutes:
            yield self._cut(self._first + self._minutes - 1)

    def _cut(self, last: int) -> tuple[str, WindowBlock]:
        columns = list(zip(*self._rows, strict=True)) or [()] * (3 + len(COLUMNS))
        block = WindowBlock.from_rows(
            self.name,
            columns[1],
            {name: as_reported(column) for name, column in zip(COLUMNS, columns[3:], strict=True)},
            first_minute=self._first,
            last_minute=last,
            revision=[revision or 0 for revision in columns[2]],
        )
        self._first, self._rows = last + 1, []
        return self.name, block


def checkpoint_cursors(dsn: str) -> dict[str, int | None]:
    """The last audited minute of every cache that has a checkpoint."""
    with connect(dsn) as connection, failures.explained(dsn):
        return dict(connection.execute(_CURSORS.encode()).fetchall())


def engineers_answers(dsn: str, caches: Sequence[str]) -> dict[str, tuple[Answer, ...]]:
    """All that engineers ever answered to the kept observations of these caches, by cache.

    Raises
    ------
    DependencyUnreachable
        If the database cannot be reached or lacks the schema.
    """
    with connect(dsn) as connection, failures.explained(dsn):
        row = connection.execute(_ANSWERS.encode(), (list(caches),)).fetchone()
    return wire.read_answers({} if row is None else row[0])


def achieved_alarms(
    dsn: str, *, from_minute: int | None = None, caches: Sequence[str] | None = None
) -> dict[str, Achieved]:
    """How often each cache has alarmed since a minute, by the kept ledger and by what engineers called an incident.

    Raises
    ------
    DependencyUnreachable
        If the database cannot be reached or lacks the schema.
    """
    from auditor.detection.achieved import Achieved

    asked = _asked(from_minute, None, caches)
    with connect(dsn) as connection, failures.explained(dsn), connection.transaction():
        judged = dict(connection.execute(_JUDGED.encode(), asked).fetchall())
        found: dict[str, list[tuple[int, bool]]] = {name: [] for name in judged}
        for name, minute, called in _stream(connection, _ALARMING, asked):
            found[name].append((minute, called))
    return {
        name: Achieved.of(
            np.array([minute for minute, _ in found[name]], dtype=np.int64),
            count,
            np.array([called for _, called in found[name]], dtype=np.bool_),
        )
        for name, count in judged.items()
    }


def ledger_between(
    dsn: str,
    *,
    from_minute: int | None = None,
    to_minute: int | None = None,
    caches: Sequence[str] | None = None,
) -> Iterator[LedgerRow]:
    """The stored ledger by cache and minute, both ends included, in bounded memory.

    Raises
    ------
    DependencyUnreachable
        If the database cannot be reached or lacks the schema.
    """
    asked = _asked(from_minute, to_minute, caches)
    with connect(dsn) as connection, failures.explained(dsn), connection.transaction():
        for row in _stream(connection, _LEDGER, asked):
            yield LedgerRow(*row)


def _asked(from_minute: int | None, to_minute: int | None, caches: Sequence[str] | None) -> dict[str, Any]:
    return {
        "from": _FIRST_MINUTE if from_minute is None else from_minute,
        "to": _LAST_MINUTE if to_minute is None else to_minute,
        "caches": None if caches is None else list(caches),
    }


def _stream(
    connection: psycopg.Connection[Any], query: str, asked: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """Rows through a server-side cursor, so that memory does not grow with their number."""
    with connection.cursor(name="auditor_history", binary=True) as cursor:
        cursor.itersize = _ROWS
        yield from cursor.execute(query.encode(), asked)
