"""The models that are graded: the configured one, or those named, each with its own client."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.errors import BadInput
from auditor.evaluation.candidates import same_server
from auditor.model.asking import ask
from auditor.model.options import ModelOptions, model_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pydantic import SecretStr

    from auditor.evaluation.candidates import Named
    from auditor.explanation.brief import Brief
    from auditor.explanation.prompt import Prompt
    from auditor.model.asking import Asked
    from auditor.settings import Settings


def options_for(
    settings: Settings, wanted: Named | None, key: SecretStr | None, concurrency: int
) -> ModelOptions:
    """How a model is called: as the settings say, but for what its name says.

    The configured key goes to the configured server alone; `key` goes to a server that was named.

    Raises
    ------
    BadInput
        If no model is configured and none is named with its server.
    """
    configured = model_options(settings)
    if wanted is not None and wanted.base_url is not None:
        if configured is not None and same_server(configured.url, wanted.base_url):
            return replace(configured, model=wanted.model, base_url=wanted.base_url, concurrency=concurrency)
        return ModelOptions(
            model=wanted.model, base_url=wanted.base_url, api_key=key, concurrency=concurrency
        )
    if configured is None:
        raise BadInput(
            "No model is configured: set OPENAI_API_KEY or OPENAI_BASE_URL, or name a model with its server by "
            "--model model@https://address/v1."
        )
    return replace(
        configured, model=configured.model if wanted is None else wanted.model, concurrency=concurrency
    )


@contextlib.asynccontextmanager
async def asking(
    options: ModelOptions, deadline_seconds: float
) -> AsyncIterator[Callable[[Prompt, Brief], Awaitable[Asked]]]:
    """A function that asks this model, for as long as the context lasts."""
    from auditor.model.client import ModelClient

    async with ModelClient(options) as client:

        async def question(prompt: Prompt, brief: Brief) -> Asked:
            return await ask(client, prompt, brief, deadline_seconds=deadline_seconds)

        yield question
