"""Processes of their own that report to a backend."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.collector.backends import Backend

ROOT = Path(__file__).parents[2]


def in_process(script: str, backend: Backend, **variables: str) -> subprocess.Popen[str]:
    """A process of its own whose environment names the backend."""
    environment = {
        **os.environ,
        "SUPABASE_URL": backend.url,
        "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x",
        "CACHE_METRICS_FLUSH_INTERVAL": "0.1",
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, "-c", "from auditor.collector import *\n" + textwrap.dedent(script)],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err == ""
    return out
