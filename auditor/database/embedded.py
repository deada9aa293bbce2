"""An embedded PostgreSQL: one server for a folder, shared by every process that uses it, gone with the last.

The folder holds `data` (the cluster), `server.log` and the lock files that `keeper` describes. The server listens on a Unix
socket only: in `data`, or, where that path is too long for a socket or root starts the server, in
`<temporary folder>/cache-auditor-<uid>/<hash of data>`. Only the folder's owner and root can connect.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from auditor.database import cluster, keeper
from auditor.database.binaries import owner_for, programs_for
from auditor.errors import BadInput, DependencyUnreachable

if TYPE_CHECKING:
    from types import TracebackType

_LONGEST_SOCKET: Final = 100
_LONGEST_LOG: Final = 16 * 1024 * 1024
_TURN_SECONDS: Final = 300.0
_JOIN_SECONDS: Final = 60.0
_REAP_SECONDS: Final = 5.0
_WHO: Final = b"user\0postgres\0database\0postgres\0\0"
_STARTUP: Final = struct.pack("!ii", 8 + len(_WHO), 196608) + _WHO
"""The first message of the protocol, version 3.0; a server that is ready answers it with an R."""

_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "cluster_name": "cache-auditor",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}
_FORGETFUL: Final = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedServer:
    """A hold on the embedded server of a folder; a context manager that starts or joins it, and lets go of it.

    The process that finds no server starts it; the last to let go stops it, also where that one was killed. Safe to
    use from several processes, and several times within one.

    Parameters
    ----------
    folder
        Where the data lives; made if missing; `~` is expanded.
    durable
        False gives up safety against a power cut (never against a crash of the server) for speed. The process
        that starts the server decides.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = _absolute(folder)
        self.durable = durable
        self._hold: int | None = None
        self._socket_folder = ""
        self._keeper: int | None = None

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.folder / keeper.DATA

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / keeper.LOG

    @property
    def dsn(self) -> str:
        """The connection string of the running server's database `postgres`."""
        if self._hold is None:
            raise DependencyUnreachable(f"The embedded server in {self.folder} has not been started.")
        return f"postgresql://postgres@/postgres?host={quote(self._socket_folder, safe='')}"

    def start(self) -> str:
        """Start the server or join the running one; the connection string.

        Raises
        ------
        BadInput
            If the folder cannot be used: not writable, of another major version, of another user.
        DependencyUnreachable
            If the platform has no server, or it does not start; the message holds the last line of its log.
        """
        if self._hold is not None:
            return self.dsn
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with keeper.taken(self.folder, keeper.TURN, seconds=_TURN_SECONDS) as turn:
                if not turn:
                    raise DependencyUnreachable(
                        f"Another process has been starting {self.folder} for minutes."
                    )
                self._start_or_join()
        except OSError as error:
            raise BadInput(
                f"The embedded server's folder {self.folder} cannot be used ({error.strerror or error}): "
                "name another with AUDITOR_EMBEDDED_DIR."
            ) from None
        return self.dsn

    def stop(self) -> None:
        """Let go of the server; the last process to do so waits until it has stopped. Safe to call twice."""
        if self._hold is None:
            return
        os.close(self._hold)
        self._hold = None
        try:
            stopped = keeper.stop_unused(self.folder)
        except FileNotFoundError:  # the folder was removed: the keeper sees it within a second
            stopped = True
        if stopped and self._keeper is not None:
            self._reap(self._keeper)
            self._keeper = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def _reap(child: int) -> None:
        """Take the ended keeper's exit status, so that it leaves no zombie; it ends right after its server."""
        until = time.monotonic() + _REAP_SECONDS
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < until:
                time.sleep(0.005)

    def _start_or_join(self) -> None:
        hold = keeper.open_lock(self.folder, keeper.HOLDERS)
        try:
            fcntl.flock(hold, fcntl.LOCK_SH)
            server_lock = keeper.open_lock(self.folder, keeper.SERVER)
            try:
                if not self._is_served(server_lock):
                    self._start(server_lock)
            finally:
                os.close(server_lock)
        except BaseException:  # interrupted too: the folder must not stay held
            os.close(hold)
            raise
        self._hold = hold
        self._socket_folder = keeper.postmaster_lines(self.folder)[4].strip()

    def _is_served(self, server_lock: int) -> bool:
        """True once a running server answers; False once the lock that none can run without is taken here."""
        until = time.monotonic() + _JOIN_SECONDS
        while not keeper.try_lock(server_lock):
            lines = keeper.postmaster_lines(self.folder)
            if len(lines) >= 5 and _answers(Path(lines[4].strip(), f".s.PGSQL.{lines[3].strip()}")):
                return True
            if time.monotonic() > until:
                raise DependencyUnreachable(
                    f"The embedded server in {self.folder} runs but does not answer: see {self.log}."
                )
            time.sleep(0.02)
        return False

    def _start(self, server_lock: int) -> None:
        owner = owner_for(self.data)
        programs = programs_for(owner)
        if not self.data.is_dir():
            cluster.make(self.data, programs, owner, durable=self.durable)
        cluster.check_version(self.data)
        sockets = cluster.socket_folder(self.data, owner)
        cluster.clear_stale(self.data, sockets)
        if self.log.exists() and self.log.stat().st_size > _LONGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.old"))
        settings = _SETTINGS | ({} if self.durable else _FORGETFUL)
        settings["unix_socket_directories"] = str(sockets)
        order = keeper.Start(
            folder=str(self.folder),
            lock=-1,
            postgres=str(programs / "postgres"),
            options=[word for name, value in settings.items() for word in ("-c", f"{name}={value}")],
            owner=owner,
        )
        child, outcome = self._spawn_keeper(order, server_lock)
        self._keeper = child
        if outcome != keeper.READY:
            self._reap(child)
            raise DependencyUnreachable(
                f"The embedded server in {self.folder} did not start ({outcome or 'no answer'}): {self._last_words()}"
            )

    def _spawn_keeper(self, order: keeper.Start, server_lock: int) -> tuple[int, str]:
        """Start the keeper and hear from it; it inherits the lock, so that a start is never seen half done."""
        reading, writing = os.pipe()
        inherited = os.dup(server_lock)  # closed by exec, but for the copy that the child makes in its place
        order["lock"] = inherited
        log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with os.fdopen(reading, encoding="utf-8", errors="replace") as answer:
            try:
                child = os.posix_spawn(
                    sys.executable,
                    [sys.executable, "-I", "-S", keeper.__file__, json.dumps(order)],
                    {"PATH": os.defpath, "LC_ALL": "C", **_kept_environment()},
                    file_actions=[
                        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                        (os.POSIX_SPAWN_DUP2, writing, 1),
                        (os.POSIX_SPAWN_OPEN, 2, str(self.log), log_flags, 0o600),
                        (os.POSIX_SPAWN_DUP2, server_lock, inherited),
                    ],
                )
            finally:
                os.close(writing)
                os.close(inherited)
            return child, answer.read().strip()

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        said = [line.partition("FATAL:")[2] for line in lines if "FATAL:" in line]
        return said[-1].strip() if said else f"see {self.log}"


def _absolute(folder: Path) -> Path:
    try:
        return folder.expanduser().absolute().resolve()
    except (OSError, RuntimeError) as error:
        raise BadInput(f"The embedded server's folder {folder} cannot be used: {error}.") from None


def _kept_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}


def _answers(path: Path) -> bool:
    """Whether a server there lets clients in; one that is dying or still recovering does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
            client.sendall(_STARTUP)
            return client.recv(1) == b"R"
        except OSError:
            return False
