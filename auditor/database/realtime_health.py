"""How Realtime is to be listened to, and how it is doing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RealtimeOptions:
    """What to subscribe to and how to prove that it lives.

    Parameters
    ----------
    channel, event, private
        The aggregator's broadcasts.
    changes
        Whether to subscribe to the changes of `monitoring.cache_metrics_1min` too.
    canary_seconds
        Time between two broadcasts of its own; a session that has not heard one for three times that is given up.
    join_seconds
        The longest that a subscription may take to come alive.
    longest_wait_seconds
        The longest wait before a new session; the number of tries has no bound.
    changes_patience_seconds
        How long the table's changes may take to come alive before they are subscribed to anew; the broadcasts serve meanwhile.
    """

    channel: str = "cache-metrics"
    event: str = "cache-update"
    private: bool = False
    changes: bool = True
    canary_seconds: float = 15.0
    join_seconds: float = 15.0
    longest_wait_seconds: float = 30.0
    changes_patience_seconds: float = 50.0


@dataclass(slots=True)
class RealtimeHealth:
    """How Realtime is doing; times are seconds since 1970, None before the first.

    Parameters
    ----------
    live
        Whether a session is joined and its canary heard.
    changes_asked, changes_live
        Whether the changes of the table are wanted, and whether they are subscribed to.
    last_hint_at, last_canary_at
        When a hint and when an own broadcast came in last.
    hints, rebuilds
        How many hints came in, and how many sessions were given up.
    last_trouble
        Why the last of them was, in words.
    """

    live: bool = False
    changes_asked: bool = False
    changes_live: bool = False
    last_hint_at: float | None = None
    last_canary_at: float | None = None
    hints: int = 0
    rebuilds: int = 0
    last_trouble: str | None = None
