"""`auditor run`: the service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from typing import TYPE_CHECKING

import structlog

from auditor.commands.explainer import check_prompts, open_explainer
from auditor.commands.printing import counted
from auditor.database.backend import open_backend
from auditor.logs import configure_logging
from auditor.service.auditor import Auditor
from auditor.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.commands.explainer import Explaining
    from auditor.database.realtime_health import RealtimeHealth

_log = structlog.get_logger(__name__)


def run(once: bool = False, output_format: str = "text", settings: Settings | None = None) -> None:
    """Audit until SIGTERM or SIGINT, or with `once` all that is settled and no more.

    Raises
    ------
    BadInput
        If a setting or a prompt cannot be used.
    DependencyUnreachable
        If the database cannot be reached at the start, or lacks the schema.
    """
    settings = settings or read_settings()
    configure_logging(settings.log_level, settings.log_format)
    check_prompts(settings)
    asyncio.run(_run(settings, once=once, output_format=output_format))


async def _run(settings: Settings, *, once: bool, output_format: str) -> None:
    async with (
        open_backend(settings) as backend,
        open_explainer(settings, backend.calls) as explaining,
    ):
        auditor = Auditor(
            backend.store,
            settings,
            hints=backend.hints,
            realtime=backend.realtime,
            on_turn=explaining.explainer.note_turn if explaining else lambda _: None,
            beside={"explanations": explaining.explainer.run} if explaining else {},
            place=backend.place,
        )
        if explaining:
            auditor.vitals.explaining = explaining.vitals
        if once:
            await _run_once(auditor, explaining, output_format)
            return
        _on_signals(auditor.stop)
        with _metrics(auditor, backend.realtime, settings.metrics_port, explaining):
            await auditor.run()


async def _run_once(auditor: Auditor, explaining: Explaining | None, output_format: str) -> None:
    _on_signals(auditor.stop)
    done = {"windows_audited": await auditor.run_once()}
    if explaining and not auditor.is_stopping:
        work = asyncio.ensure_future(explaining.explainer.run_once())
        _on_signals(work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            done["incidents_taken_up"] = await work
    if output_format == "json":
        print(json.dumps(done))
        return
    taken = done.get("incidents_taken_up", 0)
    told = f" and took up {counted(taken, 'incident')} to explain" if taken else ""
    print(f"Audited {counted(done['windows_audited'], 'window')}{told}.")


def _on_signals(act: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, act)


@contextlib.contextmanager
def _metrics(
    auditor: Auditor, realtime: RealtimeHealth | None, port: int | None, explaining: Explaining | None
) -> Iterator[None]:
    if port is None:
        yield
        return
    from auditor.service.vitals import serve_metrics

    others = []
    if explaining:
        from auditor.model.health import ModelReader

        others.append(ModelReader(explaining.health))
    served, stop = serve_metrics(auditor.vitals, realtime, port, *others)
    _log.info("metrics_served", port=served, path="/metrics")
    try:
        yield
    finally:
        stop()
