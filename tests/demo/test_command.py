"""What `auditor demo` refuses, in a sentence that holds the mend."""

from __future__ import annotations

import subprocess
import sys

import pytest

from auditor.commands.demo import demo
from auditor.errors import BadInput


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(BadInput, match="--seed -3 is negative"):
        demo(fault="flush", seed=-3, seconds=None, keep=None)


def test_without_cachetools_the_sentence_says_what_to_install() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys; sys.modules['cachetools'] = None; from auditor.cli import run_command_line;"
                "sys.exit(run_command_line(['demo']))"
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith(
        "install it with pip install 'cache-auditor[demo]', in a checkout pip install '.[demo]'.\n"
    )
