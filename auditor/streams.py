"""The command line's standard output: readers that go away, full disks, closed descriptors, terminals of few letters."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from auditor.errors import BadInput

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ReaderGone(Exception):  # noqa: N818 - no fault of anybody's
    """Whoever read standard output has had enough."""


class _Output(io.FileIO):
    """Standard output that fails once, in a sentence; whatever is written after that has nowhere to go."""

    _lost = False

    def write(self, data: Buffer, /) -> int:
        """Write as a file does.

        Raises
        ------
        ReaderGone
            If nobody reads any more.
        BadInput
            If it cannot be written.
        """
        if self._lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self._lost = True
            raise ReaderGone from None
        except OSError as error:
            self._lost = True
            raise BadInput(
                f"Standard output cannot be written: {error.strerror or error}; free some room, or send it elsewhere."
            ) from None


def prepare() -> None:
    """Put such a standard output in place; what the terminal's encoding lacks is written as escapes.

    A stream that was closed goes nowhere, so that no file or connection takes its number and is written to.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    old: Any = sys.stdout
    if old is not None and sys.platform == "win32":  # a console there is no file
        return
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(1, "w", closefd=False)),
        encoding="utf-8" if old is None else old.encoding,
        errors="backslashreplace",
        line_buffering=old is not None and bool(old.line_buffering or old.write_through),
    )


def end_by_broken_pipe() -> NoReturn:
    """End as a program does that does not know of its reader's end: by the signal, which shells tell as 141."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    sys.exit(0)
