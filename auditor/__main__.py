"""The entry of the command line: `auditor` and `python -m auditor`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and end the process with its exit code; see `auditor.cli`."""
    from auditor.cli import run_command_line

    code = run_command_line(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read us has had enough; what is left in the buffer has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
