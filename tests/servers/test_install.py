"""A machine without npm is told what its tests lack; in CI it is not let through."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
LACKS = "The tests lack PostgreSQL 15 and PostgreSQL 17 and the Supabase CLI and supabase-js: install npm"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The tests' own program that fetches, as a fresh checkout has it."""
    for name in ("__init__.py", "conftest.py", "servers/__init__.py", "servers/install.py"):
        (tmp_path / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TESTS / name, tmp_path / "tests" / name)
    for name in ("discovery.py", "running.py"):
        shutil.copy(TESTS / "servers" / name, tmp_path / "tests" / "servers" / name)
    return tmp_path


def ran(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={"PATH": "", "HOME": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("environment", "code"), [({}, 0), ({"CI": "1"}, 1)])
def test_without_npm_it_says_what_is_missing_and_ends_badly_in_ci_only(
    bare: Path, environment: dict[str, str], code: int
) -> None:
    ended = ran(bare, "tests.servers.install", **environment)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert len(ended.stderr.splitlines()) == 1
    if not Path("/usr/lib/postgresql").is_dir():
        assert LACKS in ended.stderr


def test_pytest_itself_refuses_to_pass_over_anything_in_ci(bare: Path) -> None:
    ended = ran(bare, "pytest", "tests", CI="1")
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "this machine lacks" in ended.stderr
    assert "run make servers" in ended.stderr
