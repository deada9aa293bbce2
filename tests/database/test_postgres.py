"""The store's turns on a real database: leases, pulls, commits, and what becomes of lost connections."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditor.database.postgres import PostgresStore
from auditor.database.store import CommitOutcome, Pulled
from auditor.errors import AuditorError, DependencyUnreachable
from tests.database.proxy import Proxy
from tests.database.windows import asked, judged, now_minute, pull, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def opened(
    dsn: str, worker: str = "ann", patience_seconds: float = 30.0
) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(dsn, worker=worker, patience_seconds=patience_seconds)
    try:
        yield store
    finally:
        await store.close()
        await store.close()


async def audit(store: PostgresStore, **given: object) -> dict[str, CommitOutcome]:
    """One whole turn: pull, judge, commit."""
    async with store.turn() as turn:
        pulled = await pull(turn, **given)
        outcomes = await turn.commit(pulled, [judged(share) for share in pulled.caches])
    return {name: committed.outcome for name, committed in outcomes.items()}


async def share_of(store: PostgresStore, cache: str = "new", **given: object) -> Pulled | None:
    """What a pull would give for a cache, with nothing committed."""
    async with store.turn() as turn:
        pulled = await pull(turn, **given)
    return next((share for share in pulled.caches if share.implementation_type == cache), None)


async def test_settled_windows_are_pulled_and_committed_once(database: str) -> None:
    last = now_minute() - 5
    write(database, range(last - 9, last + 1))
    async with opened(database) as store:
        assert await store.lease(lease_seconds=60, max_caches=10) == ("new",)
        share = await share_of(store, horizon_minute=last)
        assert share is not None
        assert share.block is not None
        assert (share.cursor, share.state, share.late) == (None, None, ())
        assert (share.block.first_minute, share.block.last_minute) == (last - 9, last)
        assert share.block.columns["hits"].tolist() == [70.0] * 10
        assert (share.block.revision > 0).all()
        assert await audit(store, horizon_minute=last) == {"new": CommitOutcome.COMMITTED}
        assert await share_of(store, horizon_minute=last) is None
    assert asked(
        database, "select count(*), count(distinct verdict) from monitoring.cache_auditor_ledger"
    ) == [(10, 1)]


async def test_a_minute_without_a_row_is_a_window_too(database: str) -> None:
    last = now_minute() - 5
    write(database, [last - 4, last - 1])
    async with opened(database) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        await audit(store, horizon_minute=last)
    rows = asked(database, "select verdict from monitoring.cache_auditor_ledger order by minute_window")
    assert [verdict for (verdict,) in rows] == ["normal", "no_data", "no_data", "normal", "no_data"]


async def test_the_committed_state_comes_back_unless_the_caller_knows_it(database: str) -> None:
    last = now_minute() - 5
    write(database, range(last - 9, last + 1))
    async with opened(database) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        await audit(store, horizon_minute=last - 3)
        share = await share_of(store, horizon_minute=last)
        assert share is not None
        assert share.cursor == last - 3
        assert share.state == {"version": 1, "hot": {"last": last - 3}, "history": {"long": [last - 3]}}
        known = await share_of(store, horizon_minute=last, known={"new": share.state_version})
        assert known is not None
        assert known.state is None


async def test_a_late_and_a_revised_window_are_judged_beside_their_first_verdict(database: str) -> None:
    last = now_minute() - 5
    write(database, [minute for minute in range(last - 9, last + 1) if minute != last - 4])
    async with opened(database) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        await audit(store, horizon_minute=last)
        write(database, [last - 4, last - 2], hits=10)
        share = await share_of(store, horizon_minute=last)
        assert share is not None
        assert share.block is None
        assert [block.first_minute for block in share.late] == [last - 4, last - 2]
        assert await audit(store, horizon_minute=last) == {"new": CommitOutcome.COMMITTED}
        assert await share_of(store, horizon_minute=last) is None
    rows = asked(
        database,
        "select verdict, scores->'hit_rate'->0, late_verdict, late_scores->'hit_rate'->0"
        " from monitoring.cache_auditor_ledger where late_verdict is not null order by minute_window",
    )
    assert rows == [("no_data", None, "normal", 10), ("normal", 70, "normal", 10)]


async def test_a_body_that_raises_writes_nothing(database: str) -> None:
    last = now_minute() - 5
    write(database, [last])
    async with opened(database) as store:
        await store.lease(lease_seconds=60, max_caches=10)

        async def fail() -> None:
            async with store.turn() as turn:
                pulled = await pull(turn)
                await turn.commit(pulled, [judged(share) for share in pulled.caches])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert asked(database, "select count(*) from monitoring.cache_auditor_ledger") == [(0,)]
        assert await audit(store) == {"new": CommitOutcome.COMMITTED}


async def test_results_that_the_server_refuses_spoil_only_their_own_turn(database: str) -> None:
    write(database, [now_minute() - 5])
    async with opened(database) as store:
        await store.lease(lease_seconds=60, max_caches=10)

        async def refuse() -> None:
            async with store.turn() as turn:
                pulled = await pull(turn)
                broken = [judged(share, observations=[{"title": "\x00"}]) for share in pulled.caches]
                await turn.commit(pulled, broken)

        with pytest.raises(AuditorError, match="refused a statement"):
            await refuse()
        assert await audit(store) == {"new": CommitOutcome.COMMITTED}


async def test_a_cancelled_turn_writes_nothing_and_the_store_goes_on(database: str) -> None:
    last = now_minute() - 5
    write(database, [last])
    async with opened(database) as store:
        await store.lease(lease_seconds=60, max_caches=10)

        async def hang() -> None:
            async with store.turn() as turn:
                pulled = await pull(turn)
                await turn.commit(pulled, [judged(share) for share in pulled.caches])
                await asyncio.sleep(3600)

        hanging = asyncio.ensure_future(hang())
        await asyncio.sleep(0.2)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert asked(database, "select count(*) from monitoring.cache_auditor_ledger") == [(0,)]
        assert await audit(store) == {"new": CommitOutcome.COMMITTED}


async def test_a_repeated_commit_is_a_no_op(database: str) -> None:
    """As after an answer that was lost on the way."""
    last = now_minute() - 5
    write(database, range(last - 2, last + 1))
    async with opened(database) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        async with store.turn() as turn:
            pulled = await pull(turn, horizon_minute=last)
            results = [judged(share) for share in pulled.caches]
            first = await turn.commit(pulled, results)
        async with store.turn() as turn:
            again = await turn.commit(pulled, results)
    assert first["new"].outcome is CommitOutcome.COMMITTED
    assert again["new"].outcome is CommitOutcome.REPEATED
    assert again["new"].state_version == first["new"].state_version
    assert asked(database, "select count(*) from monitoring.cache_auditor_ledger") == [(3,)]


async def test_a_worker_whose_lease_went_to_another_cannot_write(database: str) -> None:
    last = now_minute() - 5
    write(database, [last])
    async with opened(database, "slow") as slow, opened(database, "quick") as quick:
        await slow.lease(lease_seconds=1, max_caches=10)
        async with slow.turn() as turn:
            stale = await pull(turn)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "update monitoring.cache_auditor_checkpoint set lease_expires_at = now() - interval '1 s'"
            )
            connection.execute(
                "update monitoring.cache_auditor_worker set seen_at = now() - interval '1 hour'"
            )
        assert await quick.lease(lease_seconds=60, max_caches=10) == ("new",)
        async with slow.turn() as turn:
            outcomes = await turn.commit(stale, [judged(share) for share in stale.caches])
        assert outcomes["new"].outcome is CommitOutcome.STALE
        assert asked(database, "select count(*) from monitoring.cache_auditor_ledger") == [(0,)]
        assert await audit(quick) == {"new": CommitOutcome.COMMITTED}


async def test_what_is_released_is_anothers_at_once(database: str) -> None:
    write(database, [now_minute() - 5])
    async with opened(database, "first") as first, opened(database, "second") as second:
        assert await first.lease(lease_seconds=60, max_caches=10) == ("new",)
        assert await second.lease(lease_seconds=60, max_caches=10) == ()
        await first.release()
        assert await second.lease(lease_seconds=60, max_caches=10) == ("new",)


async def test_limits_cut_a_pull_short_and_say_that_there_is_more(database: str) -> None:
    last = now_minute() - 5
    write(database, range(last - 29, last + 1))
    seen: list[int] = []
    async with opened(database) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        more = True
        while more:
            async with store.turn() as turn:
                pulled = await pull(turn, max_windows_per_cache=12, horizon_minute=last)
                more = pulled.more
                await turn.commit(pulled, [judged(share) for share in pulled.caches])
                seen += [len(share.block) for share in pulled.caches if share.block is not None]
    assert seen == [12, 12, 6]


async def test_a_turn_that_idles_past_its_lease_is_ended_by_the_server(database: str) -> None:
    write(database, [now_minute() - 5])
    async with opened(database) as store:
        await store.lease(lease_seconds=1, max_caches=10)

        async def dawdle() -> None:
            async with store.turn() as turn:
                pulled = await pull(turn)
                await asyncio.sleep(2)
                await turn.commit(pulled, [judged(share) for share in pulled.caches])

        with pytest.raises(DependencyUnreachable, match="longer than its lease"):
            await dawdle()
        assert await store.lease(lease_seconds=60, max_caches=10) == ("new",)
        assert await audit(store) == {"new": CommitOutcome.COMMITTED}


async def test_a_lost_connection_is_made_again_between_turns(database: str) -> None:
    write(database, [now_minute() - 5])
    async with Proxy(database) as proxy, opened(proxy.dsn) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        await proxy.cut()
        assert await store.lease(lease_seconds=60, max_caches=10) == ("new",)
        await proxy.cut()
        assert await audit(store) == {"new": CommitOutcome.COMMITTED}
        assert proxy.connections == 3


async def test_a_connection_lost_within_a_turn_writes_nothing_and_is_said(database: str) -> None:
    write(database, [now_minute() - 5])
    async with Proxy(database) as proxy, opened(proxy.dsn) as store:
        await store.lease(lease_seconds=60, max_caches=10)

        async def lose() -> None:
            async with store.turn() as turn:
                pulled = await pull(turn)
                await proxy.cut()
                await turn.commit(pulled, [judged(share) for share in pulled.caches])

        with pytest.raises(DependencyUnreachable):
            await lose()
        assert asked(database, "select count(*) from monitoring.cache_auditor_ledger") == [(0,)]
        assert await audit(store) == {"new": CommitOutcome.COMMITTED}


async def test_a_server_that_comes_back_within_patience_is_waited_for(database: str) -> None:
    write(database, [now_minute() - 5])
    async with Proxy(database) as proxy, opened(proxy.dsn) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        await proxy.down()
        leasing = asyncio.ensure_future(store.lease(lease_seconds=60, max_caches=10))
        await asyncio.sleep(0.3)
        assert not leasing.done()
        await proxy.up()
        assert await leasing == ("new",)


async def test_a_server_that_stays_away_is_said_after_patience(database: str) -> None:
    async with Proxy(database) as proxy, opened(proxy.dsn, patience_seconds=0.3) as store:
        await proxy.down()
        with pytest.raises(DependencyUnreachable, match="nothing listens at"):
            await store.lease(lease_seconds=60, max_caches=10)


async def test_a_database_without_the_schema_says_to_migrate(empty_database: str) -> None:
    async with opened(empty_database) as store:
        with pytest.raises(DependencyUnreachable, match="run auditor migrate"):
            await store.lease(lease_seconds=60, max_caches=10)


async def test_a_transaction_held_open_while_later_ones_commit_loses_no_window(database: str) -> None:
    last = now_minute() - 5
    async with opened(database) as store:
        with psycopg.connect(database) as held:
            held.execute(
                "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits)"
                " values (to_timestamp(%s::bigint * 60), 'new', 9, 9)",
                (last - 1,),
            )
            write(database, [last - 2, last])
            await store.lease(lease_seconds=60, max_caches=10)
            await audit(store, horizon_minute=last)
            write(database, [last + 1])
            await audit(store, horizon_minute=last + 1)
            held.commit()
        share = await share_of(store, horizon_minute=last + 1)
        assert share is not None
        assert [block.first_minute for block in share.late] == [last - 1]
