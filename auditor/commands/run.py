"""`auditor run`: the service."""

from __future__ import annotations

import asyncio
import functools
import json
import signal

import structlog

from auditor.database.connect import resolve_database
from auditor.database.listen import hints
from auditor.database.postgres import PostgresStore
from auditor.logs import configure_logging
from auditor.service.auditor import Auditor
from auditor.settings import Settings, read_settings

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
    async with resolve_database(settings) as dsn:
        store = PostgresStore(dsn, worker=settings.worker)
        auditor = Auditor(store, settings, hints=functools.partial(hints, dsn))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, auditor.stop)
        if not once:
            await auditor.run()
            return
        windows = await auditor.run_once()
        if output_format == "json":
            print(json.dumps({"windows_audited": windows}))
        else:
            print(f"Audited {windows} windows.")
