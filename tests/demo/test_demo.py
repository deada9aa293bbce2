"""The demo from end to end: real processes, a real server, the real service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from rich.console import Console

from auditor.database.embedded import EmbeddedServer
from auditor.demo.feed import Feed
from auditor.demo.outcome import outcome_of
from auditor.demo.run import DemoPlan, run_demo
from auditor.demo.stage import Phase, Stage
from auditor.demo.tell import Teller, leading_observation
from auditor.demo.view import LiveView
from auditor.errors import DependencyUnreachable
from auditor.settings import read_settings
from tests import warm_start
from tests.demo.test_screen import stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditor.demo.outcome import Outcome

DAYS = 3
pytestmark = pytest.mark.xdist_group("demo")


def auditor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "auditor", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=200,
    )


def quickly(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return warm_start.auditor(*arguments, env={**os.environ, **environment})


class Shown:
    """The demo as the command line shows it to a program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began = time.time()
        done = auditor("demo", "--seed", "1", "--format", "json", "--keep", str(folder))
        assert done.returncode == 0, done.stderr
        self.stdout, self.stderr, self.ended = done.stdout, done.stderr, time.time()
        self.told: dict[str, Any] = json.loads(done.stdout)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(tmp_path_factory.mktemp("demo") / "kept")


@pytest.fixture(scope="module")
def kept(shown: Shown) -> Iterator[psycopg.Connection[Any]]:
    with EmbeddedServer(shown.folder) as server, psycopg.connect(server.dsn, autocommit=True) as connection:
        yield connection


def test_the_fault_is_found_at_once_under_its_cause_and_nothing_else_pages(shown: Shown) -> None:
    told = shown.told
    assert told["fault"]["kind"] == "key_change"
    assert (told["found"], told["cause"], told["delay_windows"]) == (True, "key_change", 1)
    assert told["other_pages"] == 0


def test_standard_output_is_one_object_with_the_rows_of_the_table(
    shown: Shown, kept: psycopg.Connection[Any]
) -> None:
    assert shown.stdout.count("\n") == 1
    assert shown.stderr == ""
    columns = {
        name
        for (name,) in kept.execute(
            "select column_name from information_schema.columns where table_schema = 'monitoring'"
            " and table_name = 'cache_auditor_observations'"
        )
    }
    rows = shown.told["observations"]
    assert all(set(row) == columns for row in rows)
    leading = next(row for row in rows if row["severity"] == "critical")
    assert (leading["metric_name"], leading["status"] in {"open", "resolved"}) == ("hit_rate", True)
    assert leading["window_start"] == shown.told["fault"]["start"]


def first_stored(kept: psycopg.Connection[Any]) -> float:
    """When the demo stored its first window, in seconds since 1970: it has read the clock before."""
    row = kept.execute(
        "select extract(epoch from min(created_at)) from monitoring.cache_metrics_1min"
    ).fetchone()
    assert row is not None
    return float(row[0])


def test_the_fault_lies_in_the_hour_before_the_demo_began(
    shown: Shown, kept: psycopg.Connection[Any]
) -> None:
    start, end = (datetime.fromisoformat(shown.told["fault"][name]) for name in ("start", "end"))
    assert start.tzinfo == UTC
    assert shown.began - 3660 <= start.timestamp() < end.timestamp() <= first_stored(kept)


def test_every_minute_lived_has_one_row_in_the_ledger(shown: Shown, kept: psycopg.Connection[Any]) -> None:
    assert shown.told["windows_audited"] == DAYS * 1440 + 60
    unequal = kept.execute(
        "select count(*) from monitoring.cache_metrics_1min w full join monitoring.cache_auditor_ledger l"
        " using (implementation_type, minute_window) where w.id is null or l.verdict is null"
    ).fetchone()
    assert unequal == (0,)


def test_no_event_lies_ahead_of_the_time_at_which_it_was_stored(
    shown: Shown, kept: psycopg.Connection[Any]
) -> None:
    row = kept.execute(
        'select extract(epoch from min("timestamp")), extract(epoch from max("timestamp")), count(*),'
        " (select sum(total_operations) from monitoring.cache_metrics_1min) from monitoring.cache_metrics"
    ).fetchone()
    assert row is not None
    assert shown.began - (DAYS * 1440 + 61) * 60 <= row[0] < row[1] < first_stored(kept)
    assert row[2] == row[3]


def test_replay_over_what_the_demo_kept_is_what_the_service_said(
    shown: Shown, kept: psycopg.Connection[Any]
) -> None:
    done = quickly("replay", "--fail-on-diff", AUDITOR_EMBEDDED_DIR=str(shown.folder))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_folder_that_holds_windows_is_refused(shown: Shown, kept: psycopg.Connection[Any]) -> None:
    done = quickly("demo", "--format", "json", "--keep", str(shown.folder))
    assert done.returncode == 2
    assert "already holds windows" in done.stderr
    assert done.stdout == ""


def test_a_wrong_fault_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    done = quickly("demo", "--fault", "capacity-cut", TMPDIR=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "auditor: There is no fault 'capacity-cut': did you mean capacity_cut?\n"
    assert list(tmp_path.iterdir()) == []


async def short(tmp_path: Path, plan: DemoPlan, capsys: pytest.CaptureFixture[str]) -> tuple[Outcome, str]:
    outcome = await run_demo(plan, read_settings(), Teller(plan.keep))
    return outcome, capsys.readouterr().out


async def test_in_plain_lines_the_acts_the_finding_and_the_advice_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcome, told = await short(tmp_path, DemoPlan("backend_slow", seed=2, days=1.0, pace=None), capsys)
    assert (outcome.found, outcome.cause, outcome.windows_audited) == (True, "backend_slow", 1500)
    leading = leading_observation(outcome)
    assert leading is not None
    for said in (
        "1 day of traffic is lived through",
        "the last hour passes fast",
        "the fault: the backend takes three times as long",
        "CRITICAL  answers:",
        ", as backend_slow (the right cause).",
        "1,500 windows audited (each window once); no other warning or critical.",
        leading["title"],
        leading["recommendation"],
    ):
        assert said in told
    assert list(tmp_path.iterdir()) == []


async def test_seconds_never_end_it_before_the_last_hour_is_audited_and_real_time_is_never_ahead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = DemoPlan("none", days=0.25, pace=None, real_time=True, seconds=0.01, keep=tmp_path / "kept")
    outcome, told = await short(tmp_path, plan, capsys)
    assert outcome.windows_audited >= 420
    assert (outcome.found, outcome.other_pages) == (False, 0)
    assert "No fault was put in." in told
    assert f"AUDITOR_EMBEDDED_DIR={tmp_path / 'kept'} auditor replay" in told
    with EmbeddedServer(tmp_path / "kept") as server, psycopg.connect(server.dsn) as connection:
        ahead = connection.execute('select count(*) from monitoring.cache_metrics where "timestamp" > now()')
        assert ahead.fetchone() == (0,)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_any_act_with_its_result_and_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "auditor", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "lived through" in line:
                break
        process.send_signal(number)
        told, complaint = process.communicate(timeout=60)
    assert process.returncode == 0
    assert complaint == ""
    assert "The demo ended before its fault." in told
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_goes_away_ends_it_with_a_sentence(database: str) -> None:
    now = int(time.time() // 60)
    with Feed(database, first_minute=now - 600, seed=1) as feed:

        def cut(minute: int) -> None:
            if minute == now - 590:
                with psycopg.connect(database, autocommit=True) as other:
                    other.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where datname = current_database() and pid <> pg_backend_pid()"
                    )

        with pytest.raises(DependencyUnreachable, match="The demo's events could not be stored"):
            feed.backfill(now - 60, cut)


def test_a_backfill_stores_every_event_that_was_recorded(database: str) -> None:
    now = int(time.time() // 60)
    lived: list[int] = []
    with Feed(database, first_minute=now - 400, seed=1) as feed:
        assert feed.backfill(now - 60, lived.append)
        stats = feed.collector.stats()
    assert lived == list(range(now - 400, now - 60))
    with psycopg.connect(database) as connection:
        stored = connection.execute("select count(*) from monitoring.cache_metrics").fetchone()
    assert stored == (stats.recorded,)
    assert (stats.waiting, stats.dropped, stats.rejected) == (0, 0, 0)


def test_the_terminal_shows_the_screen_and_keeps_the_result() -> None:
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=100, height=30, color_system=None)
    view = LiveView(console, None)
    full = stage()
    view.changed(Stage("answers", Phase.DATABASE))
    view.changed(full)
    until = time.monotonic() + 30.0
    while "Ctrl-C ends" not in written.getvalue() and time.monotonic() < until:
        time.sleep(0.01)
    assert full.planned is not None
    view.ended(
        full, outcome_of(full.planned, full.observations, windows_audited=4380, lived_to=full.lived_to)
    )
    screens, _, result = written.getvalue().partition("\x1b[?1049l")
    assert "\x1b[?1049h" in screens
    assert "Cache Auditor demo" in screens
    assert "CRITICAL" in screens
    assert "Found in the first affected window, as key_change (the right cause)." in result
    assert "First: diff how keys are built." in result
