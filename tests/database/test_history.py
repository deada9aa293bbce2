"""What replay reads back: windows in bounded memory, the stored ledger, the cursors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from auditor.database.history import checkpoint_cursors, ledger_between, windows_between
from auditor.database.postgres import PostgresStore
from auditor.detection.windows import COLUMNS
from auditor.errors import DependencyUnreachable
from tests.database.windows import asked, judged, now_minute, pull, write

START = 28_000_000


@pytest.mark.parametrize("block_minutes", [1, 3, 7, 1440])
def test_windows_come_back_as_consecutive_blocks_whatever_their_size(
    database: str, block_minutes: int
) -> None:
    minutes = [0, 1, 2, 5, 6, 19, 20]
    write(database, [START + at for at in minutes], hits=11)
    write(database, [START + 4, START + 3], cache="another")
    blocks = list(windows_between(database, block_minutes=block_minutes))
    assert [name for name, _ in itertools.groupby(name for name, _ in blocks)] == ["another", "new"]
    for name, present in (("another", [0, 1]), ("new", minutes)):
        own = [block for cache, block in blocks if cache == name]
        assert all(len(block) <= block_minutes for block in own)
        assert own[0].first_minute == START + (3 if name == "another" else 0)
        assert all(b.first_minute == a.last_minute + 1 for a, b in itertools.pairwise(own))
        seen = np.flatnonzero(np.concatenate([block.present for block in own]))
        assert seen.tolist() == present
    hits = np.concatenate([block.columns["hits"] for cache, block in blocks if cache == "new"])
    assert hits[~np.isnan(hits)].tolist() == [11.0] * len(minutes)


def test_both_ends_of_the_span_are_included_and_the_last_minute_is_laid_out(database: str) -> None:
    write(database, range(START, START + 10))
    ((_, block),) = windows_between(database, from_minute=START + 2, to_minute=START + 5)
    assert (block.first_minute, block.last_minute) == (START + 2, START + 5)
    ((_, longer),) = windows_between(database, from_minute=START + 8, to_minute=START + 12)
    assert longer.present.tolist() == [True, True, False, False, False]


def test_only_the_caches_asked_for_come(database: str) -> None:
    for cache in ("a", "b", "c"):
        write(database, [START], cache=cache)
    assert [name for name, _ in windows_between(database, caches=["c", "a"])] == ["a", "c"]
    assert list(windows_between(database, caches=[])) == []


def test_every_column_comes_back_as_it_was_stored(database: str) -> None:
    values = ", ".join(str(at + 1) for at in range(len(COLUMNS)))
    write(database, [START])
    asked(
        database,
        f"update monitoring.cache_metrics_1min set ({', '.join(COLUMNS)}) = ({values}) returning 1",
    )
    stored = asked(database, f"select {', '.join(COLUMNS)} from monitoring.cache_metrics_1min")[0]
    ((_, block),) = windows_between(database)
    assert [block.columns[name][0] for name in COLUMNS] == [float(value) for value in stored]
    assert block.revision[0] > 0


async def test_the_pull_and_the_history_give_the_same_numbers_to_the_last_bit(database: str) -> None:
    """Replay has to read what the live run read."""
    minute = now_minute() - 5
    write(database, [minute])
    asked(
        database,
        "update monitoring.cache_metrics_1min set avg_response_time_ms = 0.1::float8 + 0.2::float8,"
        " p99_response_time_ms = 1e-7::float8 / 3, avg_cache_size = 1e22::float8 / 7,"
        " p50_response_time_ms = 'NaN' returning 1",
    )
    ((_, replayed),) = windows_between(database)
    store = PostgresStore(database, worker="ann")
    await store.lease(lease_seconds=60, max_caches=10)
    async with store.turn() as turn:
        live = (await pull(turn, horizon_minute=minute)).caches[0].block
    await store.close()
    assert live is not None
    assert live.columns["avg_response_time_ms"][0] == 0.1 + 0.2
    assert live.columns["p50_response_time_ms"][0] == np.inf
    assert live.revision.tolist() == replayed.revision.tolist()
    for name in COLUMNS:
        np.testing.assert_array_equal(live.columns[name], replayed.columns[name])


async def test_the_ledger_and_the_cursors_read_back(database: str) -> None:
    last = now_minute() - 5
    write(database, [last - 3, last - 1, last])
    store = PostgresStore(database, worker="ann")
    try:
        await store.lease(lease_seconds=60, max_caches=10)
        assert checkpoint_cursors(database) == {"new": None}
        for hits in (70, 10):
            write(database, [last - 1], hits=hits)
            async with store.turn() as turn:
                pulled = await pull(turn, horizon_minute=last)
                await turn.commit(pulled, [judged(share) for share in pulled.caches])
    finally:
        await store.close()
    assert checkpoint_cursors(database) == {"new": last}
    rows = list(ledger_between(database))
    assert [row.minute for row in rows] == list(range(last - 3, last + 1))
    assert [row.verdict for row in rows] == ["normal", "no_data", "normal", "normal"]
    assert [row.late_verdict for row in rows] == [None, None, "normal", None]
    assert rows[2].scores["hit_rate"][0] == 70
    assert (rows[2].late_scores or {})["hit_rate"][0] == 10
    assert rows[1].revision is None
    assert all(row.config_hash == "0123456789ab" for row in rows)
    spans = ledger_between(database, from_minute=last - 1, to_minute=last - 1, caches=["new"])
    assert [row.minute for row in spans] == [last - 1]


def test_a_reader_may_stop_half_way(database: str) -> None:
    write(database, range(START, START + 50))
    reading = windows_between(database, block_minutes=10)
    assert len(next(reading)[1]) == 10
    reading.close()  # type: ignore[attr-defined]


def test_a_database_without_the_schema_says_to_migrate(empty_database: str) -> None:
    with pytest.raises(DependencyUnreachable, match="run auditor migrate"):
        list(windows_between(empty_database))
