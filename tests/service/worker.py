"""An auditor in a process of its own, for tests that stop, freeze and kill it.

The parent imports everything once and forks, so that fifty deaths cost fifty forks and not fifty starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from auditor.database.listen import hints
from auditor.database.postgres import PostgresStore
from auditor.logs import configure_logging
from auditor.service.auditor import Auditor
from auditor.service.turn import Turns
from auditor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Worker:
    """A forked auditor; its logs go to a file."""

    def __init__(
        self, dsn: str, log: Path, *, once: bool = False, windows_per_cache: int = 1440, **settings: Any
    ) -> None:
        given: dict[str, Any] = {"settle_seconds": 0, "worker": "w", "lease_seconds": 2, "poll_seconds": 0.2}
        chosen = Settings(**(given | settings))
        self.pid = os.fork()
        if self.pid == 0:
            _live(dsn, log, chosen, once=once, windows_per_cache=windows_per_cache)
        self.log = log

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal that ends it; the code it ended with (negative for a signal)."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        return self.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal that it outlives."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; the code it ended with."""
        if self.pid == 0:
            return 0
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


def _live(dsn: str, log: Path, settings: Settings, *, once: bool, windows_per_cache: int) -> None:
    """The child: never returns."""
    code = 1
    try:
        with log.open("a") as lines:
            os.dup2(lines.fileno(), 1)
            os.dup2(lines.fileno(), 2)
        sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        configure_logging("DEBUG", "json")
        asyncio.run(_audit(dsn, settings, once=once, windows_per_cache=windows_per_cache))
        code = 0
    finally:
        os._exit(code)


async def _audit(dsn: str, settings: Settings, *, once: bool, windows_per_cache: int) -> None:
    store = PostgresStore(dsn, worker=settings.worker)
    turns = Turns(store, settings.policy, windows_per_cache=windows_per_cache)
    auditor = Auditor(store, settings, hints=functools.partial(hints, dsn), turns=turns)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, auditor.stop)
    if once:
        await auditor.run_once()
    else:
        await auditor.run()


@contextlib.contextmanager
def working(*arguments: Any, **options: Any) -> Iterator[Worker]:
    """A worker for as long as the context lasts."""
    worker = Worker(*arguments, **options)
    try:
        yield worker
    finally:
        if worker.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGCONT)
            worker.kill()


def eventually(holds: Any, *, seconds: float = 30.0) -> None:
    """Wait until something holds; fail loudly where it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("it did not come about in time")
        time.sleep(0.02)
