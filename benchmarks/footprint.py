"""What the service costs: memory after a backlog, the time from process start to the first turn, `auditor --help`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.servers import database
from tests.detection.simulated import windows
from tests.replay.stored import rows, store

DAYS = 3
CACHES = 10


def main(quick: bool = False) -> dict[str, float]:
    """A service that has worked off a backlog of several caches; and starts with nothing to do."""
    help_seconds = min(_timed(["--help"]) for _ in range(5))
    with database(durable=False) as dsn, tempfile.TemporaryDirectory() as folder:
        heartbeat = Path(folder) / "heartbeat"
        start_seconds = min(_start(dsn, heartbeat) for _ in range(3))
        minutes = (1 if quick else DAYS) * 1440
        first = int(time.time() // 60) - minutes - 2
        for number in range(CACHES):
            store(dsn, rows(windows(minutes, seed=number, first=first, name=f"cache {number}")))
        seconds = _timed(["run", "--once"], AUDITOR_DATABASE_URL=dsn)
        megabytes = _resident(dsn, heartbeat)
    rate = CACHES * minutes / seconds
    print(f"auditor --help                        {1000 * help_seconds:8.0f} ms")
    print(f"process start to the first turn       {1000 * start_seconds:8.0f} ms")
    print(
        f"backlog through the database          {rate:8,.0f} windows/s ({CACHES} caches, {minutes:,} minutes each)"
    )
    print(f"resident memory, holding {CACHES} caches   {megabytes:8.0f} MB")
    return {
        "help_ms": 1000 * help_seconds,
        "start_ms": 1000 * start_seconds,
        "backlog_windows_per_second": rate,
        "resident_mb": megabytes,
    }


def _environment(**more: str) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "AUDITOR_SETTLE_SECONDS": "0",
        "LOG_LEVEL": "ERROR",
    } | more


def _timed(arguments: list[str], **environment: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "auditor", *arguments],
        check=True,
        capture_output=True,
        env=_environment(**environment),
    )
    return time.perf_counter() - started


def _start(dsn: str, heartbeat: Path) -> float:
    heartbeat.unlink(missing_ok=True)
    started = time.perf_counter()
    process = _service(dsn, heartbeat)
    while not heartbeat.exists():
        time.sleep(0.002)
    seconds = time.perf_counter() - started
    process.terminate()
    process.wait()
    return seconds


def _resident(dsn: str, heartbeat: Path) -> float:
    heartbeat.unlink(missing_ok=True)
    process = _service(dsn, heartbeat)
    while not heartbeat.exists():
        time.sleep(0.01)
    time.sleep(2)
    megabytes = psutil.Process(process.pid).memory_info().rss / 1e6
    process.terminate()
    process.wait()
    return megabytes


def _service(dsn: str, heartbeat: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "auditor", "run"],
        env=_environment(AUDITOR_DATABASE_URL=dsn, AUDITOR_HEARTBEAT_FILE=str(heartbeat)),
    )


if __name__ == "__main__":
    main()
