"""`auditor run`: the service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from typing import TYPE_CHECKING

import structlog

from auditor.database.backend import open_backend
from auditor.logs import configure_logging
from auditor.service.auditor import Auditor
from auditor.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.database.realtime import RealtimeHealth

_log = structlog.get_logger(__name__)


def run(once: bool = False, output_format: str = "text", settings: Settings | None = None) -> None:
    """Audit until SIGTERM or SIGINT, or with `once` all that is settled and no more.

    Raises
    ------
    BadInput
        If a setting cannot be used.
    DependencyUnreachable
        If the database cannot be reached at the start, or lacks the schema.
    """
    settings = settings or read_settings()
    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(_run(settings, once=once, output_format=output_format))


async def _run(settings: Settings, *, once: bool, output_format: str) -> None:
    async with open_backend(settings) as backend:
        auditor = Auditor(backend.store, settings, hints=backend.hints, realtime=backend.realtime)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, auditor.stop)
        if not once:
            with _metrics(auditor, backend.realtime, settings.metrics_port):
                await auditor.run()
            return
        windows = await auditor.run_once()
        if output_format == "json":
            print(json.dumps({"windows_audited": windows}))
        else:
            print(f"Audited {windows} windows.")


@contextlib.contextmanager
def _metrics(auditor: Auditor, realtime: RealtimeHealth | None, port: int | None) -> Iterator[None]:
    if port is None:
        yield
        return
    from auditor.service.vitals import serve_metrics

    served, stop = serve_metrics(auditor.vitals, realtime, port)
    _log.info("metrics_served", port=served, path="/metrics")
    try:
        yield
    finally:
        stop()
