"""Where every recorded operation is."""

from __future__ import annotations

from typing import NamedTuple


class CollectorStats(NamedTuple):
    """Where every operation is: recorded + adopted = sent + waiting + spooled + dropped, at any moment.

    Parameters
    ----------
    recorded
        Operations that were recorded.
    adopted
        Events of processes that died, taken over from their spools.
    sent
        Events in batches that the sink has answered for good.
    rejected
        Of those sent, the events that were refused for good: named by the answer under `rejected`, or a whole batch.
    waiting
        Events in memory, those of a failed batch included: what a kill -9 would lose now.
    spooled
        Events on disk.
    dropped
        The oldest operations and events, which had to go for want of room in memory or on disk, and what was found
        damaged on disk.
    failures
        Calls of the sink that raised.
    last_error
        What the sink or the disk last raised, in words; None before any.
    """

    recorded: int
    adopted: int
    sent: int
    rejected: int
    waiting: int
    spooled: int
    dropped: int
    failures: int
    last_error: str | None
