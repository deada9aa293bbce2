"""What the commands that explain share: the ledger of calls, the model, and how a prompt and an answer are shown."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from auditor.commands.explainer import caps_of
from auditor.commands.printing import printable
from auditor.database.backend import open_calls
from auditor.database.explanations import Explanations
from auditor.errors import AnswerIsNo, DependencyUnreachable
from auditor.model.failure import NOT_REACHED
from auditor.model.options import model_options
from auditor.service.model_asker import ModelAsker
from auditor.service.teller import Ending, Teller, Told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from auditor.explanation.brief import Brief
    from auditor.model.client import ModelClient
    from auditor.model.options import ModelOptions
    from auditor.settings import Settings

NO_MODEL: Final = "No model is configured: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own."


@dataclass(frozen=True, slots=True)
class Room:
    """What a command works with; `teller` is None where no model is configured."""

    database: Explanations
    asker: ModelAsker
    teller: Teller | None


@contextlib.asynccontextmanager
async def open_room(settings: Settings) -> AsyncIterator[Room]:
    """Open the database and the model that the settings name.

    Raises
    ------
    BadInput
        If a prompt or a setting cannot be used.
    DependencyUnreachable
        If the database does not answer.
    """
    options = model_options(settings)
    async with contextlib.AsyncExitStack() as stack:
        client = None if options is None else await stack.enter_async_context(_client(options))
        asker = ModelAsker(settings, client)
        calls = await stack.enter_async_context(open_calls(settings))
        database = Explanations(calls, worker=settings.worker)
        teller = None
        if client is not None:
            teller = Teller(
                database, asker, caps_of(settings), deadline_seconds=settings.model_deadline_seconds
            )
        yield Room(database, asker, teller)


def _client(options: ModelOptions) -> ModelClient:
    """The model; its libraries are imported only where one is configured."""
    from auditor.model.client import ModelClient

    return ModelClient(options)


def prompt_facts(room: Room, brief: Brief) -> dict[str, Any]:
    """The exact prompt of a brief, and what asking would use at most."""
    origin, (tokens, cost) = room.asker.origin(brief.purpose), room.asker.estimate(brief)
    return {
        "purpose": str(brief.purpose),
        "prompt": {"id": origin.prompt_id, "version": origin.prompt_version, "hash": origin.prompt_hash},
        "model": origin.model if room.teller is not None else None,
        "evidence_hash": brief.hash,
        "most_tokens": tokens,
        "most_cost": cost,
        "messages": room.asker.messages(brief),
    }


def show_prompt(facts: Mapping[str, Any]) -> None:
    """Print a prompt as it would be sent."""
    for message in facts["messages"]:
        print(f"--- {message['role']}")
        print("\n".join(printable(line) for line in message["content"].split("\n")))
    prompt, cost = facts["prompt"], facts["most_cost"]
    price = "" if cost is None else f", at most {cost:.4f} in money"
    print(
        f"--- prompt {prompt['id']} version {prompt['version']}; at most {facts['most_tokens']} tokens{price}"
    )


def refuse_unanswered(told: Told) -> None:
    """Say why there are no words of a model.

    Raises
    ------
    AnswerIsNo
        If there are none.
    DependencyUnreachable
        If that is because the model's server does not answer.
    """
    if told.ending is Ending.CAPPED:
        name = f"AUDITOR_MODEL_{(told.cap or '').upper()}"
        raise AnswerIsNo(f"The model was not asked, for {name} is reached: wait, or raise it.")
    if told.ending in {Ending.FAILED, Ending.PUT_OFF}:
        detail = "" if told.asked is None else told.asked.detail
        if told.asked is not None and told.asked.failure in NOT_REACHED:
            raise DependencyUnreachable(detail)
        raise AnswerIsNo(detail or "The model gave no answer in time: raise AUDITOR_MODEL_DEADLINE_SECONDS.")
    if told.ending is Ending.REJECTED:
        raise AnswerIsNo(
            "Too little of what the model said is so, and the deterministic text stands: try another model, or see what was "
            "rejected with --format json."
        )
