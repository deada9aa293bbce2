"""Windows written and judged by hand, for the tests of the store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from auditor.database.store import Pull, Pulled, Verdicts
from auditor.detection.catalogue import CATALOGUE
from auditor.detection.judgement import VERDICTS, Ledger, Scores, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.database.store import Turn
    from auditor.detection.windows import WindowBlock


def now_minute() -> int:
    """The present minute since 1970; the database's clock is this machine's."""
    return int(time.time() // 60)


def write(dsn: str, minutes: Iterable[int], *, cache: str = "new", hits: int = 70, misses: int = 30) -> None:
    """Write or rewrite windows of a cache."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.cursor().executemany(
            "insert into monitoring.cache_metrics_1min"
            " (minute_window, implementation_type, total_operations, hits, misses, hit_rate)"
            " values (to_timestamp(%s::bigint * 60), %s, %s, %s, %s, %s)"
            " on conflict (minute_window, implementation_type) do update set hits = excluded.hits,"
            " misses = excluded.misses, total_operations = excluded.total_operations, hit_rate = excluded.hit_rate",
            [
                (minute, cache, hits + misses, hits, misses, 100 * hits / max(1, hits + misses))
                for minute in minutes
            ],
        )


def asked(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def ledger_of(block: WindowBlock) -> Ledger:
    """Every present window normal, with the hits as the value of the hit rate; every absent one no_data."""
    nothing = np.full(len(block), np.nan)
    scores = {metric.name: Scores(nothing, nothing, (), ()) for metric in CATALOGUE}
    scores["hit_rate"] = Scores(block.columns["hits"], nothing, (), ())
    codes = np.where(block.present, VERDICTS.index(Verdict.NORMAL), VERDICTS.index(Verdict.NO_DATA))
    return Ledger(
        block.first_minute, codes.astype(np.int8), (lambda: scores,), np.zeros(len(block), dtype=np.bool_)
    )


def judged(pulled: Pulled, *, observations: Sequence[dict[str, Any]] = ()) -> Verdicts:
    """Results for a cache's share, with a state that tells the last minute."""
    last = pulled.cursor if pulled.block is None else pulled.block.last_minute
    return Verdicts(
        pulled=pulled,
        state={"version": 1, "hot": {"last": last}, "history": {"long": [last]}},
        history_changed=pulled.cursor is None,
        ledger=None if pulled.block is None else ledger_of(pulled.block),
        late=tuple((block, ledger_of(block)) for block in pulled.late),
        observations=observations,
        baseline=None,
        config_hash="0123456789ab",
    )


async def pull(turn: Turn, **given: Any) -> Pull:
    """A pull with generous limits, but for what is given."""
    request: dict[str, Any] = {
        "settle_seconds": 20.0,
        "max_windows_per_cache": 1000,
        "max_windows": 10_000,
        "known": {},
    }
    return await turn.pull(**(request | given))
