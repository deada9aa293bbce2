"""The store on a Supabase project through the real supabase-py: the same ledger as over PostgreSQL, and what its errors say."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from pydantic import SecretStr

import auditor
from auditor.database.postgres import PostgresStore
from auditor.database.rest import SupabaseCalls
from auditor.database.store import CommitOutcome
from auditor.database.supabase_store import WINDOWS_AT_MOST, SupabaseStore
from auditor.detection.answers import Share
from auditor.errors import AuditorError, BadInput, DependencyUnreachable
from tests.database.windows import asked, judged, now_minute, pull, write
from tests.supabase.standing import running_supabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from auditor.database.store import Store
    from tests.supabase.standing import Supabase

LEDGER = (
    "select implementation_type, minute_window, verdict, scores, revision::text, config_hash"
    " from monitoring.cache_auditor_ledger order by 1, 2"
)


@contextlib.asynccontextmanager
async def opened(
    project: Supabase,
    key: str | None = None,
    *,
    worker: str = "ann",
    patience: float = 10.0,
    call: float = 10.0,
) -> AsyncIterator[SupabaseStore]:
    secret = SecretStr(project.service_key if key is None else key)
    calls = SupabaseCalls(project.url, secret, patience_seconds=patience, call_seconds=call)
    store = SupabaseStore(calls, worker=worker)
    try:
        yield store
    finally:
        await store.close()
        await store.close()


async def audit(store: Store, **given: object) -> dict[str, CommitOutcome]:
    async with store.turn() as turn:
        pulled = await pull(turn, **given)
        outcomes = await turn.commit(pulled, [judged(share) for share in pulled.caches])
    return {name: committed.outcome for name, committed in outcomes.items()}


@pytest.mark.parametrize("kind", ["service_key", "secret_key"])
async def test_windows_are_pulled_and_committed_once_with_either_key(project: Supabase, kind: str) -> None:
    last = now_minute() - 5
    write(project.dsn, [minute for minute in range(last - 9, last + 1) if minute != last - 3])
    async with opened(project, getattr(project, kind)) as store:
        assert await store.lease(lease_seconds=60, max_caches=10) == ("new",)
        assert await audit(store, horizon_minute=last) == {"new": CommitOutcome.COMMITTED}
        assert await audit(store, horizon_minute=last) == {}
        await store.release()
    rows = asked(project.dsn, LEDGER)
    assert [row[2] for row in rows] == ["normal"] * 6 + ["no_data"] + ["normal"] * 3


async def test_the_ledger_is_the_same_as_over_postgresql(project: Supabase) -> None:
    last = now_minute() - 5
    write(project.dsn, range(last - 99, last + 1, 3), hits=61)
    async with opened(project) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        await audit(store, horizon_minute=last - 50)
        await audit(store, horizon_minute=last)
        over_rest = asked(project.dsn, LEDGER)
        await store.release()
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute("truncate monitoring.cache_auditor_ledger, monitoring.cache_auditor_checkpoint")
    direct = PostgresStore(project.dsn, worker="bob")
    try:
        await direct.lease(lease_seconds=60, max_caches=10)
        await audit(direct, horizon_minute=last - 50)
        await audit(direct, horizon_minute=last)
    finally:
        await direct.close()
    assert len(over_rest) == 100
    assert asked(project.dsn, LEDGER) == over_rest


async def test_a_commit_whose_answer_is_lost_is_repeated_and_counts_once(project: Supabase) -> None:
    last = now_minute() - 5
    write(project.dsn, range(last - 9, last + 1))
    async with opened(project) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        async with store.turn() as turn:
            pulled = await pull(turn, horizon_minute=last)
            project.rest.faults.lost = 1
            outcomes = await turn.commit(pulled, [judged(share) for share in pulled.caches])
    assert outcomes["new"].outcome is CommitOutcome.REPEATED
    assert project.rest.calls[-2:] == ["auditor_commit", "auditor_commit"]
    assert asked(project.dsn, "select count(*) from monitoring.cache_auditor_ledger") == [(10,)]


async def test_answers_are_read_as_over_postgresql(project: Supabase) -> None:
    last = now_minute() - 5
    write(project.dsn, range(last - 9, last + 1))
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute(
            "insert into monitoring.cache_auditor_observations (severity, category, title, description, implementation_type, metric_name,"
            " timestamp, fingerprint, incident_id, window_start, window_end, status, verdict, verdict_at, evidence) values ('critical',"
            " 'performance', 't', 'd', 'new', 'hit_rate', now(), 'f1', 'i1', now() - interval '9 minutes', now() - interval '5 minutes',"
            " 'resolved', 'ignore', now() - interval '1 minute', '{\"direction\": \"drop\", \"effect_relative\": -0.4}')"
        )
    direct = PostgresStore(project.dsn, worker="bob")
    found = []
    async with opened(project, worker="bob") as store:
        await store.lease(lease_seconds=60, max_caches=10)
        for each in (store, direct):
            async with each.turn() as turn:
                found.append(await turn.answers(await pull(turn, horizon_minute=last)))
    await direct.close()
    assert found[0] == found[1]
    ((answer,),) = found[0].values()
    assert (answer.says, answer.shares) == ("ignore", (Share("hit_rate", "drop", 0.4),))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"code": "PGRST001", "message": "Database client error. Retrying the connection."}),
        (504, {"code": "PGRST003", "message": "Timed out acquiring connection from connection pool."}),
        (503, {"message": "name resolution failed"}),
        (520, "<html><body>Web server is returning an unknown error</body></html>"),
        (500, {"code": "40001", "message": "could not serialize access"}),
        (502, "<html>Bad gateway</html>"),
        (200, "<html>captive portal</html>"),
    ],
)
async def test_what_passes_is_tried_again(project: Supabase, status: int, body: dict[str, str] | str) -> None:
    project.rest.faults.answers = [(status, body)] * 2
    async with opened(project) as store:
        assert await store.lease(lease_seconds=60, max_caches=10) == ()
    assert project.rest.calls == ["auditor_lease"] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406])
async def test_what_does_not_pass_is_asked_once(project: Supabase, status: int) -> None:
    project.rest.faults.answers = [(status, {"code": "XX", "message": "no"})]
    async with opened(project) as store:
        with pytest.raises(AuditorError):
            await store.lease(lease_seconds=60, max_caches=10)
    assert project.rest.calls == ["auditor_lease"]


async def test_a_project_that_never_answers_is_given_up_within_the_patience(project: Supabase) -> None:
    project.rest.faults.delays = [30.0] * 100
    async with opened(project, patience=1.0, call=0.2) as store:
        with pytest.raises(DependencyUnreachable, match=r"does not answer \(no answer within 0.2 s\)"):
            await store.lease(lease_seconds=60, max_caches=10)
        project.rest.faults.delays = []
        assert await store.lease(lease_seconds=60, max_caches=10) == ()


async def test_an_outage_is_waited_out(project: Supabase) -> None:
    async with opened(project) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        project.stop()
        project.start()
        assert await store.lease(lease_seconds=60, max_caches=10) == ()


async def test_a_pull_that_takes_too_long_is_asked_for_less(project: Supabase) -> None:
    last = now_minute() - 5
    write(project.dsn, range(last - 199, last + 1))
    async with opened(project) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        slow = (500, {"code": "57014", "message": "canceling statement due to statement timeout"})
        project.rest.faults.answers = [slow] * 6
        async with store.turn() as turn:
            pulled = await pull(turn, horizon_minute=last)
        assert pulled.more
        assert pulled.caches[0].block is not None
        assert len(pulled.caches[0].block) == 78
        assert store.windows_at_most == 78


async def test_a_commit_that_takes_too_long_is_followed_by_a_smaller_one(project: Supabase) -> None:
    last = now_minute() - 5
    write(project.dsn, range(last - 199, last + 1))
    slow = (500, {"code": "57014", "message": "canceling statement due to statement timeout"})
    async with opened(project) as store:
        await store.lease(lease_seconds=60, max_caches=10)
        async with store.turn() as turn:
            pulled = await pull(turn, horizon_minute=last)
            project.rest.faults.answers = [slow]
            with pytest.raises(DependencyUnreachable, match="took longer over a statement"):
                await turn.commit(pulled, [judged(share) for share in pulled.caches])
        assert store.windows_at_most == 100
        assert await audit(store, horizon_minute=last) == {"new": CommitOutcome.COMMITTED}
        assert asked(project.dsn, "select count(*) from monitoring.cache_auditor_ledger") == [(100,)]
        assert store.windows_at_most == 100, "there is more to be done"
        await audit(store, horizon_minute=last)
        assert asked(project.dsn, "select count(*) from monitoring.cache_auditor_ledger") == [(200,)]
        assert store.windows_at_most == WINDOWS_AT_MOST


@pytest.mark.parametrize(
    "trouble",
    [
        (500, {"code": "57014", "message": "canceling statement due to statement timeout"}),
        (503, {"code": "PGRST001", "message": "no connection"}),
    ],
)
async def test_maintenance_that_takes_too_long_keeps_no_window_waiting(
    project: Supabase, trouble: tuple[int, dict[str, str]]
) -> None:
    kept = {"events_days": 7, "minutes_days": 30, "hours_days": 365}
    project.rest.faults.answers = [trouble]
    async with opened(project) as store:
        assert await store.maintain(**kept) == {}
        assert project.rest.calls == ["auditor_maintain"]
        assert (await store.maintain(**kept))["hours_rolled_up"] == 0
        project.rest.faults.answers = [(403, {"code": "42501", "message": "permission denied for table x"})]
        with pytest.raises(DependencyUnreachable, match="grant all on all tables"):
            await store.maintain(**kept)


def test_no_answer_is_a_list_of_rows_that_could_be_cut(database: str) -> None:
    sources = "".join(path.read_text() for path in Path(auditor.__file__).parent.rglob("*.py"))
    called = set(re.findall(r'call(?:_once)?\(\s*"(\w+)"', sources))
    assert {"auditor_pull", "auditor_commit", "auditor_examine"} <= called
    found = asked(
        database,
        "select proname, proretset from pg_proc where pronamespace = 'monitoring'::regnamespace",
    )
    assert dict.fromkeys(called, False) == {name: many for name, many in found if name in called}


async def test_an_unexposed_schema_is_told_with_its_mend(database: str) -> None:
    with running_supabase(database, exposed=("public", "graphql_public")) as project:
        async with opened(project) as store:
            with pytest.raises(DependencyUnreachable, match="add monitoring to Exposed schemas"):
                await store.lease(lease_seconds=60, max_caches=10)


async def test_the_mend_of_a_missing_grant_works_when_followed(project: Supabase) -> None:
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute(
            "revoke all on monitoring.cache_auditor_checkpoint, monitoring.cache_auditor_worker from service_role"
        )
        async with opened(project) as store:
            with pytest.raises(DependencyUnreachable) as caught:
                await store.lease(lease_seconds=60, max_caches=10)
            said = str(caught.value)
            assert "denies this key access to table cache_auditor_worker" in said
            connection.execute(said[said.index("grant all") :].encode())
            assert await store.lease(lease_seconds=60, max_caches=10) == ()


async def test_an_anon_key_and_another_projects_key_are_told(project: Supabase) -> None:
    async with opened(project, project.anon_key) as store:
        with pytest.raises(DependencyUnreachable, match="denies this key access to schema monitoring"):
            await store.lease(lease_seconds=60, max_caches=10)
    async with opened(project, project.service_key[:-4] + "AAAA") as store:
        with pytest.raises(
            DependencyUnreachable, match=r"refuses the key .Invalid API key.: copy the service_role"
        ):
            await store.lease(lease_seconds=60, max_caches=10)
    expired = project.keys.signed({"role": "service_role", "exp": 1})
    async with opened(project, expired) as store:
        with pytest.raises(DependencyUnreachable, match="expired: make a new one"):
            await store.lease(lease_seconds=60, max_caches=10)


async def test_a_stale_schema_cache_is_mended_by_the_notice_that_is_named(empty_database: str) -> None:
    from auditor.database.migrations import apply_migrations

    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create schema monitoring; create table monitoring.cache_metrics_1min ()")
        with running_supabase(empty_database) as project:
            async with opened(project) as store:
                connection.execute("drop schema monitoring cascade")
                apply_migrations(empty_database)
                with pytest.raises(
                    DependencyUnreachable, match=r"does not know monitoring\.auditor_lease"
                ) as caught:
                    await store.lease(lease_seconds=60, max_caches=10)
                connection.execute(str(caught.value).partition("with: ")[2].rstrip(".").encode())
                project.do(project.rest.reload())
                assert await store.lease(lease_seconds=60, max_caches=10) == ()


async def test_a_key_that_cannot_be_one_is_bad_input(project: Supabase) -> None:
    async with opened(project, "") as store:
        with pytest.raises(BadInput, match="SUPABASE_SERVICE_ROLE_KEY"):
            await store.lease(lease_seconds=60, max_caches=10)
