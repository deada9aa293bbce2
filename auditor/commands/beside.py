"""Work beside this process: a forked copy of it does a part on another processor while it goes on itself."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Final

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
    try:
        result = os.memfd_create("beside")
    except OSError:
        return work
    try:
        with warnings.catch_warnings():
            # of other threads there are numpy's idle ones alone, and it looks after them
            warnings.simplefilter("ignore", DeprecationWarning)
            copy = os.fork()
    except OSError:
        os.close(result)
        return work
    if not copy:
        _work_and_end(work, result)
    return _Result(work, copy, result).get


def _work_and_end(work: Callable[[], bytes], result: int) -> None:
    ended_well = False
    try:
        with os.fdopen(result, "wb") as file:
            file.write(work())
        ended_well = True
    finally:
        # what this process has open is not the copy's to flush or to close
        os._exit(0 if ended_well else 1)


class _Result:
    def __init__(self, work: Callable[[], bytes], copy: int, result: int) -> None:
        self.work = work
        self.copy = copy
        self.result = result

    def get(self) -> bytes:
        _, status = os.waitpid(self.copy, 0)
        with os.fdopen(self.result, "rb") as file:
            file.seek(0)
            return file.read() if os.waitstatus_to_exitcode(status) == 0 else self.work()
