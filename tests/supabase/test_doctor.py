"""`auditor doctor` on a project with one link broken: it names the link, and its mend works when followed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.supabase.events import ingest
from tests.supabase.standing import running_supabase
from tests.supabase.test_service import environment, of_project
from tests.warm_start import auditor

if TYPE_CHECKING:
    from pathlib import Path

    from tests.supabase.standing import Supabase

LINKS = [
    "settings", "reachable", "key", "exposed", "schema", "grants", "publication", "realtime", "ingest", "hint",
    "collector", "baseline", "lag", "coverage", "model",
]  # fmt: skip


def doctor(variables: dict[str, str], *options: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    ended = auditor("doctor", "--format", "json", "--seconds", "5", *options, env=variables)
    assert "Traceback" not in ended.stderr, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["healthy"] == (ended.returncode == 0)
    return (
        ended.returncode,
        {check["name"]: check for check in answer["checks"]},
        ended.stdout + ended.stderr,
    )


def run(variables: dict[str, str], *arguments: str) -> str:
    """Run a command of the auditor that has to end well; what it printed."""
    ended = auditor(*arguments, env=variables)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def broken(found: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, check in found.items() if check["status"] == "fail"]


def mend_by_sql(dsn: str, mend: str) -> None:
    """Carry out the statement that a mend names, as the owner would."""
    statement = re.search(r"(?:as the owner: )(.+;)", mend)
    assert statement, mend
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement[1].encode())


@pytest.fixture
def healthy(project: Supabase) -> Supabase:
    """A project with one live cache that is audited and has a baseline."""
    now = time.time()
    ingest(project.dsn, *(now - 60 * minute for minute in range(1, 30)))
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute(
            "insert into monitoring.cache_baseline_metrics (implementation_type, baseline_period_start, baseline_period_end)"
            " values ('a', now(), now())"
        )
    run(of_project(project), "run", "--once")
    return project


def traces(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select (select count(*) from monitoring.cache_metrics where implementation_type like 'auditor-doctor-%')"
            " + (select count(*) from monitoring.cache_metrics_1min where implementation_type like 'auditor-doctor-%')"
            " + (select count(*) from monitoring.cache_auditor_checkpoint where implementation_type like 'auditor-doctor-%')"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_canary_is_accepted_where_events_are_kept_for_a_day_and_is_never_audited(healthy: Supabase) -> None:
    with psycopg.connect(healthy.dsn, autocommit=True) as connection:
        connection.execute("select monitoring.purge_expired_cache_metrics(1, 30, 365)")
        code, found, _ = doctor(of_project(healthy))
        assert (code, broken(found)) == (0, [])
        ingest(healthy.dsn, cache="auditor-doctor-left-behind")
        held = connection.execute("select monitoring.auditor_lease('w', 60, 100) -> 'held'").fetchone()
    assert held == (["a"],)


@pytest.mark.parametrize("kind", ["service_key", "secret_key"])
def test_a_healthy_project_passes_every_line_and_keeps_no_trace(healthy: Supabase, kind: str) -> None:
    key = getattr(healthy, kind)
    code, found, said = doctor(of_project(healthy) | {"SUPABASE_SERVICE_ROLE_KEY": key})
    assert (code, broken(found)) == (0, [])
    assert list(found) == LINKS
    assert all(check["status"] == "pass" for check in found.values())
    assert traces(healthy.dsn) == 0
    assert key not in said


def test_without_a_canary_nothing_is_written_or_broadcast(healthy: Supabase) -> None:
    opened = healthy.realtime.opened
    healthy.rest.calls.clear()
    code, found, _ = doctor(of_project(healthy), "--no-canary")
    assert code == 0
    assert {found[name]["status"] for name in ("realtime", "ingest", "hint")} == {"skip"}
    assert healthy.realtime.opened == opened
    assert healthy.rest.calls == ["auditor_examine"], "a function that PostgreSQL lets write nothing"


def test_postgresql_is_examined_too(healthy: Supabase) -> None:
    code, found, _ = doctor(environment(AUDITOR_DATABASE_URL=healthy.dsn))
    assert (code, broken(found)) == (0, [])
    assert found["hint"]["status"] == "pass"
    assert found["exposed"]["status"] == "skip"


@pytest.mark.parametrize("wrong", ["sb_secret_of_another_project", "forged", "expired", "anon"])
def test_a_wrong_key_is_found(project: Supabase, wrong: str) -> None:
    key = {
        "forged": project.service_key[:-5] + "AAAAA",
        "expired": project.keys.signed({"role": "service_role", "exp": 1}),
        "anon": project.anon_key,
    }.get(wrong, wrong)
    code, found, said = doctor(of_project(project) | {"SUPABASE_SERVICE_ROLE_KEY": key})
    assert code == 1
    assert broken(found) == ["grants" if wrong == "anon" else "key"]
    assert key not in said


def test_an_unexposed_schema_is_found(database: str) -> None:
    with running_supabase(database, exposed=("public",)) as project:
        code, found, _ = doctor(of_project(project))
        assert (code, broken(found)) == (1, ["exposed"])
        assert "Exposed schemas" in found["exposed"]["mend"]
        project.rest.exposed.append("monitoring")
        project.do(project.rest.reload())
        assert "exposed" not in broken(doctor(of_project(project))[1])


def test_each_missing_grant_is_found_and_its_mend_works(healthy: Supabase) -> None:
    for taken, said in (
        ("insert on monitoring.cache_auditor_ledger", "insert on cache_auditor_ledger"),
        ("execute on function monitoring.auditor_commit", "execute on auditor_commit"),
        ("execute on function monitoring.auditor_examine", "function auditor_examine"),
        ("usage on schema monitoring", "schema monitoring"),
    ):
        with psycopg.connect(healthy.dsn, autocommit=True) as connection:
            connection.execute(f"revoke {taken} from service_role".encode())
        code, found, _ = doctor(of_project(healthy))
        assert (code, broken(found)) == (1, ["grants"])
        assert said in found["grants"]["said"]
        mend_by_sql(healthy.dsn, found["grants"]["mend"])
    assert doctor(of_project(healthy))[0] == 0


def test_a_schema_open_to_anon_is_found_and_its_mend_works(healthy: Supabase) -> None:
    with psycopg.connect(healthy.dsn, autocommit=True) as connection:
        connection.execute("grant usage on schema monitoring to anon")
    _, found, _ = doctor(of_project(healthy))
    assert broken(found) == ["grants"]
    mend_by_sql(healthy.dsn, found["grants"]["mend"])
    assert doctor(of_project(healthy))[0] == 0


def test_each_missing_publication_is_found_and_its_mend_works(healthy: Supabase) -> None:
    for table in ("cache_metrics_1min", "cache_auditor_observations"):
        with psycopg.connect(healthy.dsn, autocommit=True) as connection:
            connection.execute(f"alter publication supabase_realtime drop table monitoring.{table}".encode())
        _, found, _ = doctor(of_project(healthy))
        assert broken(found) == ["publication"]
        mend_by_sql(healthy.dsn, found["publication"]["mend"])
    assert doctor(of_project(healthy))[0] == 0


def test_a_dead_realtime_is_found_and_the_rest_is_looked_at(healthy: Supabase) -> None:
    healthy.realtime.faults.refuse = True
    _, found, _ = doctor(of_project(healthy))
    assert broken(found) == ["realtime"]
    assert found["ingest"]["status"] == "pass"
    assert "HTTP 503" in found["realtime"]["said"]
    assert "see that Realtime is enabled" in found["realtime"]["mend"]
    healthy.realtime.faults.refuse = False
    assert doctor(of_project(healthy))[0] == 0
    healthy.realtime.faults.silent = True
    assert broken(doctor(of_project(healthy))[1]) == ["realtime"]
    assert traces(healthy.dsn) == 0


def test_where_nothing_broadcasts_the_tables_changes_bring_the_hint(healthy: Supabase) -> None:
    healthy.realtime.faults.changes_delay = 1.0
    with psycopg.connect(healthy.dsn, autocommit=True) as connection:
        connection.execute("drop function realtime.send")
    code, found, _ = doctor(of_project(healthy))
    assert (code, broken(found)) == (0, [])
    assert found["realtime"]["said"].endswith("the table's changes are live")


def test_a_broadcast_on_another_channel_is_found(healthy: Supabase) -> None:
    with psycopg.connect(healthy.dsn, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set auditor.realtime_channel = 'elsewhere'".encode())
    variables = of_project(healthy) | {"AUDITOR_REALTIME_CHANGES": "false"}
    _, found, _ = doctor(variables)
    assert broken(found) == ["hint"]
    assert doctor(variables | {"AUDITOR_REALTIME_CHANNEL": "elsewhere"})[0] == 0


def test_a_project_of_private_channels_is_found_and_its_mend_works(healthy: Supabase) -> None:
    healthy.realtime.faults.private_only = True
    _, found, _ = doctor(of_project(healthy))
    assert broken(found) == ["realtime"]
    assert "(the broadcasts: CHANNEL_ERROR (PrivateOnly: This project" in found["realtime"]["said"]
    mend = found["realtime"]["mend"]
    with psycopg.connect(healthy.dsn) as connection:
        name = connection.info.dbname
    mend_by_sql(healthy.dsn, mend.replace("database postgres", f"database {name}"))
    setting = dict([re.findall(r"set (\w+)=(\w+)", mend)[0]])
    assert doctor(of_project(healthy) | setting)[0] == 0


def test_a_stale_collector_a_missing_baseline_and_a_lag_are_found_and_their_mends_work(
    project: Supabase, tmp_path: Path
) -> None:
    now = time.time()
    ingest(project.dsn, *(now - 60 * minute for minute in range(30, 130)))
    variables = of_project(project)
    _, found, _ = doctor(variables)
    assert broken(found) == ["collector", "baseline", "lag", "coverage"]
    assert "get_collector().get_stats()" in found["collector"]["mend"]
    assert "auditor baseline learn a," in found["baseline"]["mend"]
    assert "never audited" in found["lag"]["said"]

    reporting = variables | {"CACHE_METRICS_SINK": "rest", "CACHE_METRICS_SPOOL_DIR": str(tmp_path)}
    program = "from auditor.collector import record_cache_hit; record_cache_hit('k', 'a', 0.5)"
    subprocess.run([sys.executable, "-c", program], env=reporting, check=True)
    run(variables, "run", "--once")
    assert doctor(variables)[0] == 0

    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute("delete from monitoring.cache_baseline_metrics")
    _, found, _ = doctor(variables)
    assert broken(found) == ["baseline"]
    history = variables | {"SUPABASE_DB_URL": project.dsn}
    learned = run(history, *re.findall(r"auditor (baseline learn a)", found["baseline"]["mend"])[0].split())
    run(history, *re.findall(r"auditor (baseline activate \w+)", learned)[0].split())
    assert doctor(variables)[0] == 0


def test_a_project_without_the_schema_and_one_that_is_away_are_found(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create schema monitoring; create table monitoring.cache_metrics_1min ()")
    with running_supabase(empty_database) as project:
        _, found, _ = doctor(of_project(project))
        assert broken(found) == ["schema"]
        assert "auditor migrate" in found["schema"]["mend"]
        variables = of_project(project)
    _, found, _ = doctor(variables)
    assert broken(found) == ["reachable"]


def test_a_setting_that_cannot_be_used_is_a_line_of_its_own() -> None:
    secret = "sb_secret_hush-hush"
    code, found, whole = doctor(
        environment(
            SUPABASE_URL="https://project.supabase.co", SUPABASE_SERVICE_ROLE_KEY=f"{secret}\n{secret}"
        )
    )
    assert (code, broken(found)) == (1, ["settings"])
    assert found["settings"]["said"] == "SUPABASE_SERVICE_ROLE_KEY is not usable"
    assert "copy the key anew" in found["settings"]["mend"]
    assert "hush" not in whole


def test_the_embedded_server_is_examined_where_no_database_is_named(tmp_path: Path) -> None:
    variables = environment(AUDITOR_EMBEDDED_DIR=str(tmp_path / "postgres"))
    _, found, _ = doctor(variables)
    assert broken(found) == ["schema"]
    assert "the embedded server in" in found["reachable"]["said"]
    assert found["exposed"]["status"] == "skip"
    run(variables, *found["schema"]["mend"].removeprefix("run auditor ").rstrip(".").split())
    assert broken(doctor(variables)[1]) == ["collector"]


def test_the_text_is_one_line_for_each_link_and_one_for_each_mend(healthy: Supabase) -> None:
    healthy.realtime.faults.refuse = True
    ended = auditor("doctor", "--seconds", "2", env=of_project(healthy))
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert len(lines) == len(LINKS) + 1
    assert sum("mend: " in line for line in lines) == 1
    assert ended.stderr == "auditor: 1 of 15 links is broken: realtime.\n"
