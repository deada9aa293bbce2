"""Fetches PostgreSQL 15 and 17 for the migration tests; `make servers` runs it.

Without npm, or without a connection, it says so in one sentence and ends well, for the rest of the suite needs neither; where the
environment variable CI is set it ends badly, for there those tests have to run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.discovery import MAJORS, discover

HERE = Path(__file__).resolve().parent


def install() -> str | None:
    """Fetch what is missing; the sentence to complain with, or None."""
    missing = [major for major in MAJORS if major not in discover()]
    if not missing:
        return None
    named = " and ".join(map(str, missing))
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return f"PostgreSQL {named} is missing for the migration tests: install npm, or Debian's postgresql-{missing[0]}."
    fetched = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode:
        reason = (fetched.stderr.strip() or "npm gave no reason").splitlines()[-1]
        return f"PostgreSQL {named} could not be fetched for the migration tests: {reason}"
    for package in (HERE / "node_modules").glob("postgresql-*"):
        # the libraries' links, which a package cannot hold
        subprocess.run([node, "scripts/hydrate-symlinks.js"], cwd=package, check=True, capture_output=True)
    missing = [major for major in MAJORS if major not in discover()]
    return (
        f"PostgreSQL {' and '.join(map(str, missing))} is not to be had for this platform."
        if missing
        else None
    )


def main() -> int:
    """Install and complain; the exit code."""
    complaint = install()
    if complaint is None:
        return 0
    print(f"servers: {complaint}", file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
