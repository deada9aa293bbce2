"""The side task of the service that has incidents explained, as the settings want it.

The model's libraries are imported only where one is configured: the service starts without them in half the time.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from auditor.database.explanations import Caps, Explanations, Waiting
from auditor.service.explaining import Explainer
from auditor.service.teller import Teller
from auditor.service.vitals import ExplainingVitals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from auditor.database.calls import Calls
    from auditor.model.health import ModelHealth
    from auditor.settings import Settings

_log = structlog.get_logger(__name__)

SETTLE_SECONDS: Final = 600.0
"""What was paid for is not given up as soon as other things are."""


def caps_of(settings: Settings) -> Caps:
    """What may be spent."""
    return Caps(
        calls_per_hour=settings.model_calls_per_hour,
        tokens_per_day=settings.model_tokens_per_day,
        cost_per_day=settings.model_cost_per_day,
        cost_per_month=settings.model_cost_per_month,
    )


def check_prompts(settings: Settings) -> None:
    """Refuse a broken prompt before anything is opened; a folder that is named is checked although no model is configured.

    Raises
    ------
    BadInput
        If a prompt cannot be used; the sentence names its file.
    """
    if settings.model_configured or settings.prompts_dir is not None:
        from auditor.prompt_files import read_prompts
        from auditor.resources import prompts_folder

        read_prompts(settings.prompts_dir or prompts_folder())


@dataclass(frozen=True, slots=True)
class Explaining:
    """The side task of the service, what it counts, and how the model is doing."""

    explainer: Explainer
    vitals: ExplainingVitals
    health: ModelHealth


@contextlib.asynccontextmanager
async def open_explainer(settings: Settings, calls: Callable[[], Calls]) -> AsyncIterator[Explaining | None]:
    """The side task that has incidents explained; None where no model is configured.

    Parameters
    ----------
    calls
        Makes a carrier of calls of its own, so that explaining never holds the connection of the audit.

    Raises
    ------
    BadInput
        If a prompt cannot be used; see `check_prompts`.
    """
    if not settings.model_configured:
        yield None
        return
    from auditor.model.client import ModelClient
    from auditor.model.options import model_options
    from auditor.service.model_asker import ModelAsker

    options = model_options(settings)
    assert options is not None, "a model is configured"
    async with ModelClient(options) as client:
        database = Explanations(calls(), worker=settings.worker, settle_seconds=SETTLE_SECONDS)
        deadline = settings.model_deadline_seconds
        teller = Teller(database, ModelAsker(settings, client), caps_of(settings), deadline_seconds=deadline)
        waiting = Waiting(
            severities=settings.explained_severities,
            after_seconds=60.0 * settings.explain_after_minutes,
            backlog_seconds=60.0 * settings.explain_backlog_minutes,
            storm=settings.explain_storm,
            claim_seconds=teller.claim_seconds,
        )
        vitals = ExplainingVitals()
        explainer = Explainer(
            database, teller, waiting, concurrency=settings.model_concurrency, vitals=vitals
        )
        _log.info("model_configured", model=options.model, place=options.place)
        yield Explaining(explainer, vitals, client.health)
