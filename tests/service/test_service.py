"""The service under violence: killed, frozen, stopped, cut off; nothing lost, nothing twice."""

from __future__ import annotations

import json
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.detection.simulated import Course, windows
from tests.replay.stored import rows, store
from tests.service.worker import Worker, eventually, working

if TYPE_CHECKING:
    from pathlib import Path

MINUTES = 1500
KILLS = 50


def _fault(plan: Course) -> None:
    plan.hit_rate[1000:1030] = 0.25
    plan.absent[400:404] = True
    plan.errors[1300:1305] = 0.4


def _fill(
    dsn: str, minutes: int = MINUTES, caches: tuple[str, ...] = ("a", "b"), first: int | None = None
) -> None:
    start = int(time.time() // 60) - minutes - 2 if first is None else first
    for seed, name in enumerate(caches):
        store(
            dsn,
            rows(
                windows(
                    minutes, seed=seed, fault=_fault if minutes >= MINUTES else None, first=start, name=name
                )
            ),
        )


def _ask(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def _written(dsn: str, last: int) -> tuple[list[Any], list[Any]]:
    """All that was written up to a minute, but for when and how."""
    ledger = _ask(
        dsn,
        "select implementation_type, minute_window, verdict, scores, late_verdict from monitoring.cache_auditor_ledger"
        f" where minute_window <= monitoring.minute_at({last}) order by 1, 2",
    )
    observations = _ask(
        dsn,
        "select fingerprint, severity, evidence, window_start, title from monitoring.cache_auditor_observations"
        f" where metric_name <> 'silence' or window_end <= monitoring.minute_at({last - 100}) order by 1",
    )
    return ledger, observations


def _done(dsn: str, last: int) -> bool:
    (row,) = _ask(
        dsn,
        f"select coalesce(bool_and(coalesce(monitoring.minute_of(cursor_minute) >= {last}, false)), false)"
        " from monitoring.cache_auditor_checkpoint",
    )
    return bool(row[0])


def test_fifty_kills_at_random_moments_lose_nothing_and_write_nothing_twice(
    database: str, empty_database: str, tmp_path: Path
) -> None:
    from auditor.database.migrations import apply_migrations

    apply_migrations(empty_database)
    first = int(time.time() // 60) - MINUTES - 2
    last = first + MINUTES - 1
    for dsn in (database, empty_database):
        _fill(dsn, first=first)
    assert Worker(empty_database, tmp_path / "calm", once=True, lease_seconds=60).wait() == 0

    chance = random.Random(11)
    kills = 0
    while kills < KILLS:
        worker = Worker(database, tmp_path / "killed", windows_per_cache=2, lease_seconds=60)
        time.sleep(chance.uniform(0.0, 0.25))
        assert worker.kill() == -signal.SIGKILL
        kills += 1
    (row,) = _ask(database, "select count(*) from monitoring.cache_auditor_ledger")
    assert 0 < row[0] < 2 * MINUTES, "the kills fell into the work, not before or after it"
    worker = Worker(database, tmp_path / "killed", once=True, lease_seconds=60)
    assert worker.wait() == 0
    assert _done(database, last)
    assert _written(database, last) == _written(empty_database, last)
    doubled = _ask(
        database,
        "select fingerprint from monitoring.cache_auditor_observations group by 1 having count(*) > 1",
    )
    assert doubled == []


def test_two_services_share_the_caches_and_the_one_that_is_killed_is_replaced(
    database: str, tmp_path: Path
) -> None:
    _fill(database, 100, tuple("abcdef"))

    def holders() -> set[str | None]:
        return {
            row[0]
            for row in _ask(
                database,
                "select distinct lease_holder from monitoring.cache_auditor_checkpoint where lease_expires_at > now()",
            )
        }

    with (
        working(database, tmp_path / "one", worker="one") as one,
        working(database, tmp_path / "two", worker="two"),
    ):
        eventually(lambda: holders() == {"one", "two"})
        one.kill()
        held = "select count(*) from monitoring.cache_auditor_checkpoint where lease_holder = 'two'"
        eventually(lambda: _ask(database, held) == [(6,)])
        everything = "select 1 from monitoring.cache_auditor_ledger having count(*) >= 600"
        eventually(lambda: bool(_ask(database, everything)))
    counted = _ask(
        database,
        "select count(*), count(distinct (implementation_type, minute_window)) from monitoring.cache_auditor_ledger",
    )
    assert counted[0][0] == counted[0][1] >= 600


def test_one_that_is_frozen_past_its_lease_cannot_write_when_it_thaws(database: str, tmp_path: Path) -> None:
    _fill(database, MINUTES, ("a",))
    with working(database, tmp_path / "frozen", worker="frozen", windows_per_cache=3) as frozen:
        eventually(lambda: bool(_ask(database, "select 1 from monitoring.cache_auditor_ledger")))
        frozen.send(signal.SIGSTOP)
        (row,) = _ask(database, "select fencing_token from monitoring.cache_auditor_checkpoint")
        with working(database, tmp_path / "other", worker="other"):
            eventually(
                lambda: (
                    _ask(database, "select lease_holder from monitoring.cache_auditor_checkpoint")
                    == [("other",)]
                )
            )
            eventually(
                lambda: bool(
                    _ask(database, "select 1 from monitoring.cache_auditor_ledger having count(*) >= 1500")
                )
            )
            before = _written(database, int(time.time() // 60) - 5)
            frozen.send(signal.SIGCONT)
            told = tmp_path / "frozen"
            eventually(
                lambda: any(
                    word in told.read_text() for word in ("commit_refused", "lease_lost", "database_lost")
                )
            )
            after = _written(database, int(time.time() // 60) - 5)
            assert after == before
        (now,) = _ask(database, "select fencing_token from monitoring.cache_auditor_checkpoint")
        assert now[0] > row[0]


def test_a_stop_drains_the_turn_gives_the_leases_up_and_ends_well(database: str, tmp_path: Path) -> None:
    _fill(database, 200)
    worker = Worker(database, tmp_path / "log")
    eventually(lambda: bool(_ask(database, "select 1 from monitoring.cache_auditor_ledger")))
    assert worker.kill(signal.SIGTERM) == 0
    assert _ask(database, "select lease_holder from monitoring.cache_auditor_checkpoint") == [
        (None,),
        (None,),
    ]
    assert _ask(database, "select * from monitoring.cache_auditor_worker") == []


def test_cut_connections_are_made_again(database: str, tmp_path: Path) -> None:
    _fill(database, 60)
    with working(database, tmp_path / "log"):
        eventually(lambda: bool(_ask(database, "select 1 from monitoring.cache_auditor_ledger")))
        _ask(
            database,
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
        )
        _fill(database, 60, ("later",))
        eventually(
            lambda: bool(
                _ask(
                    database,
                    "select 1 from monitoring.cache_auditor_ledger where implementation_type = 'later'",
                )
            )
        )


def test_an_empty_database_is_waited_at_and_its_first_cache_found(database: str, tmp_path: Path) -> None:
    with working(database, tmp_path / "log"):
        time.sleep(0.5)
        _fill(database, 30, ("first",))
        eventually(lambda: bool(_ask(database, "select 1 from monitoring.cache_auditor_ledger")))


def test_a_thousand_caches_are_audited(database: str, tmp_path: Path) -> None:
    _ask_write = (
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits, misses)"
        " select date_trunc('minute', now()) - make_interval(mins => m), 'cache ' || n, 100, 70, 30"
        " from generate_series(1, 1000) n, generate_series(2, 4) m"
    )
    with psycopg.connect(database) as connection:
        connection.execute(_ask_write)
    assert Worker(database, tmp_path / "log", once=True, lease_seconds=60).wait() == 0
    (row,) = _ask(
        database,
        "select count(*), count(distinct implementation_type) from monitoring.cache_auditor_ledger where verdict = 'learning'",
    )
    assert row == (3000, 1000)


def test_a_late_and_a_revised_window_are_judged_once_beside_the_first_verdict(
    database: str, tmp_path: Path
) -> None:
    _fill(database, 200, ("a",))
    with psycopg.connect(database) as connection:
        connection.execute(
            "create table taken as select * from monitoring.cache_metrics_1min order by minute_window offset 150 limit 1"
        )
        connection.execute("delete from monitoring.cache_metrics_1min w using taken t where w.id = t.id")
    with working(database, tmp_path / "log"):
        eventually(
            lambda: bool(
                _ask(database, "select 1 from monitoring.cache_auditor_ledger having count(*) >= 200")
            )
        )
        with psycopg.connect(database) as connection:
            connection.execute("insert into monitoring.cache_metrics_1min select * from taken")
            connection.execute(
                "update monitoring.cache_metrics_1min set hits = 0, misses = hits + misses, hit_rate = 0 where minute_window ="
                " (select minute_window + interval '5 minutes' from taken)"
            )
            connection.execute("notify cache_metrics")
        judged = "select l.verdict, l.late_verdict from monitoring.cache_auditor_ledger l where late_verdict is not null order by minute_window"
        eventually(lambda: len(_ask(database, judged)) == 2)
        assert _ask(database, judged) == [("no_data", "normal"), ("normal", "anomalous")]
        stamps = _ask(
            database,
            "select late_audited_at from monitoring.cache_auditor_ledger where late_verdict is not null",
        )
        time.sleep(1.0)
        assert (
            _ask(
                database,
                "select late_audited_at from monitoring.cache_auditor_ledger where late_verdict is not null",
            )
            == stamps
        )


def test_a_cache_whose_state_cannot_be_read_does_not_blind_the_auditor_to_the_others(
    database: str, tmp_path: Path
) -> None:
    _fill(database, 60, ("good", "bad"), first=int(time.time() // 60) - 90)
    assert Worker(database, tmp_path / "log", once=True, lease_seconds=60).wait() == 0
    with psycopg.connect(database) as connection:
        connection.execute(
            "update monitoring.cache_auditor_checkpoint set state = jsonb_set(state, '{version}', '99'), cursor_minute ="
            " cursor_minute - interval '5 minutes' where implementation_type = 'bad'"
        )
        connection.execute("delete from monitoring.cache_auditor_ledger")
        connection.execute(
            "update monitoring.cache_auditor_checkpoint set cursor_minute = cursor_minute - interval '5 minutes',"
            " state = null, history = null where implementation_type = 'good'"
        )
    assert Worker(database, tmp_path / "log", once=True, lease_seconds=60).wait() == 0
    audited = {
        row[0]
        for row in _ask(database, "select distinct implementation_type from monitoring.cache_auditor_ledger")
    }
    assert audited == {"good"}
    assert "version 99" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("operations", [0, 3])
def test_minutes_with_next_to_no_operations_page_nobody(
    database: str, tmp_path: Path, operations: int
) -> None:
    found = rows(windows(300, first=int(time.time() // 60) - 300))
    for last in found[-2:]:
        row = last
        row |= dict.fromkeys(("hits", "sets", "evictions", "errors"), 0)
        row |= {"misses": operations, "total_operations": operations, "hit_rate": 0.0 if operations else None}
    store(database, found)
    assert Worker(database, tmp_path / "log", once=True, lease_seconds=60).wait() == 0
    assert (
        _ask(database, "select title from monitoring.cache_auditor_observations where severity <> 'info'")
        == []
    )


def test_a_dead_collector_is_silence_and_an_impossible_window_the_collectors_fault(
    database: str, tmp_path: Path
) -> None:
    found = rows(windows(300, first=int(time.time() // 60) - 320))
    found[200] |= {"hits": found[200]["total_operations"] + 5}
    store(database, found)
    assert Worker(database, tmp_path / "log", once=True, lease_seconds=60).wait() == 0
    pages = _ask(
        database,
        "select metric_name, evidence -> 'causes' -> 0 ->> 'cause' from monitoring.cache_auditor_observations"
        " where severity <> 'info' order by timestamp",
    )
    assert pages == [("window_validity", "collector_fault"), ("silence", "silence")]
    (row,) = _ask(
        database, "select verdict, scores from monitoring.cache_auditor_ledger where verdict = 'unjudged'"
    )
    assert row == ("unjudged", {})


def test_the_heartbeat_is_fresh_and_the_health_check_says_so(database: str, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    heartbeat = tmp_path / "heartbeat"

    def healthy() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "auditor.service.health"],
            capture_output=True,
            text=True,
            check=False,
            env={"AUDITOR_HEARTBEAT_FILE": str(heartbeat), "PATH": os.defpath},
        )

    assert healthy().returncode == 1
    assert (
        Worker(database, tmp_path / "log", once=True, lease_seconds=60, heartbeat_file=heartbeat).wait() == 0
    )
    assert healthy().returncode == 0
    os.utime(heartbeat, (1, 1))
    assert healthy().returncode == 1


def test_what_is_logged_is_json_with_the_story_of_an_observation(database: str, tmp_path: Path) -> None:
    _fill(database, MINUTES, ("a",))
    assert Worker(database, tmp_path / "log", once=True, lease_seconds=60).wait() == 0
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    told = [event for event in events if event["event"].startswith("observation_")]
    assert {event["metric"] for event in told} >= {"hit_rate", "error_rate", "silence"}
