"""`auditor run` on a Supabase project: the same ledger as over PostgreSQL, woken by Realtime, alive without it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import structlog

from auditor.database.postgres import PostgresStore
from auditor.database.realtime_health import RealtimeHealth
from auditor.service.auditor import Auditor
from auditor.settings import Settings
from tests import warm_start
from tests.service.test_service import _ask, _done, _fill, _written
from tests.service.worker import eventually
from tests.supabase.events import ingest
from tests.supabase.faults import FAULTS, REASONS, end, stopped
from tests.supabase.standing import running_supabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.supabase.standing import Supabase

MINUTES = 1500


def environment(**given: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AUDITOR_", "SUPABASE_"))
    }
    return kept | {"LOG_FORMAT": "json", "AUDITOR_SETTLE_SECONDS": "0"} | given


def of_project(project: Supabase, **given: str) -> dict[str, str]:
    return environment(
        SUPABASE_URL=project.url,
        SUPABASE_SERVICE_ROLE_KEY=project.service_key,
        AUDITOR_CANARY_SECONDS="0.5",
        **given,
    )


@contextlib.contextmanager
def running(log: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "auditor", "run"], env=variables, stderr=lines, stdout=lines
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    assert code == 0, log.read_text()[-2000:]


def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"cache_auditor_{name} ")))


def logged(log: Path, event: str) -> list[dict[str, object]]:
    records = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [record for record in records if record["event"] == event]


def port_of(log: Path) -> int:
    """The port at which a running service tells its metrics."""
    eventually(lambda: bool(logged(log, "metrics_served")))
    return int(str(logged(log, "metrics_served")[0]["port"]))


def late_windows(dsn: str) -> int:
    """How many windows were judged beside their first verdict."""
    return int(
        _ask(dsn, "select count(*) from monitoring.cache_auditor_ledger where late_verdict is not null")[0][0]
    )


def test_the_ledger_and_the_observations_are_those_of_postgresql(
    database: str, empty_database: str, tmp_path: Path
) -> None:
    """Both backlogs, then windows that come late, which only hints announce before the clock would."""
    from auditor.database.migrations import apply_migrations

    apply_migrations(empty_database)
    first = int(time.time() // 60) - MINUTES - 2
    last = first + MINUTES - 1

    def audited(dsn: str) -> None:
        for at, minute in enumerate((401, 402, 403)):
            for cache in ("a", "b"):
                ingest(dsn, 60.0 * (first + minute), cache=cache)
            eventually(lambda at=at: late_windows(dsn) == 2 * at + 2)

    for dsn in (database, empty_database):
        _fill(dsn, first=first)
    direct = environment(AUDITOR_DATABASE_URL=empty_database)
    with running(tmp_path / "direct", direct):
        eventually(lambda: _done(empty_database, last), seconds=60)
        audited(empty_database)
    with running_supabase(database) as project:
        told = of_project(project, AUDITOR_POLL_SECONDS="600", AUDITOR_METRICS_PORT="0", LOG_LEVEL="DEBUG")
        with running(tmp_path / "rest", told):
            port = port_of(tmp_path / "rest")
            eventually(lambda: _done(database, last), seconds=60)
            eventually(lambda: metric(port, "realtime_live") == metric(port, "realtime_changes_live") == 1)
            announced, hints = metric(port, "turns_announced_total"), metric(port, "realtime_hints_total")
            audited(database)
            assert metric(port, "turns_announced_total") > announced
            assert metric(port, "realtime_hints_total") >= hints + 6
    ledger, observations = _written(database, last)
    assert len(ledger) == 2 * MINUTES
    assert len(observations) > 1
    ledger_there, observations_there = _written(empty_database, last)
    for row, there in zip(ledger, ledger_there, strict=True):
        assert row == there
    for row, there in zip(observations, observations_there, strict=True):
        assert row == there
    assert project.service_key not in (tmp_path / "rest").read_text()


def test_through_every_fault_of_realtime_the_poll_goes_on_and_hints_come_back(
    project: Supabase, tmp_path: Path
) -> None:
    ingest(project.dsn, time.time() - 6000)
    log = tmp_path / "log"
    given = {"AUDITOR_POLL_SECONDS": "0.3", "AUDITOR_METRICS_PORT": "0", "AUDITOR_CANARY_SECONDS": "0.3"}
    # when nothing listens the database is away too, which is the test of the outage below; of the refusals one will do
    faults = [fault for fault in FAULTS[: -len(REASONS) + 1] if fault is not stopped]
    minutes = itertools.count(int(time.time() // 60) - 10, -1)

    def audits_what_comes_now() -> None:
        before = late_windows(project.dsn)
        ingest(project.dsn, 60.0 * next(minutes))
        eventually(lambda: late_windows(project.dsn) == before + 1, seconds=10)

    with running(log, of_project(project) | given):
        port = port_of(log)

        def grows(name: str, before: float) -> None:
            eventually(lambda: metric(port, name) > before, seconds=60)

        eventually(lambda: metric(port, "windows_audited_total") >= 90)
        for fault in faults:
            grows("realtime_live", 0)
            time.sleep(1.5)  # a session that has lived for a while is missed for a second only
            rebuilds = metric(port, "realtime_rebuilds_total")
            fault(project)
            audits_what_comes_now()
            grows("realtime_rebuilds_total", rebuilds)
            end(project, fault)
            grows("realtime_live", 0)
            hints = metric(port, "realtime_hints_total")
            audits_what_comes_now()
            grows("realtime_hints_total", hints)
    assert len(logged(log, "realtime_lost")) >= len(faults)


def test_a_hint_over_realtime_wakes_it_at_once_and_is_counted(project: Supabase, tmp_path: Path) -> None:
    ingest(project.dsn, time.time() - 600)
    log = tmp_path / "log"
    with running(log, of_project(project, AUDITOR_POLL_SECONDS="600", AUDITOR_METRICS_PORT="0")):
        port = port_of(log)
        eventually(lambda: bool(logged(log, "realtime_live") and logged(log, "realtime_changes_live")))
        eventually(lambda: metric(port, "windows_audited_total") >= 5)
        ingest(project.dsn, time.time() - 300)
        eventually(lambda: late_windows(project.dsn) == 1, seconds=10)
        eventually(lambda: metric(port, "turns_announced_total") >= 1)
        assert metric(port, "realtime_live") == 1
        assert metric(port, "realtime_changes_live") == 1
        assert time.time() - metric(port, "realtime_last_hint_timestamp_seconds") < 30


def test_the_poll_works_alone_when_realtime_never_does(project: Supabase, tmp_path: Path) -> None:
    project.realtime.faults.refuse = True
    ingest(project.dsn, time.time() - 600)
    log = tmp_path / "log"
    with running(log, of_project(project, AUDITOR_POLL_SECONDS="0.3", AUDITOR_METRICS_PORT="0")):
        port = port_of(log)
        eventually(lambda: metric(port, "windows_audited_total") >= 5)
        ingest(project.dsn, time.time() - 300)
        eventually(lambda: metric(port, "late_windows_audited_total") >= 1, seconds=10)
        assert metric(port, "turns_unannounced_total") >= 2
        assert metric(port, "turns_announced_total") == 0
        assert metric(port, "realtime_live") == 0
        assert "HTTP 503" in str(logged(log, "realtime_lost")[0]["reason"])
    told = {json.loads(line)["event"] for line in log.read_text().splitlines()}
    assert not any("HTTP Request" in event or "Connection" in event for event in told), told


async def test_how_hints_do_is_told_in_the_log_with_each_maintenance(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.service.auditor.FIRST_MAINTENANCE_SECONDS", 0.0)
    ingest(database, time.time() - 600)
    health = RealtimeHealth(
        live=True, last_hint_at=7.0, last_canary_at=8.0, hints=3, rebuilds=2, last_trouble="x"
    )
    store = PostgresStore(database, worker="ann")
    auditor = Auditor(store, Settings(settle_seconds=0, poll_seconds=0.05), realtime=health)
    with structlog.testing.capture_logs() as told:
        running = asyncio.create_task(auditor.run())
        async with asyncio.timeout(30):
            while not any(line["event"] == "maintained" for line in told):
                await asyncio.sleep(0.01)
        auditor.stop()
        await running
    [line] = [line for line in told if line["event"] == "hints"]
    kept = {name: line[name] for name in ("live", "last_hint_at", "last_canary_at", "hints", "rebuilds")}
    assert kept == {"live": True, "last_hint_at": 7.0, "last_canary_at": 8.0, "hints": 3, "rebuilds": 2}
    assert {"announced", "unannounced", "last_trouble", "changes_live"} <= line.keys()


def test_an_outage_of_the_project_is_waited_out(project: Supabase, tmp_path: Path) -> None:
    ingest(project.dsn, time.time() - 600)
    log = tmp_path / "log"
    with running(log, of_project(project, AUDITOR_POLL_SECONDS="0.3")):
        counted = "select count(*) from monitoring.cache_auditor_ledger"
        eventually(lambda: _ask(project.dsn, counted)[0][0] >= 5)
        project.stop()
        ingest(project.dsn, time.time() - 300)
        time.sleep(2)
        project.start()
        eventually(lambda: late_windows(project.dsn) == 1, seconds=60)


def test_what_is_tried_again_is_told_once_with_its_reason(project: Supabase, tmp_path: Path) -> None:
    project.rest.faults.answers = [(503, {"code": "PGRST001", "message": "no connection"})] * 3
    ended = warm_start.auditor("run", "--once", env=of_project(project))
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "log").write_text(ended.stderr)
    [told] = logged(tmp_path / "log", "trying_again")
    assert told["reason"] == "no connection (PGRST001)"
    assert "stamina" not in ended.stderr


def test_a_wrong_key_ends_the_start_with_its_mend(project: Supabase) -> None:
    variables = of_project(project) | {"SUPABASE_SERVICE_ROLE_KEY": project.anon_key}
    ended = warm_start.auditor("run", env=variables)
    assert ended.returncode == 3
    assert "denies this key access to schema monitoring" in ended.stderr
    assert project.anon_key not in ended.stderr
    assert "Traceback" not in ended.stderr
