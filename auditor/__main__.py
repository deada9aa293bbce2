"""The entry of the command line: `auditor` and `python -m auditor`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code; see `auditor.cli`."""
    from auditor import streams

    streams.prepare()
    try:
        from auditor.cli import run_command_line

        code = run_command_line(sys.argv[1:])
    except streams.ReaderGone:
        streams.end_by_broken_pipe()
    sys.exit(code)


if __name__ == "__main__":
    main()
