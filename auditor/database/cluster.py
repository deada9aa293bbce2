"""The data folder of an embedded server: made whole or not at all, checked, and given a place for its socket."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from auditor.database.binaries import MAJOR
from auditor.errors import BadInput, DependencyUnreachable

if TYPE_CHECKING:
    from auditor.database.binaries import Owner

_LONGEST_SOCKET: Final = 100
"""Bytes of a socket's path: the limit is 107 on Linux and 103 on macOS."""
_SOCKET: Final = ".s.PGSQL.5432"


def make(data: Path, programs: Path, owner: Owner | None, *, durable: bool) -> None:
    """Make a new cluster beside its place and move it there when whole, so that a killed start leaves no half.

    Raises
    ------
    DependencyUnreachable
        If `initdb` fails; the message holds its reason.
    """
    for left in data.parent.glob(f"{data.name}.new*"):  # a killed start's initdb may still write to one
        shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{data.name}.new.", dir=data.parent))
    door = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    try:
        done = _initdb(draft, door, programs, owner, durable=durable)
    finally:
        os.close(door)
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        reason = next((line for line in done.stderr.splitlines() if "error:" in line), done.stderr.strip())
        raise DependencyUnreachable(
            f"The embedded server's data could not be made in {data.parent}: {reason.strip()}"
        )
    draft.rename(data)


def _initdb(
    draft: Path, door: int, programs: Path, owner: Owner | None, *, durable: bool
) -> subprocess.CompletedProcess[str]:
    """Run initdb; an owner who may be unable to walk to the draft is given an open door to it."""
    where = str(draft)
    as_owner: dict[str, Any] = {}
    if owner is not None:
        os.chown(draft, *owner)
        where = f"/proc/self/fd/{door}"
        as_owner = {"user": owner[0], "group": owner[1], "extra_groups": []}
    return subprocess.run(  # noqa: S603 - the command is the auditor's own
        [
            *(str(programs / "initdb"), "-D", where, "-U", "postgres", "--auth=trust", "--no-instructions"),
            *("--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *([] if durable else ["--no-sync"]),
        ],
        env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd="/",
        pass_fds=(door,),
        **as_owner,
    )


def check_version(data: Path) -> None:
    """Refuse data that this server cannot open.

    Raises
    ------
    BadInput
        If it is no cluster, or one of another major version.
    """
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise BadInput(
            f"The folder {data} is not a PostgreSQL cluster: remove it, or name another folder with "
            "AUDITOR_EMBEDDED_DIR."
        ) from None
    if version != str(MAJOR):
        raise BadInput(
            f"The folder {data.parent} holds data of PostgreSQL {version} and this auditor brings {MAJOR}: "
            "name another folder with AUDITOR_EMBEDDED_DIR, or move the data over with pg_dump."
        )


def clear_stale(data: Path, sockets: Path) -> None:
    """Remove the pid files and the socket of a server that is gone; its number may belong to any process by now.

    To be called only while `server.lock` is free, so no server that a keeper started is alive.

    Raises
    ------
    DependencyUnreachable
        If the number belongs to a PostgreSQL server, started by something else on the same data.
    """
    path = data / "postmaster.pid"
    first = path.read_text().partition("\n")[0].strip() if path.exists() else ""
    if first.isdecimal() and _is_postgres(int(first)):
        raise DependencyUnreachable(
            f"Another PostgreSQL server (process {first}) may be using {data}: stop it first."
        )
    for stale in (path, sockets / _SOCKET, sockets / f"{_SOCKET}.lock"):
        stale.unlink(missing_ok=True)


def _is_postgres(pid: int) -> bool:
    """Whether a process of that number lives (a zombie does not) and is a PostgreSQL server."""
    if Path("/proc/self/stat").exists():
        try:
            _, name, state = re.split(r" \((.*)\) ", Path(f"/proc/{pid}/stat").read_text(), maxsplit=1)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return name == "postgres" and not state.startswith("Z")
    asked = subprocess.run(  # noqa: S603 - the argument is a number
        ["/bin/ps", "-p", str(pid), "-o", "stat=,comm="], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip().endswith("postgres") and not asked.stdout.startswith("Z")


def socket_folder(data: Path, owner: Owner | None) -> Path:
    """A folder for the socket that the owner can write and nobody else can enter, short enough for a socket's path.

    Raises
    ------
    BadInput
        If there is none, or somebody else has put something in its place.
    """
    if owner is None and len(os.fsencode(data / _SOCKET)) <= _LONGEST_SOCKET:
        return data
    held = data.stat()
    name = hashlib.sha256(f"{data}:{held.st_dev}:{held.st_ino}".encode()).hexdigest()[:12]
    temporary = tempfile.gettempdir()
    if len(os.fsencode(temporary)) > _LONGEST_SOCKET // 2:
        temporary = "/tmp"  # noqa: S108 - the folder's owner is checked below
    parent = Path(temporary, f"cache-auditor-{os.geteuid()}")
    _own_folder(parent, 0o711)
    _own_folder(parent / name, 0o700, owner)
    return parent / name


def _own_folder(folder: Path, mode: int, owner: Owner | None = None) -> None:
    """Make a folder, or take an existing one only if it is no link and nobody else could have prepared it."""
    folder.mkdir(mode=mode, exist_ok=True)
    held = folder.lstat()
    if not stat.S_ISDIR(held.st_mode) or held.st_uid not in {os.geteuid(), *(owner or ())[:1]}:
        raise BadInput(
            f"The folder {folder} belongs to somebody else: remove it, or set TMPDIR to a folder of your own."
        )
    folder.chmod(mode)
    if owner is not None:
        os.chown(folder, *owner)
