"""Replay: what the service would have done, from files or the database, whole or shared among processes."""

from __future__ import annotations

import csv
import json
import random
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pytest
from pyarrow import parquet

from auditor.detection.windows import COLUMNS
from tests.detection.simulated import Course, windows
from tests.replay.stored import rows, store, write_csv
from tests.warm_start import auditor

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

MINUTES = 700


def _fault(plan: Course) -> None:
    plan.hit_rate[600:620] = 0.2
    plan.absent[300:302] = True


def _rows(first: int | None = None) -> list[dict[str, Any]]:
    first = int(time.time() // 60) - MINUTES - 5 if first is None else first
    found = rows(windows(MINUTES, fault=_fault, first=first, name="answers"))
    return found + rows(windows(MINUTES - 100, seed=2, first=first, name="<script>alert(1)</script>"))


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    return _rows()


def _auditor(*arguments: str | Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = auditor(*arguments, env={"PATH": "/usr/bin:/bin", "HOME": "/dev/null"} | environment)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def _results(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "ledger.csv").read_bytes(), (folder / "observations.jsonl").read_bytes()


def test_csv_gzip_and_parquet_in_any_order_with_any_number_of_processes_give_the_same(
    tmp_path: Path, found: list[dict[str, Any]]
) -> None:
    shuffled = random.Random(1).sample(found, len(found))
    table = {
        name: [row[name] for row in shuffled] for name in ("minute_window", "implementation_type", *COLUMNS)
    }
    parquet.write_table(pa.table(table), tmp_path / "windows.parquet")
    plain = write_csv(tmp_path / "windows.csv", found)
    _auditor("replay", "--input", plain, "--output", tmp_path / "plain")
    expected = _results(tmp_path / "plain")
    half = len(shuffled) // 2
    runs: dict[str, list[str | Path]] = {
        "gzip": ["--input", write_csv(tmp_path / "windows.csv.gz", shuffled)],
        "parquet": ["--input", tmp_path / "windows.parquet", "--jobs", "2"],
        "parts": [
            *("--input", write_csv(tmp_path / "one.csv", shuffled[:half])),
            *("--input", write_csv(tmp_path / "two.csv", shuffled[half:])),
        ],
    }
    for name, options in runs.items():
        _auditor("replay", *options, "--output", tmp_path / name)
        assert _results(tmp_path / name) == expected, name


def test_the_folder_holds_the_ledger_the_observations_a_summary_and_a_page(
    tmp_path: Path, found: list[dict[str, Any]]
) -> None:
    source = write_csv(tmp_path / "windows.csv", found)
    done = _auditor("replay", "--input", source, "--output", tmp_path / "out", "--format", "json")
    summary = json.loads(done.stdout)
    with (tmp_path / "out" / "ledger.csv").open() as lines:
        ledger = list(csv.DictReader(lines))
    assert len(ledger) == summary["windows"] == 2 * MINUTES
    assert {row["verdict"] for row in ledger} == {"learning", "normal", "anomalous", "no_data"}
    silent = [row for row in ledger if row["implementation_type"].startswith("<script>")][-100:]
    assert {row["verdict"] for row in silent} == {"no_data"}
    flagged = next(row for row in ledger if row["verdict"] == "anomalous")
    assert (
        float(flagged["hit_rate_value"])
        < float(flagged["hit_rate_lower"])
        < float(flagged["hit_rate_expected"])
    )
    observations = [
        json.loads(line) for line in (tmp_path / "out" / "observations.jsonl").read_text().splitlines()
    ]
    pages = {
        (row["implementation_type"][:7], row["metric_name"], row["severity"])
        for row in observations
        if row["severity"] != "info"
    }
    assert pages == {
        ("answers", "silence", "warning"),
        ("answers", "hit_rate", "critical"),
        ("<script", "silence", "critical"),
    }
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["pages"] == 3


class _Page(HTMLParser):
    """Checks that every element that is opened is closed, and gathers their names."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_a_caches_name_cannot_put_markup_into_it(
    tmp_path: Path, found: list[dict[str, Any]]
) -> None:
    source = write_csv(tmp_path / "windows.csv", found)
    _auditor("replay", "--input", source, "--output", tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert "svg" in page.seen
    assert "script" not in page.seen
    assert "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("minute_window,hits\n", "no column implementation_type"),
        ("minute_window,implementation_type\n", "no column of measurements"),
        ("minute_window,implementation_type,hits\nnoon,a,1\n", "line 2: minute_window 'noon'"),
        ("minute_window,implementation_type,hits\n2026-01-01T00:00:30Z,a,1\n", "not the start of a minute"),
        (
            "minute_window,implementation_type,hits\n2026-01-01T00:00:00Z,a,many\n",
            "line 2: hits 'many' is not a number",
        ),
        ("minute_window,implementation_type,hits\n2026-01-01T00:00:00Z,,1\n", "implementation_type is empty"),
        (
            "minute_window,implementation_type,hits\n2026-01-01T00:00:00Z,a,1\n2026-01-01 01:00+01:00,a,2\n",
            "comes twice, in lines 2 and 3",
        ),
        ("minute_window,implementation_type,hits\n", "no windows"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence_that_names_the_place(
    tmp_path: Path, text: str, said: str
) -> None:
    source = tmp_path / "bad.csv"
    source.write_text(text)
    done = _auditor("replay", "--input", source, code=2)
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("minutes", "options", "said"),
    [
        (("9999-12-31", "2026-01-01"), (), "line 2: the minute 9999-12-31T00:00:00+00:00"),
        (("2026-01-01", "2026-01-02", "0001-01-01"), (), "line 4: the minute 0001-01-01T00:00:00+00:00"),
        (("2026-01-01", "2026-01-02", "2037-01-02"), (), "line 4: the minute 2037-01-02T00:00:00+00:00"),
        (("9999-12-31T23:59:00Z",), (), "line 2: the minute 9999-12-31T23:59:00+00:00 is at the edge"),
        (("9999-12-31T23:59:00-01:00",), (), "line 2: minute_window '9999-12-31T23:59:00-01:00' is not"),
        (("2026-01-01",), ("--to", "9999-12-31"), "--to 9999-12-31T00:00:00+00:00 lies more than ten years"),
    ],
)
def test_a_time_that_lies_years_from_the_others_is_refused_by_its_line(
    tmp_path: Path, minutes: tuple[str, ...], options: tuple[str, ...], said: str
) -> None:
    source = tmp_path / "far.csv"
    header = "minute_window,implementation_type,hits\n"
    # one cache's own span is short, but all run to the last minute of any
    source.write_text(header + "".join(f"{minute},{minute[:6]},1\n" for minute in minutes))
    done = _auditor("replay", "--input", source, *options, code=2)
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_what_lies_years_away_may_be_left_out(tmp_path: Path) -> None:
    found = rows(windows(100, first=30_000_000, name="answers"))
    source = write_csv(tmp_path / "far.csv", found)
    with source.open("a") as lines:
        lines.write("answers,9999-12-31T00:00:00Z" + "," * len(COLUMNS) + "\n")
    done = _auditor("replay", "--input", source, "--to", f"{found[0]['minute_window']:%Y-%m-%dT%H:%MZ}")
    assert done.stdout.startswith("Replayed 1 window of 1 cache, ")


def test_nan_is_the_collectors_fault_where_something_was_measured_and_unknown_where_nothing_was(
    tmp_path: Path,
) -> None:
    found = rows(windows(MINUTES, first=30_000_000, name="answers"))
    found[650] |= {"avg_response_time_ms": "NaN"}
    found[651] |= {"hits": "nan"}
    found[660] |= dict.fromkeys(("total_operations", "hits", "misses", "sets", "evictions", "errors"), 0)
    found[660] |= {name: "nan" for name in COLUMNS if name.endswith("_ms") or name == "hit_rate"}
    for row in found:
        row["avg_miss_response_time_ms"] = "NaN"
    source = write_csv(tmp_path / "windows.csv", found)
    _auditor("replay", "--input", source, "--output", tmp_path / "out")
    with (tmp_path / "out" / "ledger.csv").open() as lines:
        verdicts = [row["verdict"] for row in csv.DictReader(lines)]
    assert [at for at, verdict in enumerate(verdicts) if verdict == "unjudged"] == [650, 651]
    texts = (tmp_path / "out" / "observations.jsonl").read_text()
    assert "avg_response_time_ms is no finite number." in texts
    assert "hits is no finite number." in texts


def test_a_missing_file_and_a_broken_archive_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in _auditor("replay", "--input", tmp_path / "none.csv", code=2).stderr
    (tmp_path / "broken.csv.gz").write_bytes(b"\x1f\x8b\x08garbage")
    assert "broken.csv.gz" in _auditor("replay", "--input", tmp_path / "broken.csv.gz", code=2).stderr


@pytest.fixture
def audited(database: str, found: list[dict[str, Any]]) -> str:
    """A database that the service has audited."""
    store(database, found)
    _auditor("run", "--once", AUDITOR_DATABASE_URL=database)
    return database


def test_replay_over_the_database_is_what_the_service_stored(audited: str, tmp_path: Path) -> None:
    done = _auditor(
        "replay", "--fail-on-diff", "--format", "json", "--output", tmp_path, AUDITOR_DATABASE_URL=audited
    )
    assert json.loads(done.stdout)["differences"] == 0
    replayed = {json.loads(line)["id"] for line in (tmp_path / "observations.jsonl").read_text().splitlines()}
    with psycopg.connect(audited) as connection:
        stored = {
            str(row[0]) for row in connection.execute("select id from monitoring.cache_auditor_observations")
        }
    assert replayed == stored
    again = _auditor("replay", "--fail-on-diff", "--jobs", "2", AUDITOR_DATABASE_URL=audited)
    assert "minute for minute" in again.stdout


def test_a_cache_that_is_not_there_is_named(audited: str) -> None:
    for options in ([], ["--fail-on-diff"]):
        done = _auditor("replay", "--cache", "nosuch", *options, code=2, AUDITOR_DATABASE_URL=audited)
        assert done.stderr == "auditor: There are no windows of nosuch: check --cache, --from and --to.\n"
    done = _auditor("replay", "--from", "90m", "--format", "json", AUDITOR_DATABASE_URL=audited)
    assert json.loads(done.stdout)["caches"] == 1  # the other one stopped before that
    done = _auditor("replay", "--from", "1m", code=2, AUDITOR_DATABASE_URL=audited)
    assert "There are no windows to replay" in done.stderr
    done = _auditor("replay", "--to", "9999-12-31", code=2, AUDITOR_DATABASE_URL=audited)
    assert "--to lies more than ten years ahead" in done.stderr


@pytest.mark.parametrize(
    "tamper",
    [
        "update monitoring.cache_auditor_ledger set verdict = 'normal' where verdict = 'anomalous'",
        (
            "delete from monitoring.cache_auditor_ledger where minute_window = (select max(minute_window) - interval '9 minutes'"
            " from monitoring.cache_auditor_ledger)"
        ),
        "update monitoring.cache_auditor_observations set severity = 'info' where severity = 'critical'",
        "delete from monitoring.cache_auditor_observations",
        "update monitoring.cache_auditor_ledger set scores = jsonb_set(scores, '{hit_rate,4}', '0.5') where scores ? 'hit_rate'",
    ],
)
def test_a_difference_from_what_was_stored_is_named_and_ends_with_one(audited: str, tamper: str) -> None:
    with psycopg.connect(audited) as connection:
        connection.execute(tamper.encode())
    done = _auditor("replay", "--fail-on-diff", AUDITOR_DATABASE_URL=audited, code=1)
    assert "differs from what the service stored" in done.stderr


def test_achieved_alarms_stand_beside_the_budget_and_what_is_called_an_incident_is_not_among_them(
    audited: str, tmp_path: Path
) -> None:
    def rate() -> dict[str, Any]:
        done = _auditor("observations", "rate", "--format", "json", AUDITOR_DATABASE_URL=audited)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    before = rate()
    answers = before["caches"]["answers"]
    assert (answers["alarms"], answers["called_incidents"]) == (1, 0)
    assert answers["alarms_per_cache_week_low"] < answers["alarms_per_cache_week"]
    assert answers["alarms_per_cache_week"] < answers["alarms_per_cache_week_high"]
    assert before["all"]["budget_false_alarms_per_cache_week"] == 1.0
    _auditor("replay", "--output", tmp_path, AUDITOR_DATABASE_URL=audited)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {name: summary[name] for name in before["all"]} == before["all"]
    assert "alarms per cache week high" in (tmp_path / "report.html").read_text()
    with psycopg.connect(audited) as connection:
        found = connection.execute(
            "select id from monitoring.cache_auditor_observations where implementation_type = 'answers' and metric_name = 'hit_rate'"
        ).fetchone()
    assert found is not None
    _auditor("observations", "ack", str(found[0]), "--verdict", "incident", AUDITOR_DATABASE_URL=audited)
    after = rate()["caches"]["answers"]
    assert (after["alarms"], after["called_incidents"]) == (0, 1)
    shown = _auditor("observations", "rate", AUDITOR_DATABASE_URL=audited).stdout
    assert "the budget is 1 false ones" in shown
    assert "1 more is called an incident" in shown
    nowhere = _auditor("observations", "rate", "--cache", "none", AUDITOR_DATABASE_URL=audited, code=2)
    assert "Nothing has been judged" in nowhere.stderr
