"""`auditor score` as a process: rows in, rows out, whatever the file holds."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.detection.simulated import windows
from tests.replay.stored import rows, write_csv
from tests.warm_start import auditor

HEADER = "timestamp,value,expected,lower,upper,score,p_value,flag"


def _score(*arguments: object) -> subprocess.CompletedProcess[str]:
    return auditor("score", *arguments, env={"PATH": os.defpath, "HOME": "/dev/null"})


def _rows(count: int = 3000) -> list[str]:
    value = 50.0 + np.random.default_rng(5).normal(size=count)
    value[count - 20 :] += 40.0
    return [f"{1_700_000_000 + 60 * i},{x:.4f}" for i, x in enumerate(value)]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.csv"
    path.write_text("timestamp,value\n" + "\n".join(_rows()) + "\n")
    return path


def test_one_file_gives_one_row_for_every_row_on_the_standard_output(plain: Path) -> None:
    done = _score(plain)
    assert (done.returncode, done.stderr) == (0, "")
    head, *lines = done.stdout.splitlines()
    assert head == HEADER
    assert [line.rsplit(",", 6)[0] for line in lines] == _rows()
    found = list(csv.DictReader(done.stdout.splitlines()))
    assert {row["flag"] for row in found[:-20]} == {"0"}
    jump = found[-20]
    assert jump["flag"] == "1"
    assert float(jump["p_value"]) < 1e-4
    assert float(jump["lower"]) < 50 < float(jump["upper"]) < float(jump["value"])


def test_json_gives_an_object_for_every_row(plain: Path) -> None:
    done = _score(plain, "--format", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 3000
    assert list(found[0]) == HEADER.split(",")
    assert found[0]["lower"] is None
    assert found[-20]["flag"] is True


def test_many_files_go_to_a_folder_under_their_names(plain: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.csv.gz"
    with gzip.open(packed, "wt") as file:
        file.write(plain.read_text())
    done = _score(plain, packed, "--output", tmp_path / "scores")
    assert done.returncode == 0, done.stderr
    assert "plain.csv: 3000 of 3000 rows scored, every minute;" in done.stdout
    assert f" flagged, in 1 alarm. Written to {tmp_path / 'scores' / 'plain.csv'}.\n" in done.stdout
    one = (tmp_path / "scores" / "plain.csv").read_text()
    with gzip.open(tmp_path / "scores" / "packed.csv.gz", "rt") as file:
        assert file.read() == one


def test_whatever_stands_in_a_file_gets_its_row(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(
        'host,value,time\na,1.5,2026-01-01T00:01:00Z\na,,2026-01-01T00:00:00Z\n\n"b",NaN,2026-01-01 00:02:00\n'
        "a,2,2026-01-01T01:03:00+01:00\na,3,2026-01-01T01:03:00+01:00\n"
    )
    done = _score(path)
    assert done.returncode == 0, done.stderr
    found = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["timestamp"] for row in found] == [
        "2026-01-01T00:01:00Z",
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:02:00",
        "2026-01-01T01:03:00+01:00",
        "2026-01-01T01:03:00+01:00",
    ]
    assert [bool(row["score"]) for row in found] == [True, False, False, True, True]
    assert found[3]["score"] == found[4]["score"]


def test_milliseconds_are_the_same_moments(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "milliseconds.csv"
    path.write_text("timestamp,value\n" + "\n".join(row.replace(",", "000,") for row in _rows()) + "\n")
    slow, fast = (_score(one).stdout.splitlines() for one in (path, plain))
    assert [line.split(",", 2)[2] for line in slow] == [line.split(",", 2)[2] for line in fast]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "none is named timestamp"),
        ("timestamp,other\n1,2\n", "none is named value"),
        ("timestamp,value\n60,1\nsoon,2\n", "line 3: the timestamp 'soon' is neither"),
        ("timestamp,value\n60,1\n120,many\n", "line 3: the value 'many' is no number"),
        ("timestamp,value\n60,1\n120\n", "line 3: '120' has no 2 columns"),
        ("timestamp,value\n60,1\n120,1\n180,1\n1e15,1\n", "no regular series"),
    ],
)
def test_what_is_no_series_is_one_sentence_and_exit_2(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(content)
    done = _score(path)
    assert done.returncode == 2
    assert told in done.stderr
    assert str(path) in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_options_that_cannot_be_are_refused(plain: Path, tmp_path: Path) -> None:
    for arguments, told in (
        ((tmp_path / "none.csv",), "There is no file"),
        ((plain, "--budget", "0"), "--budget is 0"),
        ((plain, plain, "--output", tmp_path / "out"), "Two of the files"),
        ((plain, tmp_path / "other.csv"), "--output DIR"),
        ((plain, "--output", tmp_path), "would overwrite"),
        ((plain, "--output", plain), "cannot be made a folder"),
    ):
        done = _score(*arguments)
        assert done.returncode == 2, arguments
        assert told in done.stderr


def test_a_header_alone_gives_a_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("timestamp,value\n")
    done = _score(path)
    assert (done.returncode, done.stdout) == (0, HEADER + "\n")


def _cramped(blocks: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The same where no file may grow beyond so many blocks, as on a full disk."""
    words = [sys.executable, "-m", "auditor", *map(str, arguments)]
    return subprocess.run(
        ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *words],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath, "HOME": "/dev/null", "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.parametrize("name", ["plain.csv", "plain.csv.gz"])
def test_a_full_disk_is_told_and_what_was_there_before_stays(plain: Path, tmp_path: Path, name: str) -> None:
    source, folder = tmp_path / name, tmp_path / "out"
    source.write_bytes(gzip.compress(plain.read_bytes()) if name.endswith(".gz") else plain.read_bytes())
    folder.mkdir()
    (folder / name).write_text("before")
    done = _cramped(8, "score", source, "--output", folder)
    assert done.returncode == 2
    assert done.stderr == (
        f"auditor: {folder / name} cannot be written: File too large; free some room or name another --output.\n"
    )
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, "before")]


def test_a_replay_on_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "windows.csv", rows(windows(700, first=30_000_000, name="answers")))
    done = _cramped(8, "replay", "--input", source, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr == (
        f"auditor: {tmp_path / 'out'} cannot be written: File too large; free some room or name another --output.\n"
    )
    assert list((tmp_path / "out").iterdir()) == []
    done = _cramped(8, "replay", "--input", source, "--output", source)
    assert (done.returncode, f"{source} cannot be written: File exists" in done.stderr) == (2, True)


def test_a_full_disk_behind_standard_output_is_told(plain: Path) -> None:
    for arguments in (["score", str(plain)], ["--help"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "auditor", *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert done.returncode == 2
        assert done.stderr == (
            b"auditor: Standard output cannot be written: No space left on device; free some room, or send it elsewhere.\n"
        )
