"""The container's laws, read from its Dockerfile: no root, no shell between the signal and the service, nothing unpinned."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINES = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()


PINS = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def _last(word: str) -> str:
    return next(line for line in reversed(LINES) if line.startswith(word))


def test_it_runs_as_a_numbered_user_that_is_not_root() -> None:
    user = re.fullmatch(r"USER (\d+):(\d+)", _last("USER"))
    assert user is not None
    assert int(user[1]) > 0


def test_signals_reach_the_service_itself() -> None:
    assert json.loads(_last("ENTRYPOINT").removeprefix("ENTRYPOINT ")) == ["auditor"]
    assert json.loads(_last("CMD").removeprefix("CMD ")) == ["run"]
    assert _last("STOPSIGNAL") == "STOPSIGNAL SIGTERM"


def test_the_health_check_needs_nothing_but_python() -> None:
    command = json.loads(_last("HEALTHCHECK").split("CMD ", 1)[1])
    assert command == ["python", "-m", "auditor.service.health"]


def test_everything_is_installed_by_hash_in_a_stage_that_is_left_behind() -> None:
    stages = [line for line in LINES if line.startswith("FROM")]
    assert len(stages) == 2
    installs = [line for line in LINES if "pip install" in line]
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    final = LINES[LINES.index(stages[1]) :]
    assert not any(line.startswith("RUN") for line in final)


def test_what_is_installed_is_all_that_the_package_needs_in_the_versions_that_are_tested() -> None:
    needed = {
        re.split(r"[\[<>=;\s]", line)[0].lower()
        for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    installed = set(PINS.findall((ROOT / "constraints-runtime.txt").read_text()))
    assert needed <= {name for name, _ in installed}
    assert installed <= set(PINS.findall((ROOT / "constraints.txt").read_text()))


def test_only_the_temporary_folder_is_written_to() -> None:
    settings = _last("ENV")
    assert "AUDITOR_HEARTBEAT_FILE=/tmp/" in settings
    assert "PYTHONDONTWRITEBYTECODE=1" in settings


def test_what_the_build_copies_is_let_through() -> None:
    allowed = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        name
        for line in LINES
        if line.startswith("COPY") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    assert set(copied) <= set(allowed)
    assert all((ROOT / name).exists() for name in copied)
