"""`python -m auditor` without the wait for its libraries: processes forked from one that has imported them.

Each is a process of its own, with its own environment, signals and end, and nothing of the auditor is imported before it begins.
That it begins by itself, and with how little, is held by the tests of the command line that start an interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LIBRARIES: Final = (
    "asyncio", "bottleneck", "jinja2", "numpy", "openai", "prometheus_client", "psycopg", "pydantic_settings", "realtime", "rich.console",
    "scipy.signal", "scipy.special", "stamina", "structlog", "supabase", "typer",
)  # fmt: skip
_ROOT: Final = Path(__file__).resolve().parent.parent
_LENGTH: Final = 8


def auditor(
    *arguments: object, env: Mapping[str, str], timeout: float = 200.0
) -> subprocess.CompletedProcess[str]:
    """Run a command of the auditor to its end, as `subprocess.run` with captured text would.

    Raises
    ------
    TimeoutError
        If it has not ended in time; it is killed then.
    """
    words = [str(argument) for argument in arguments]
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.connect(_server())
        connection.settimeout(timeout)
        asked = json.dumps({"arguments": words, "environment": dict(env), "folder": str(Path.cwd())}).encode()
        socket.send_fds(connection, [len(asked).to_bytes(_LENGTH, "big")], [out.fileno(), err.fileno()])
        connection.sendall(asked)
        with connection.makefile("r") as told:
            pid = int(told.readline())
            try:
                code = int(told.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read().decode(), err.read().decode())


@cache
def _server() -> str:
    """The socket of the process that forks, which is started at the first call and ends with this one."""
    folder = tempfile.mkdtemp(prefix="warm-")
    path = f"{folder}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.warm_start", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        env={"PATH": os.defpath, "HOME": "/dev/null", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    atexit.register(process.communicate)
    return path


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a forked process is to be."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    out: int
    err: int

    @classmethod
    def of(cls, connection: socket.socket) -> _Asked:
        """What the other side of a connection asks for."""
        length, fds, _, _ = socket.recv_fds(connection, _LENGTH, 2)
        with connection.makefile("rb") as stream:
            told: dict[str, Any] = json.loads(stream.read(int.from_bytes(length, "big")))
        return cls(**told, out=fds[0], err=fds[1])

    def become(self) -> None:
        """Go on as `python -m auditor`: never returns."""
        null = os.open(os.devnull, os.O_RDONLY)
        for number, own in enumerate((null, self.out, self.err)):
            os.dup2(own, number)
            os.close(own)
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(
            2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
        )
        sys.argv = ["auditor", *self.arguments]
        code: object = 0
        try:
            runpy.run_module("auditor", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            code = ended.code
        # an interpreter's end, but for the taking apart of each library
        threading._shutdown()  # type: ignore[attr-defined]  # what multiprocessing ends its forks with
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def _forked(path: str) -> _Asked | None:
    """Fork whatever is asked for; in the process that was forked what it is to be, and None at the end of whoever asks."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen()
        woken, waker = (opened.enter_context(end) for end in socket.socketpair())
        waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno())
        selector = opened.enter_context(selectors.DefaultSelector())
        for source in (listener, woken, sys.stdin):
            selector.register(source, selectors.EVENT_READ)
        children: dict[int, socket.socket] = {}
        print("ready", flush=True)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                woken.recv(4096)
                _reap(children)
            if sys.stdin in ready:
                for pid in children:
                    os.kill(pid, signal.SIGTERM)
                Path(path).unlink()
                Path(path).parent.rmdir()
                return None
            if listener in ready:
                connection, _ = listener.accept()
                asked = _Asked.of(connection)
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for one in (connection, *children.values()):
                        one.close()
                    return asked
                os.close(asked.out)
                os.close(asked.err)
                connection.sendall(f"{pid}\n".encode())
                children[pid] = connection


def _reap(children: dict[int, socket.socket]) -> None:
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with children.pop(pid) as connection, contextlib.suppress(BrokenPipeError):
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def main() -> None:
    """Import the libraries, and fork until whoever asks is gone."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()
    asked = _forked(sys.argv[1])
    if asked is not None:
        asked.become()


if __name__ == "__main__":
    main()
