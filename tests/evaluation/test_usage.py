"""`auditor eval` used wrongly: one sentence, the right exit code, and no model asked."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from auditor.resources import prompts_folder
from tests.warm_start import auditor

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


def _eval(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return auditor("eval", *arguments, env={"PATH": os.defpath, "HOME": "/dev/null"} | environment)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--incident", "flsh"], "There is no recorded incident flsh"),
        (["--evals", "/dev/null/absent"], "There is no folder of recorded incidents at /dev/null/absent"),
        (["--prompts", "/dev/null/absent"], "There is no folder of prompts at /dev/null/absent"),
        (["--fail-under", "2"], "--fail-under"),
        (["--concurrency", "0"], "--concurrency"),
        (["--model", "m@https://"], "--model m@https:// is not usable"),
        (["--key-from", "NO_SUCH_KEY"], "NO_SUCH_KEY, which is not set"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_two(arguments: list[str], said: str) -> None:
    done = _eval(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_broken_prompt_is_refused_by_name_before_a_model_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(prompts_folder(), folder)
    path = folder / "daily_digest.md"
    path.write_text(
        path.read_text(encoding="utf-8").replace("brief | data", "breif | data"), encoding="utf-8"
    )
    for done in (_eval("--prompts", str(folder)), _eval(AUDITOR_PROMPTS_DIR=str(folder))):
        assert done.returncode == 2
        assert str(path) in done.stderr
        assert "'breif' is undefined" in done.stderr
