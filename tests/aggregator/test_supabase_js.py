"""The stand-in that the other tests rest upon takes the real supabase-js too, as it comes: rpc, broadcasts and table changes."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.aggregator.conftest import deno_environment
from tests.servers.discovery import DENO
from tests.supabase.events import ingest
from tests.supabase.standing import Supabase, running_supabase

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("realtime.ts")


class Heard:
    """The lines of a running script."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def until(self, **wanted: Any) -> None:
        """Read on until a line has these members; the test's own time limit ends a wait in vain."""
        assert self.process.stdout is not None
        while not any(wanted.items() <= line.items() for line in self.lines):
            line = self.process.stdout.readline()
            assert line, self.lines
            self.lines.append(json.loads(line))


@pytest.fixture
def heard(workshop: Path, database: str) -> Iterator[tuple[Supabase, Heard]]:
    shutil.copy(SCRIPT, workshop)
    command: list[str | Path] = [
        DENO,
        "run",
        "--check",
        "--node-modules-dir=manual",
        "--allow-net",
        "--allow-env",
        SCRIPT.name,
    ]
    with running_supabase(database) as project:
        variables = {"SUPABASE_URL": project.url, "SUPABASE_SECRET_KEY": project.secret_key}
        with subprocess.Popen(
            command,
            cwd=workshop,
            env=deno_environment(workshop) | variables,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield project, Heard(process)
            process.kill()


def test_supabase_js_calls_and_hears_what_is_ingested(heard: tuple[Supabase, Heard]) -> None:
    project, said = heard
    said.until(rpc="answered")
    said.until(status="SUBSCRIBED")
    said.until(own={"text": "ü"})
    said.until(system="Subscribed to PostgreSQL")
    at = time.time() - 120
    ingest(project.dsn, at)
    said.until(broadcast={"caches": 1, "minutes": [int(at // 60)]})
    said.until(change="INSERT", hits=1)
    ingest(project.dsn, at)
    said.until(change="UPDATE", hits=2)
