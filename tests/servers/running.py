"""A throw-away server of any major: made, started on a socket of its own, stopped and removed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = (
    "-c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60"
    " -c shared_buffers=64MB -c wal_level=logical -c max_wal_senders=2 -c max_replication_slots=2"
)


@contextlib.contextmanager
def running(programs: Path) -> Iterator[str]:
    """The connection string of a fresh server of those programs, for as long as the context lasts."""
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    as_owner: dict[str, Any] = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        if not all(parent.stat().st_mode & 0o001 for parent in programs.parents):
            programs = shutil.copytree(programs.parent, home / "programs", symlinks=True) / programs.name
            home.chmod(0o755)
        as_owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data = home / "data"

    def call(*command: str) -> None:
        done = subprocess.run(
            command,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            env={"LC_ALL": "C", "PATH": os.defpath},
            **as_owner,
        )
        if done.returncode:
            log = home / "log"
            told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}{told}")

    try:
        call(
            str(programs / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        )
        call(
            str(programs / "pg_ctl"),
            "-D",
            str(data),
            "-l",
            str(home / "log"),
            "-o",
            f"{OPTIONS} -k {home}",
            "-w",
            "start",
        )
        try:
            yield f"host={home} user=postgres dbname=postgres"
        finally:
            call(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)
