"""Windows that come late: none is lost, each is judged once for each revision."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg

from tests.migrations.auditing import (
    FIRST,
    Connection,
    audited,
    commit,
    late_minutes,
    lease,
    take,
    write_window,
)


def test_a_transaction_held_open_while_later_ones_commit_loses_no_window(
    database: str, connection: Connection
) -> None:
    with psycopg.connect(database) as held_open:
        write_window(held_open, FIRST + 5, hits=77)
        _audited_but = [minute for minute in range(FIRST, FIRST + 20) if minute != FIRST + 5]
        for minute in _audited_but:
            write_window(connection, minute)
        lease(connection)
        for _ in range(3):
            assert commit(connection, take(connection)).get("answers", "committed") == "committed"
            write_window(connection, FIRST + 6)
        held_open.commit()
    assert FIRST + 5 in late_minutes(take(connection))


def test_a_revised_window_comes_once_for_each_revision(connection: Connection) -> None:
    audited(connection)
    assert late_minutes(take(connection)) == []
    write_window(connection, FIRST + 3, hits=9)
    first = take(connection)
    assert late_minutes(first) == [FIRST + 3]
    commit(connection, first)
    assert late_minutes(take(connection)) == []
    write_window(connection, FIRST + 3, hits=10)
    assert late_minutes(take(connection)) == [FIRST + 3]
    row = connection.execute(
        "select verdict, late_verdict from monitoring.cache_auditor_ledger where minute_window = monitoring.minute_at(%s)",
        (FIRST + 3,),
    ).fetchone()
    assert row == ("normal", "anomalous")


def test_a_watermark_from_the_future_makes_all_windows_compared_with_the_ledger(
    connection: Connection,
) -> None:
    audited(connection)
    write_window(connection, FIRST + 2, hits=8)
    connection.execute("update monitoring.cache_auditor_checkpoint set watermark = '999999999999'::xid8")
    assert late_minutes(take(connection)) == [FIRST + 2]


def _whole_audit(connection: Connection, **request: Any) -> list[list[int]]:
    """Turns until there is nothing left to do; the late minutes of each."""
    turns = []
    while (pull := take(connection, **request))["caches"]:
        turns.append(late_minutes(pull))
        assert set(commit(connection, pull).values()) == {"committed"}
        assert len(turns) < 100
    return turns


def test_more_late_windows_than_a_pull_may_hold_come_in_parts_with_none_lost(connection: Connection) -> None:
    audited(connection)
    horizon = FIRST + 19
    assert _whole_audit(connection, horizon_minute=horizon) == []
    for minute in reversed(range(FIRST, FIRST + 20)):
        write_window(connection, minute, hits=50)
    limits: dict[str, Any] = {"max_windows_per_cache": 6, "max_windows": 100, "horizon_minute": horizon}
    assert take(connection, **limits)["more"]
    turns = _whole_audit(connection, **limits)
    assert [len(turn) for turn in turns] == [6, 6, 6, 2]
    assert sorted(itertools.chain.from_iterable(turns)) == list(range(FIRST, FIRST + 20))
    assert not take(connection, **limits)["more"]
    unequal = connection.execute(
        "select count(*) from monitoring.cache_auditor_ledger l join monitoring.cache_metrics_1min w"
        " using (implementation_type, minute_window) where w.revision <> l.late_revision"
    ).fetchone()
    assert unequal == (0,)


def test_a_crowd_of_late_windows_of_one_cache_leaves_room_for_the_others(connection: Connection) -> None:
    for minute in range(FIRST, FIRST + 20):
        write_window(connection, minute, "crowd")
    write_window(connection, FIRST + 19, "other")
    lease(connection)
    horizon = FIRST + 19
    _whole_audit(connection, horizon_minute=horizon)
    for minute in range(FIRST, FIRST + 20):
        write_window(connection, minute, "crowd", hits=50)
    write_window(connection, FIRST + 19, "other", hits=50)
    pull = take(connection, max_windows=10, horizon_minute=horizon)
    assert {
        cache["implementation_type"]: len(cache["late"].get("minute") or []) for cache in pull["caches"]
    } == {
        "crowd": 5,
        "other": 1,
    }


def test_windows_from_before_a_restore_are_compared_once_and_not_read_again(connection: Connection) -> None:
    audited(connection)
    far = "999999999999"
    connection.execute("alter table monitoring.cache_metrics_1min disable trigger complete_window")
    connection.execute(f"update monitoring.cache_metrics_1min set revision = '{far}'::xid8")
    connection.execute(f"update monitoring.cache_auditor_checkpoint set watermark = '{far}'::xid8")
    connection.execute(
        f"update monitoring.cache_auditor_ledger set revision = '{far}'::xid8 where minute_window <> monitoring.minute_at({FIRST + 4})"
    )
    connection.execute("alter table monitoring.cache_metrics_1min enable trigger complete_window")
    horizon = FIRST + 20
    assert _whole_audit(connection, horizon_minute=horizon) == [[FIRST + 4]]
    (watermark,) = connection.execute(
        "select watermark < pg_snapshot_xmax(pg_current_snapshot()) from monitoring.cache_auditor_checkpoint"
    ).fetchone() or (None,)
    assert watermark is True
    # one that the ledger tells otherwise of is not looked at any more, and what is written from now on is
    connection.execute(
        f"update monitoring.cache_auditor_ledger set revision = '1'::xid8 where minute_window = monitoring.minute_at({FIRST + 9})"
    )
    write_window(connection, FIRST + 7, hits=70)
    assert late_minutes(take(connection)) == [FIRST + 7]


def test_a_window_before_the_caches_first_is_judged_late(connection: Connection) -> None:
    audited(connection)
    write_window(connection, FIRST - 5)
    pull = take(connection)
    assert late_minutes(pull) == [FIRST - 5]
    commit(connection, pull)
    row = connection.execute(
        "select verdict, mode, late_verdict from monitoring.cache_auditor_ledger order by minute_window limit 1"
    ).fetchone()
    assert row == ("unjudged", "backfilled", "anomalous")


def test_a_cache_that_comes_back_to_minutes_already_in_the_ledger_is_audited_again(
    connection: Connection,
) -> None:
    audited(connection)
    connection.execute("delete from monitoring.cache_auditor_checkpoint")
    lease(connection)
    assert commit(connection, take(connection)) == {"answers": "committed"}
    row = connection.execute(
        "select count(*), count(late_verdict) from monitoring.cache_auditor_ledger where minute_window"
        " between monitoring.minute_at(%s) and monitoring.minute_at(%s)",
        (FIRST, FIRST + 19),
    ).fetchone()
    assert row == (20, 20)
