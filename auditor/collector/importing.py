"""Imports that a fork waits for.

The sending thread imports its client late. Were the process forked in the middle of that, the child would wait for ever for the
lock of the half-imported module, whose owner it does not have.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_WAIT: Final = 10.0
"""Seconds for which a fork waits at most."""


class _Gate:
    """Held by whoever imports or forks."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._held = False

    def before_fork(self) -> None:
        self._held = self.lock.acquire(timeout=LONGEST_WAIT)

    def after_in_parent(self) -> None:
        if self._held:
            self.lock.release()

    def after_in_child(self) -> None:
        self.lock = threading.RLock()


_GATE: Final = _Gate()


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Let no fork happen meanwhile."""
    with _GATE.lock:
        yield


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_GATE.before_fork, after_in_parent=_GATE.after_in_parent, after_in_child=_GATE.after_in_child
    )
