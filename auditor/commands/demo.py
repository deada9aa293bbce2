"""`auditor demo`: a real cache under load, a fault in it, and what the auditor says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

from auditor.errors import BadInput
from auditor.logs import configure_logging
from auditor.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditor.demo.stage import Audience

PACE = 4.0


def demo(
    *,
    fault: str,
    seed: int,
    seconds: float | None,
    keep: Path | None,
    output_format: str = "text",
) -> None:
    """Show the demo; on a terminal it goes on in real time until Ctrl-C, elsewhere it ends with the last hour.

    Raises
    ------
    BadInput
        If there is no such fault, cachetools is missing, or the folder to keep holds windows already.
    DependencyUnreachable
        If the embedded server cannot be started.
    """
    try:
        from auditor.demo.run import DemoPlan, run_demo
    except ModuleNotFoundError as error:
        if error.name != "cachetools":
            raise
        raise BadInput(
            "The demo needs the package cachetools: install it with pip install 'cache-auditor[demo]', in a checkout pip install '.[demo]'."
        ) from None
    if seed < 0:
        raise BadInput(f"--seed {seed} is negative: give a whole number from 0 up.")
    if keep is not None:
        keep = keep.expanduser().absolute()
    live = output_format == "text" and sys.stdout.isatty()
    settings = read_settings()
    loud = "LOG_LEVEL" in os.environ and not live
    configure_logging(settings.log_level if loud else "ERROR", settings.log_format)
    plan = DemoPlan(
        fault,
        seed=seed,
        pace=PACE if live else None,
        real_time=live or seconds is not None,
        seconds=seconds,
        keep=keep,
    )
    with _audience(output_format, keep, live=live) as audience:
        outcome = asyncio.run(run_demo(plan, settings, audience))
    if output_format == "json":
        print(json.dumps(outcome.as_json(), ensure_ascii=False))


@contextlib.contextmanager
def _audience(output_format: str, keep: Path | None, *, live: bool) -> Iterator[Audience]:
    from auditor.demo.tell import Silent, Teller

    if not live:
        yield Silent() if output_format == "json" else Teller(keep)
        return
    from rich.console import Console

    from auditor.demo.view import LiveView

    view = LiveView(Console(), keep)
    try:
        yield view
    finally:
        view.close()
