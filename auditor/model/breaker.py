"""A circuit breaker: after failures in a row a server is left alone for a while that grows; time and chance are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

GROWTH: Final = 2.0
SPREAD: Final = (0.75, 1.25)
"""Each cool-down is multiplied by a number between these, so that many auditors do not come back at once."""


class BreakerState(StrEnum):
    """closed: calls pass; open: none does; half_open: one does, and decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class Breaker:
    """The breaker's memory; every `now` is in seconds of one clock that never goes back.

    Parameters
    ----------
    failures_to_open
        Failures in a row that open it.
    first_seconds, longest_seconds
        The first cool-down, and the one that it does not grow beyond.
    """

    failures_to_open: int
    first_seconds: float
    longest_seconds: float
    failures: int = 0
    openings: int = 0
    _until: float | None = None
    _probing: bool = False

    def state(self, now: float) -> BreakerState:
        """What a call at `now` would find."""
        if self._until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._until or self._probing else BreakerState.HALF_OPEN

    def wait(self, now: float) -> float | None:
        """Seconds until a call may pass; None where one may pass now."""
        if self._until is None:
            return None
        if now < self._until:
            return self._until - now
        return self.first_seconds if self._probing else None

    def enter(self) -> bool:
        """A call passes; whether it is the probe. It has to end in `succeeded`, `failed` or `released`."""
        probe = self._until is not None
        self._probing = self._probing or probe
        return probe

    def succeeded(self) -> None:
        """The server works."""
        self.failures = self.openings = 0
        self._until, self._probing = None, False

    def failed(self, now: float, chance: float, *, probe: bool, wait: float | None = None) -> None:
        """The server does not work; a probe that fails opens the breaker again at once.

        Parameters
        ----------
        now
            When the call ended.
        chance
            Uniform in 0..1.
        probe
            As `enter` said.
        wait
            Seconds that the server asks to be left alone, where it does.
        """
        self.failures += 1
        running = self._until is not None and now < self._until
        self.released(probe=probe)
        if wait:
            self._open_until(now + min(wait, self.longest_seconds))
        if probe or (self.failures >= self.failures_to_open and not running):
            low, high = SPREAD
            seconds = min(self.first_seconds * GROWTH ** min(self.openings, 32), self.longest_seconds)
            self._open_until(now + seconds * (low + (high - low) * chance))
            self.openings += 1

    def released(self, *, probe: bool) -> None:
        """The call was given up, or its outcome was its own: a probe leaves its place to the next."""
        if probe:
            self._probing = False

    def _open_until(self, until: float) -> None:
        self._until = until if self._until is None else max(self._until, until)
