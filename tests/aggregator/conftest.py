"""The aggregator in real Deno before a stand-in project."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.discovery import DENO, SUPABASE_JS, supabase_cli
from tests.supabase.standing import Supabase, running_supabase

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
FUNCTION = REPOSITORY / "supabase" / "functions" / "cache-metrics-aggregator"
# On a machine without npm or Deno the rest of the suite runs; the report's first lines say what is missing, and CI refuses to go on.
collect_ignore = [
    *([] if SUPABASE_JS.is_dir() and DENO.exists() else ["test_aggregator.py", "test_supabase_js.py"]),
    *([] if supabase_cli() is not None else ["test_supabase_cli.py"]),
]


@dataclass(frozen=True)
class Aggregator:
    """A running aggregator: its address and the project behind it."""

    url: str
    project: Supabase
    log: Path

    def post(self, body: object = None, *, key: str | None = None, **given: object) -> httpx.Response:
        """Send a body as the collector does."""
        headers = {"authorization": f"Bearer {key or self.project.service_key}"}
        return httpx.post(self.url, json=body, headers=headers, timeout=30, **given)  # type: ignore[arg-type]  # httpx's own keywords


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function's source beside the installed npm packages, as Deno finds them without a network."""
    folder = tmp_path_factory.mktemp("aggregator")
    shutil.copy(FUNCTION / "index.ts", folder)
    (folder / "package.json").write_text('{"dependencies": {"@supabase/supabase-js": "*"}}')
    (folder / "node_modules").symlink_to(SUPABASE_JS.parents[1])
    return folder


def deno_environment(workshop: Path) -> dict[str, str]:
    return {"PATH": os.defpath, "HOME": str(workshop), "DENO_DIR": str(workshop / "deno"), "NO_COLOR": "1"}


@contextlib.contextmanager
def serving(workshop: Path, project: Supabase, log: Path, **environment: str) -> Iterator[Aggregator]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = deno_environment(workshop) | {
        "DENO_SERVE_ADDRESS": f"tcp:127.0.0.1:{port}",
        "SUPABASE_URL": project.url,
        "SUPABASE_SERVICE_ROLE_KEY": project.service_key,
        **environment,
    }
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [DENO, "run", "--node-modules-dir=manual", "--allow-net", "--allow-env", "index.ts"],
            cwd=workshop, env=variables, stdout=lines, stderr=lines,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}/"
            end = time.monotonic() + 60
            while True:
                assert process.poll() is None, log.read_text()
                with contextlib.suppress(httpx.HTTPError):
                    httpx.options(url)
                    break
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield Aggregator(url, project, log)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def aggregator(workshop: Path, database: str, tmp_path: Path) -> Iterator[Aggregator]:
    """An aggregator of the test's own."""
    with running_supabase(database) as project, serving(workshop, project, tmp_path / "deno.log") as running:
        yield running
