"""The process's own collector, and the functions by which caches report to it.

They may be called from any thread, with or without an event loop, before and after a fork, before `start_collector` too: the
first operation starts the collector as the environment says. None of them waits for anything or raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auditor.collector.sender import EXIT_SECONDS, Sender

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditor.collector.events import Event

_SENDER: Final = Sender()


def get_collector() -> Sender:
    """The process's collector; `get_collector().get_stats()` says where every operation is."""
    return _SENDER


async def start_collector(
    sink: Callable[[list[Event]], object] | None = None,
    *,
    batch_size: int | None = None,
    flush_interval: float | None = None,
    spool_dir: Path | None = None,
) -> Sender:
    """Start the process's collector; without an event loop, `get_collector().start()` does the same.

    Parameters
    ----------
    sink
        Where batches go; by default what the environment configures. Without any, the collector stays off and says so in
        the log, once.
    batch_size, flush_interval, spool_dir
        By default CACHE_METRICS_BATCH_SIZE, CACHE_METRICS_FLUSH_INTERVAL and CACHE_METRICS_SPOOL_DIR.
    """
    _SENDER.start(sink, batch_size=batch_size, flush_interval=flush_interval, spool_dir=spool_dir)
    return _SENDER


async def stop_collector(timeout: float = EXIT_SECONDS) -> None:  # noqa: ASYNC109 - the loop's own would lose the rest
    """Send what there is for at most so many seconds and write the rest to disk; the event loop goes on meanwhile.

    Without an event loop, `get_collector().stop()` does the same.
    """
    import asyncio

    await asyncio.to_thread(_SENDER.stop, timeout)


def record_cache_hit(
    cache_key: str, implementation_type: str, response_time_ms: float | None, cache_size: int | None = None
) -> None:
    """A lookup that found its key."""
    _SENDER.record("hit", cache_key, implementation_type, response_time_ms, cache_size)


def record_cache_miss(
    cache_key: str, implementation_type: str, response_time_ms: float | None, cache_size: int | None = None
) -> None:
    """A lookup that did not; its response time includes what had to be done instead."""
    _SENDER.record("miss", cache_key, implementation_type, response_time_ms, cache_size)


def record_cache_set(
    cache_key: str, implementation_type: str, response_time_ms: float | None, cache_size: int | None = None
) -> None:
    """A value put into the cache."""
    _SENDER.record("set", cache_key, implementation_type, response_time_ms, cache_size)


def record_cache_evict(
    cache_key: str, implementation_type: str, response_time_ms: float | None, cache_size: int | None = None
) -> None:
    """A value that the cache gave up for want of room."""
    _SENDER.record("evict", cache_key, implementation_type, response_time_ms, cache_size)


def record_cache_error(cache_key: str, implementation_type: str, error_type: str, error_message: str) -> None:
    """An operation that failed."""
    _SENDER.record("error", cache_key, implementation_type, None, None, error_type, error_message)
