"""What goes wrong with Realtime, one entry for each row of its failure table and for each way in which a server says no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.supabase.standing import Supabase

REASONS: Final = (
    "ChannelRateLimitReached: Too many channels",
    "ClientJoinRateLimitReached: Too many joins per second",
    "ConnectionRateLimitReached: Too many connected users",
    "PrivateOnly: This project only allows private channels",
    "Unauthorized: You do not have permissions to read from this Channel topic",
    "InvalidJWTToken: Token has expired 20 seconds ago",
    "RealtimeRestarting: Realtime is restarting, please standby",
    "InitializingProjectConnection: Connecting to the project database",
)


def refused(project: Supabase) -> None:
    """New sockets are refused with 503."""
    project.realtime.faults.refuse = True
    project.do(project.realtime.drop())


def unheard(project: Supabase) -> None:
    """Nothing is answered or delivered; sockets stay open and answer pings."""
    project.realtime.faults.silent = True


def expelled(project: Supabase) -> None:
    """A system error and phx_close on every channel, as when a token expires."""
    project.do(project.realtime.expel())


def slow_to_join(project: Supabase) -> None:
    """Joins are answered later than the client waits."""
    project.realtime.faults.join_delay = 2.6
    project.do(project.realtime.drop())


def flooded(project: Supabase) -> None:
    """A frame of more than 1 MiB, for which the client closes the socket with 1009."""
    project.do(project.realtime.flood("cache-metrics"))


def restarted(project: Supabase) -> None:
    """The socket is closed with 1012."""
    project.do(project.realtime.drop(1012))


def gone_away(project: Supabase) -> None:
    """The socket is closed with 1001, which the client takes for a good end."""
    project.do(project.realtime.drop(1001))


def idle_closed(project: Supabase) -> None:
    """The socket is closed with 1000, as one that is idle."""
    project.do(project.realtime.drop(1000))


def stopped(project: Supabase) -> None:
    """Nothing listens."""
    project.stop()


def joins_refused_with(reason: str) -> Callable[[Supabase], None]:
    """Joins are refused with a reason."""

    def limited(project: Supabase) -> None:
        project.realtime.faults.join_error = reason
        project.do(project.realtime.drop())

    limited.__name__ = reason.partition(":")[0]
    return limited


FAULTS: Final = (
    refused, unheard, expelled, slow_to_join, flooded, restarted, gone_away, idle_closed, stopped,
    *(joins_refused_with(reason) for reason in REASONS),
)  # fmt: skip


def end(project: Supabase, fault: Callable[[Supabase], None]) -> None:
    """Every fault ends."""
    project.realtime.faults.__init__()  # type: ignore[misc]  # as it was made
    if fault is stopped:
        project.start()
