"""The container's health check: whether the auditor has taken a turn lately. The standard library only, so that it is quick."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

OLDEST_SECONDS = 180.0


def check(heartbeat: Path, now: float) -> tuple[bool, str]:
    """Whether the heartbeat file is fresh at `now` (seconds since 1970), and a sentence that says so."""
    try:
        age = now - heartbeat.stat().st_mtime
    except OSError as error:
        return False, f"There is no heartbeat at {heartbeat}: {error.strerror}."
    if age > OLDEST_SECONDS:
        return False, f"The last turn was {age:.0f} s ago, more than {OLDEST_SECONDS:.0f} s."
    return True, f"The last turn was {max(age, 0.0):.0f} s ago."


def main() -> int:
    """Check the file that AUDITOR_HEARTBEAT_FILE names; the exit code: 0 healthy, 1 not."""
    named = os.environ.get("AUDITOR_HEARTBEAT_FILE")
    if not named:
        print("AUDITOR_HEARTBEAT_FILE is not set, so there is nothing to check.")
        return 1
    healthy, sentence = check(Path(named), time.time())
    print(sentence)
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
