"""`auditor doctor`: prove each link of the chain, with a mend for each failure."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
from typing import TYPE_CHECKING

from auditor.commands.printing import printable
from auditor.database import failures, listen, rest_failures
from auditor.database.backend import realtime_options
from auditor.database.calls import PostgresCalls
from auditor.database.resolve import resolve_database
from auditor.errors import AnswerIsNo, AuditorError
from auditor.logs import configure_logging
from auditor.model.options import model_options
from auditor.service.doctor.checks import Check, Status, passed
from auditor.service.doctor.examination import Patient, examine, unreachable
from auditor.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_WIDTH = 12


def doctor(*, canary: bool = True, seconds: float = 20.0, output_format: str = "text") -> None:
    """Examine what the settings name and print one line for each link.

    Raises
    ------
    AnswerIsNo
        If a link is broken.
    """
    configure_logging("CRITICAL")  # the lines tell it all
    found = asyncio.run(_examined(canary=canary, seconds=seconds))
    broken = [check.name for check in found if check.status is Status.FAIL]
    if output_format == "json":
        print(json.dumps({"healthy": not broken, "checks": [dataclasses.asdict(check) for check in found]}))
    else:
        for check in found:
            _show(check)
    if broken:
        is_or_are = "is" if len(broken) == 1 else "are"
        raise AnswerIsNo(f"{len(broken)} of {len(found)} links {is_or_are} broken: {', '.join(broken)}.")


def _show(check: Check) -> None:
    print(f"{check.status.value:<5} {check.name:<{_WIDTH}} {printable(check.said)}")
    if check.mend:
        print(f"{'':<5} {'':<{_WIDTH}} mend: {printable(check.mend)}")


async def _examined(*, canary: bool, seconds: float) -> list[Check]:
    try:
        settings = read_settings()
        async with _patient(settings) as patient:
            found = await examine(patient, settle_seconds=settings.settle, canary=canary, seconds=seconds)
    except AuditorError as error:
        return unreachable(error)
    return [passed("settings", "every setting is known and in range"), *found]


@contextlib.asynccontextmanager
async def _patient(settings: Settings) -> AsyncIterator[Patient]:
    if settings.supabase_url is None or settings.supabase_key is None:
        async with resolve_database(settings, migrate=False, check=False) as dsn:
            calls = PostgresCalls(dsn)
            where = failures.place(dsn)
            if settings.database_url is None:
                where = f"the embedded server in {settings.embedded_dir}, for no database is named"
            heard = functools.partial(listen.hints, dsn)
            yield Patient(where, calls, None, heard, None, model_options(settings))
        return
    from auditor.database.realtime import RealtimeHints
    from auditor.database.rest import SupabaseCalls

    project = SupabaseCalls(settings.supabase_url, settings.supabase_key)
    source = RealtimeHints(settings.supabase_url, settings.supabase_key, realtime_options(settings))
    try:
        yield Patient(
            rest_failures.place(settings.supabase_url),
            project,
            project.url,
            source.hints if settings.realtime else None,
            source.health if settings.realtime else None,
            model_options(settings),
        )
    finally:
        await project.close()
