"""Fetches PostgreSQL 15 and 17, the Supabase CLI and supabase-js for the tests; `make servers` runs it.

Without npm, or without a connection, it says so in one sentence and ends well, for the rest of the suite needs none of them; where
the environment variable CI is set it ends badly, for there those tests have to run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.discovery import DENO, MAJORS, SUPABASE_JS, discover, supabase_cli

HERE = Path(__file__).resolve().parent


def install() -> str | None:
    """Fetch what is missing; the sentence to complain with, or None."""
    lacking = _missing_packages()
    complaint = _fetch(lacking) if lacking else None
    if complaint is None and not DENO.exists():
        return "The tests lack Deno: pip install deno, where its wheel fits this platform (the extra test names it)."
    return complaint


def missing() -> list[str]:
    """What some tests need and this machine lacks, by name."""
    return _missing_packages() + ([] if DENO.exists() else ["Deno"])


def _missing_packages() -> list[str]:
    found = discover()
    lacking = [f"PostgreSQL {major}" for major in MAJORS if major not in found]
    if supabase_cli() is None:
        lacking.append("the Supabase CLI")
    if not SUPABASE_JS.is_dir():
        lacking.append("supabase-js")
    return lacking


def _fetch(lacking: list[str]) -> str | None:
    """Fetch what npm has; the complaint where something is lacking still."""
    named = " and ".join(lacking)
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return f"The tests lack {named}: install npm (and for PostgreSQL alone Debian's postgresql-15)."
    fetched = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode:
        reason = (fetched.stderr.strip() or "npm gave no reason").splitlines()[-1]
        return f"{named} could not be fetched for the tests: {reason}"
    for package in (HERE / "node_modules").glob("postgresql-*"):
        # the libraries' links, which a package cannot hold
        subprocess.run([node, "scripts/hydrate-symlinks.js"], cwd=package, check=True, capture_output=True)
    lacking = _missing_packages()
    return f"{' and '.join(lacking)} is not to be had for this platform." if lacking else None


def main() -> int:
    """Install and complain; the exit code."""
    complaint = install()
    if complaint is None:
        return 0
    print(f"servers: {complaint}", file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
