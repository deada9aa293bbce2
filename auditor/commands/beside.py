"""Work beside this process: a forked copy of it does a part on another processor while it goes on itself."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WORTH_IT: Final = 200_000
"""Rows from which half of the work on them takes longer than a copy of the process."""


def beside(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Begin `work` in a forked copy of this process; what is returned waits for the result, and is called once.

    Where there is no second processor, no fork that can be relied on, or the copy ends without a result (killed, out of memory, an exception
    in the work), the work is done here when the result is asked for. It must neither change anything nor need a thread of this process.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return work
    receiver, sender = os.pipe()
    try:
        with warnings.catch_warnings():
            # of other threads there are numpy's idle ones alone, and it looks after them
            warnings.simplefilter("ignore", DeprecationWarning)
            copy = os.fork()
    except OSError:
        os.close(receiver)
        os.close(sender)
        return work
    if not copy:
        # else it would wait for itself to read, where this process has gone
        os.close(receiver)
        _work_and_end(work, sender)
    os.close(sender)
    return _Result(work, copy, os.fdopen(receiver, "rb")).get


def _work_and_end(work: Callable[[], bytes], sender: int) -> None:
    ended_well = False
    try:
        with os.fdopen(sender, "wb") as pipe:
            pipe.write(work())
        ended_well = True
    finally:
        # what this process has open is not the copy's to flush or to close
        os._exit(0 if ended_well else 1)


class _Result:
    def __init__(self, work: Callable[[], bytes], copy: int, pipe: BinaryIO) -> None:
        self.work = work
        self.copy = copy
        self.pipe = pipe

    def get(self) -> bytes:
        with self.pipe:
            sent = self.pipe.read()
        _, status = os.waitpid(self.copy, 0)
        return sent if os.waitstatus_to_exitcode(status) == 0 else self.work()
