"""Speed beside other people's detectors, on the same points in one run; the peers live in an environment of their own, build/peers."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Final

import numpy as np

from auditor.commands.score import load_model, score_files
from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from auditor.detection.series.scoring import score_series
from benchmarks.replay import METRICS, TESTS
from tests.detection.simulated import windows

ROOM: Final = Path(__file__).resolve().parent.parent / "build" / "peers"
PACKAGES: Final = (
    "adtk==0.6.2",
    "numpy==1.26.4",
    "pandas==1.5.3",
    "prophet==1.5.0",
    "pyod==3.6.7",
    "pytest==8.4.2",
    "river==0.19.0",
    "salesforce-merlion==2.0.4",
    "scipy==1.13.1",
)
"""ADTK and Merlion do not run on today's numpy and pandas, and this river imports pytest."""


def main(quick: bool = False) -> dict[str, float | str]:
    """Make the environment if it is not there, run everything once, print a table."""
    points = 100_000 if quick else 1_000_000
    python = _installed()
    at = np.arange(points, dtype=np.float64)
    values = 20.0 * np.sin(2 * np.pi * at / 1440) + np.random.default_rng(1).normal(100.0, 3.0, points)
    found: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "values.txt"
        np.savetxt(listed, values)
        rows = Path(folder) / "series.csv"
        rows.write_text(
            "timestamp,value\n" + "".join(f"{1_600_000_000 + 60 * i},{x:.6f}\n" for i, x in enumerate(values))
        )
        model = load_model()
        score_series(60.0 * at[:5000], values[:5000], model, 1.0)
        found["auditor score, in memory"] = _microseconds(
            points, lambda: score_series(60.0 * at, values, model, 1.0)
        )
        found["auditor score, from file to file"] = _microseconds(
            points, lambda: score_files([rows], output=Path(folder) / "out", alarms_per_week=1.0)
        )
        told = subprocess.run(
            [python, str(Path(__file__).with_name("peers_run.py")), str(listed)],
            capture_output=True,
            text=True,
            check=True,
        )
        found |= json.loads(told.stdout.splitlines()[-1])
    block = windows((4 if quick else 28) * 1440)
    each = _microseconds(len(block), lambda: judge(None, block, Policy()))
    found[f"auditor replay, a metric-window of {METRICS} in a window"] = each / METRICS
    found[f"auditor replay, a metric-test of {TESTS} in a window"] = each / TESTS
    ours = found["auditor score, in memory"]
    print(f"{'':58}{'µs a point':>12}{'ratio':>9}")
    for name, figure in found.items():
        if isinstance(figure, float) and isinstance(ours, float):
            print(f"{name:58}{figure:12.2f}{figure / ours:9.2f}")
        else:
            print(f"{name:58}  {figure}")
    return found


def _microseconds(points: int, run: object) -> float:
    assert callable(run)
    started = time.perf_counter()
    run()
    return 1e6 * (time.perf_counter() - started) / points


def _installed() -> str:
    python, installed = ROOM / "bin" / "python", ROOM / ".installed"
    if not installed.exists() or installed.read_text() != "\n".join(PACKAGES):
        venv.create(ROOM, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        installed.write_text("\n".join(PACKAGES))
    return str(python)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
