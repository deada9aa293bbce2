"""The parent of an embedded server: starts it, and stops it when the last process that uses it is gone.

Runs as a script of its own under `python -I -S`, so it imports only the standard library. It lives in a session of its own:
a Ctrl-C in the terminal reaches the auditor, never the server beneath it.

Three locks in the server's folder say everything; the kernel drops them however a process ends, so none is ever stale:

- `turn.lock`, exclusive, for the length of one start or one stop;
- `holders.lock`, shared, held by each process that uses the server, for as long as it does;
- `server.lock`, exclusive, held by the server's own processes (they inherit it), for as long as any of them lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

TURN: Final = "turn.lock"
HOLDERS: Final = "holders.lock"
SERVER: Final = "server.lock"
DATA: Final = "data"
LOG: Final = "server.log"

READY: Final = "ready"
_LOOK_SECONDS: Final = 1.0
_START_SECONDS: Final = 300.0
_STOP_SECONDS: Final = 30.0


class Start(TypedDict):
    """What a keeper is told: the folder, the descriptor that holds server.lock, the program, its options, its owner."""

    folder: str
    lock: int
    postgres: str
    options: list[str]
    owner: tuple[int, int] | None


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take the lock of an open file if it is free; kind is LOCK_EX or LOCK_SH."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_lock(folder: Path, name: str) -> int:
    """Open a lock file, making it with the folder's owner where it is missing."""
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


@contextlib.contextmanager
def taken(folder: Path, name: str, *, seconds: float) -> Iterator[bool]:
    """Hold a lock exclusively; yields False where it stayed taken for that long."""
    descriptor = open_lock(folder, name)
    try:
        until = time.monotonic() + seconds
        while not (got := try_lock(descriptor)) and time.monotonic() < until:
            time.sleep(0.02)
        yield got
    finally:
        os.close(descriptor)


def is_free(folder: Path, name: str) -> bool:
    """Whether nobody holds the lock at this moment."""
    with taken(folder, name, seconds=0) as got:
        return got


def postmaster_lines(folder: Path) -> list[str]:
    """The lines of postmaster.pid (pid, folder, start, port, socket folder, host, memory, status); [] without one."""
    try:
        return (folder / DATA / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def stop_unused(folder: Path, *, seconds: float = 120.0) -> bool:
    """Stop the server unless some process holds it; True where none runs afterwards."""
    with taken(folder, TURN, seconds=seconds) as turn:
        if not turn or not is_free(folder, HOLDERS):
            return False
        return _stop(folder)


def _stop(folder: Path) -> bool:
    for wish in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate: the next start recovers
        if is_free(folder, SERVER):
            return True
        lines = postmaster_lines(folder)
        if lines:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(lines[0]), wish)
        with taken(folder, SERVER, seconds=_STOP_SECONDS) as gone:
            if gone:
                return True
    return False


def _spawn(order: Start, folder: Path) -> subprocess.Popen[bytes]:
    """Start the server; only it and its children keep server.lock open afterwards."""
    kept = [order["lock"]]
    where = str(folder / DATA)
    options: dict[str, Any] = {}
    if order["owner"] is not None:
        # The owner may be unable to walk to the folder (/root, a private temporary folder): it gets an open door.
        kept.append(os.open(where, os.O_RDONLY | os.O_DIRECTORY))
        where = f"/proc/self/fd/{kept[1]}"
        uid, gid = order["owner"]
        options = {"user": uid, "group": gid, "extra_groups": []}
    try:
        return subprocess.Popen(  # noqa: S603 - the command is the auditor's own
            [order["postgres"], "-D", where, *order["options"]],
            pass_fds=kept,
            stdin=subprocess.DEVNULL,
            stdout=2,
            cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            start_new_session=True,
            **options,
        )
    finally:
        for descriptor in kept:
            os.close(descriptor)


def _wait_ready(process: subprocess.Popen[bytes], folder: Path) -> str:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            return f"it ended with exit status {process.returncode}"
        lines = postmaster_lines(folder)
        if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == READY:
            return READY
        time.sleep(0.01)
    process.kill()
    process.wait()
    return f"it was not ready after {_START_SECONDS:.0f} s"


def _wake_on_signals() -> int:
    """Survive what asks a process to end (the server's end is this one's), and a descriptor that each signal makes readable."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reading


def main() -> None:
    """Start the server ordered in argv[1], say READY or what failed on standard output, and keep it."""
    with contextlib.suppress(PermissionError):
        os.setsid()
    woken = _wake_on_signals()
    order: Start = json.loads(sys.argv[1])
    folder = Path(order["folder"])
    try:
        process = _spawn(order, folder)
        outcome = _wait_ready(process, folder)
    except OSError as error:
        outcome = str(error)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, outcome.encode())
    os.dup2(2, 1)
    if outcome != READY:
        return
    while process.poll() is None:
        if select.select([woken], [], [], _LOOK_SECONDS)[0]:
            os.read(woken, 512)
            continue
        try:
            stop_unused(folder, seconds=0)
        except FileNotFoundError:  # somebody removed the folder: there is nothing left to save
            process.send_signal(signal.SIGQUIT)


if __name__ == "__main__":
    main()
