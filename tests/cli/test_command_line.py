"""The command line: quick help, one sentence for every failure, the right exit code, no secret shown."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from auditor.commands.printing import as_json
from tests.detection.simulated import Course, windows
from tests.replay.stored import rows, store
from tests.warm_start import auditor

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = (
    "openai",
    "jinja2",
    "numpy",
    "scipy",
    "psycopg",
    "pydantic_settings",
    "structlog",
    "rich",
    "cachetools",
    "pyarrow",
)


SATURDAY, SUNDAY = 2, 3
"""Days of the week counted from 1970-01-01."""
BARE = {"PATH": os.defpath, "HOME": "/dev/null"}


def _auditor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return auditor(*arguments, env=BARE | environment)


def _started(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The same by an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-m", "auditor", *arguments], capture_output=True, text=True, check=False, env=BARE
    )


@pytest.mark.parametrize(
    "arguments", [["--version"], ["frobnicate"], ["observations", "list", "--severity", "loud"]]
)
def test_a_forked_process_says_and_ends_as_a_started_one(arguments: list[str]) -> None:
    started, forked = _started(*arguments), _auditor(*arguments)
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        started.returncode,
        started.stdout,
        started.stderr,
    )
    assert started.stdout + started.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["replay", "--help"], ["observations", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom auditor.cli import run_command_line\n"
        f"code = run_command_line({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (["score", "/nonexistent.csv"], ("scipy", "psycopg")),
        (["observations", "list", "--severity", "loud"], ("numpy", "scipy", "structlog")),
        (["digest", "--day", "soon"], ("openai", "scipy")),
        (["explain", "x"], ("openai",)),
        (["eval", "--incident", "flush"], ("openai", "numpy", "psycopg")),
    ],
)
def test_what_a_command_does_not_come_to_need_it_does_not_import(
    arguments: list[str], spared: tuple[str, ...]
) -> None:
    script = (
        "import sys\nfrom auditor.cli import run_command_line\n"
        f"code = run_command_line({arguments!r})\n"
        f"print([name for name in {spared!r} if name in sys.modules], code)"
    )
    nowhere = {"AUDITOR_DATABASE_URL": "postgresql://me@127.0.0.1:1/db?connect_timeout=2"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=BARE | nowhere
    )
    assert done.stdout.splitlines()[-1] in {"[] 2", "[] 3"}


@cache
def _help() -> str:
    return _started("--help").stdout


@pytest.mark.parametrize(
    "command", ["run", "demo", "replay", "score", "explain", "digest", "migrate", "baseline", "observations"]
)
def test_every_command_is_in_the_help_and_has_its_own(command: str) -> None:
    assert f"  {command} " in _help()
    done = _auditor(command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No such command"),
        (["run", "--frobnicate"], "--frobnicate"),
        (["demo", "--seed", "many"], "--seed"),
        (["demo", "--fault", "flsh"], "flush"),
        (["observations", "ack", "x"], "--verdict"),
        (["digest", "--day", "31.12."], "is not a day"),
        (["digest", "--day", "2999-01-01"], "lies ahead"),
        (["digest", "--day", "0001-01-01"], "lies before anything was audited"),
        (["observations", "list", "--since", "99999999999d"], "lies before the year 1"),
        (["observations", "rate", "--since", "999999d"], "lies before the year 1"),
        (["replay", "--from", "0001-01-01T00:00+14:00"], "is no time in UTC"),
        (["observations", "list", "--severity", "loud"], "choose info, warning or critical"),
        (["observations", "list", "--since", "yesterday"], "is not a time"),
        (["replay", "--from", "2026-02-02", "--to", "2026-02-01"], "lies before"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_two(arguments: list[str], said: str) -> None:
    done = _auditor(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"AUDITOR_POLL_SECOND": "3"},
            "AUDITOR_POLL_SECOND is not a setting; did you mean AUDITOR_POLL_SECONDS",
        ),
        ({"AUDITOR_POLL_SECONDS": "-3"}, "AUDITOR_POLL_SECONDS is not usable"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is not usable"),
        ({"AUDITOR_EXPLAIN_SEVERITY": "loud"}, "AUDITOR_EXPLAIN_SEVERITY is not usable"),
        (
            {"AUDITOR_PROMPTS_DIR": "/nonexistent/prompts"},
            "There is no folder of prompts at /nonexistent/prompts",
        ),
        ({"AUDITOR_CONFIG": "/nonexistent.toml"}, "AUDITOR_CONFIG names /nonexistent.toml"),
        ({"AUDITOR_DATABASE_URL": "no dsn at all"}, "AUDITOR_DATABASE_URL"),
    ],
)
def test_a_bad_setting_is_named_with_its_mend_and_exit_code_two(
    environment: dict[str, str], said: str
) -> None:
    done = _auditor("run", "--once", **environment)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--once"],
        ["replay"],
        ["observations", "list"],
        ["baseline", "history"],
        ["migrate"],
        ["digest"],
    ],
)
def test_a_database_that_does_not_answer_is_exit_code_three_without_the_password(command: list[str]) -> None:
    done = _auditor(*command, AUDITOR_DATABASE_URL="postgresql://me:hunter2@127.0.0.1:1/db?connect_timeout=2")
    assert done.returncode == 3, done.stderr
    assert "127.0.0.1" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_database_without_the_schema_says_what_mends_it(empty_database: str) -> None:
    done = _auditor("run", "--once", AUDITOR_DATABASE_URL=empty_database)
    assert done.returncode == 3
    assert "run auditor migrate" in done.stderr


def test_the_service_logs_which_database_it_audits_without_the_password(database: str) -> None:
    dsn = make_conninfo(database, password="hunter2")
    with subprocess.Popen(
        [sys.executable, "-m", "auditor", "run"],
        env=BARE | {"AUDITOR_DATABASE_URL": dsn},
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stderr is not None
        told = service.stderr.readline()
        service.terminate()
        told += service.stderr.read()
    started = json.loads(told.splitlines()[0])
    parts = conninfo_to_dict(database)
    assert started["event"] == "auditor_started"
    assert (started["mode"], started["host"], started["database"]) == (
        "postgresql",
        parts["host"],
        parts["dbname"],
    )
    assert "hunter2" not in told


def test_settings_come_from_the_file_and_the_environment_wins(database: str, tmp_path: Path) -> None:
    (tmp_path / "auditor.toml").write_text("poll_secondz = 3\n")
    done = _auditor(
        "run", "--once", AUDITOR_DATABASE_URL=database, AUDITOR_CONFIG=str(tmp_path / "auditor.toml")
    )
    assert done.returncode == 2
    assert "poll_secondz" in done.stderr
    (tmp_path / "auditor.toml").write_text('log_level = "CRITICAL"\nfalse_alarms_per_week = 5\n')
    done = _auditor(
        "run", "--once", AUDITOR_DATABASE_URL=database, AUDITOR_CONFIG=str(tmp_path / "auditor.toml")
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def audited(database: str) -> str:
    import time

    def fault(plan: Course) -> None:
        plan.hit_rate[200:220] = 0.2

    store(database, rows(windows(240, fault=fault, first=int(time.time() // 60) - 245)))
    assert _auditor("run", "--once", AUDITOR_DATABASE_URL=database).returncode == 0
    return database


def _json(*arguments: str, dsn: str) -> Any:
    done = _auditor(*arguments, "--format", "json", AUDITOR_DATABASE_URL=dsn)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_observations_are_listed_shown_and_acknowledged(audited: str) -> None:
    listed = _json("observations", "list", "--severity", "critical", dsn=audited)
    (row,) = [row for row in listed if row["metric_name"] == "hit_rate"]
    text = _auditor("observations", "show", row["id"][:10], AUDITOR_DATABASE_URL=audited).stdout
    assert row["title"] in text
    assert "key change" in text
    for _ in range(2):
        answered = _json(
            "observations", "ack", row["id"], "--verdict", "incident", "--by", "ada", dsn=audited
        )
        assert (answered["acknowledged"], answered["verdict"], answered["acknowledged_by"]) == (
            True,
            "incident",
            "ada",
        )
    _auditor(
        "observations", "ack", row["id"], "--verdict", "ignore", "--by", "bob", AUDITOR_DATABASE_URL=audited
    )
    text = _auditor("observations", "show", row["id"], AUDITOR_DATABASE_URL=audited).stdout
    assert re.search(r"Acknowledged as ignore by bob at [-\d]+ [:\d]+; first by ada at [-\d]+ [:\d]+\.", text)
    assert _auditor("observations", "show", "nosuch", AUDITOR_DATABASE_URL=audited).returncode == 2
    assert (
        "hit rate fell"
        in _auditor("observations", "list", "--since", "2d", AUDITOR_DATABASE_URL=audited).stdout
    )


def test_baselines_are_learned_shown_and_activated(audited: str) -> None:
    learned = _json("baseline", "learn", "answers", "--days", "1", dsn=audited)
    assert learned["is_active"] is False
    assert learned["baseline_hit_rate"] == pytest.approx(75, abs=3)
    _json("baseline", "activate", learned["id"], dsn=audited)
    history = _json("baseline", "history", "--cache", "answers", dsn=audited)
    assert [row["id"] for row in history if row["is_active"]] == [learned["id"]]
    text = _auditor("baseline", "show", "answers", AUDITOR_DATABASE_URL=audited).stdout
    assert "hit_rate" in text
    with psycopg.connect(audited) as connection:
        stored = connection.execute(
            "select state -> 'hot' -> 'profile' from monitoring.cache_auditor_checkpoint"
        ).fetchone()
    assert stored == (learned["profile"],)


def test_a_cache_that_is_not_there_has_no_baseline(audited: str) -> None:
    done = _auditor("baseline", "learn", "typo", AUDITOR_DATABASE_URL=audited)
    assert (done.returncode, done.stderr) == (
        2,
        "auditor: There is no cache typo: name one that has reported windows.\n",
    )


def test_a_baseline_shows_the_days_of_the_week_from_monday_on(database: str) -> None:
    import time

    first = int(time.time() // 60) - 16 * 1440

    def quiet_weekends(plan: Course) -> None:
        weekday = (first + np.arange(len(plan.traffic))) // 1440 % 7
        plan.traffic[(weekday == SATURDAY) | (weekday == SUNDAY)] *= 0.2

    store(database, rows(windows(16 * 1440 - 5, fault=quiet_weekends, first=first)))
    learned = _json("baseline", "learn", "answers", "--days", "17", dsn=database)
    text = _auditor("baseline", "show", str(learned["id"]), AUDITOR_DATABASE_URL=database).stdout
    assert "inactive, learned on request from 17 days" in text
    (line,) = [line for line in text.splitlines() if "throughput" in line]
    days = line.split()[-1]
    assert len(days) == 7
    assert max(days[5:]) < min(days[:5])


@pytest.mark.parametrize(
    "command",
    [
        "observations list --format json",
        "observations list",
        "digest",
        "baseline show answers",
        "--help",
    ],
)
def test_a_reader_that_has_had_enough_ends_it_by_the_signal_for_that(audited: str, command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "auditor", *command.split()],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        env=BARE | {"AUDITOR_DATABASE_URL": audited},
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_a_name_that_is_not_utf_8_is_refused(database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "auditor", "observations", "list", "--cache", b"caf\xe9"],
        capture_output=True,
        text=True,
        check=False,
        env=BARE | {"AUDITOR_DATABASE_URL": database},
    )
    assert (done.returncode, done.stderr) == (
        2,
        "auditor: 'caf\\udce9' is not UTF-8: write it anew in a terminal that is.\n",
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(audited: str, closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m auditor observations list {closed}"],
        capture_output=True,
        text=True,
        check=False,
        env=BARE | {"AUDITOR_DATABASE_URL": audited},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("hit rate fell" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_what_the_terminal_cannot_write_is_escaped(audited: str) -> None:
    (row,) = _json("observations", "list", "--severity", "critical", "--limit", "1", dsn=audited)
    for command in (["observations", "show", row["id"]], ["baseline", "show", "answers"]):
        done = subprocess.run(
            [sys.executable, "-m", "auditor", *command],
            capture_output=True,
            check=False,
            env=BARE | {"AUDITOR_DATABASE_URL": audited, "PYTHONIOENCODING": "ascii"},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.isascii()
        assert command[0] != "observations" or b"\\u" in done.stdout


def test_numbers_of_an_upgraded_database_are_printed_as_numbers() -> None:
    assert as_json({"value": Decimal("12.50"), "gap": Decimal("NaN")}) == '{"value": 12.5, "gap": null}'
