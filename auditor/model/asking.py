"""A brief in, a checked explanation out: render, call, parse, at most one repair, ground; it never raises."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from auditor.errors import BadInput
from auditor.explanation.briefing.sizing import estimated_tokens
from auditor.explanation.grounding import check
from auditor.explanation.prompt import render
from auditor.explanation.reply import MalformedReply, parse_reply, reply_schema
from auditor.model.exchange import Request, Usage
from auditor.model.failure import ModelFailure, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.explanation.brief import Brief
    from auditor.explanation.checked import Checked
    from auditor.explanation.prompt import Prompt
    from auditor.explanation.reply import DigestReply, Reply
    from auditor.model.client import ModelClient

LEAST_REPAIR_SECONDS: Final = 1.0
"""With less time left a repair is not begun: it would be paid for and not come."""
LONGEST_RAW: Final = 20_000
_REPAIR: Final = "That answer cannot be used: {reason}. Answer again, with the JSON object alone and in the shape that was asked for."

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """How it ended.

    Parameters
    ----------
    checked
        What is left of the answer; None where there is none. Its source may be "template": then the stored text stands.
    failure
        Why there is no answer; None where there is one.
    detail
        The failure as a sentence that names the mend; empty where there is none.
    retry_after
        Seconds until another call makes sense, where that is known.
    repaired
        Whether a malformed answer was asked for again.
    input_tokens, output_tokens
        Of all calls together, those that failed included where they were billed.
    cost
        Of all calls together; None where no price is known.
    uncertain
        Whether the server may have charged for more than is counted: it broke off after it had the prompt.
    seconds
        From beginning to end.
    model
        The model that the server says has answered; the configured one where none has.
    raw
        What the model wrote last, unchecked, at most 20,000 characters; None where it wrote nothing.
    """

    checked: Checked | None
    failure: Reason | None
    detail: str
    retry_after: float | None
    repaired: bool
    input_tokens: int
    output_tokens: int
    cost: float | None
    uncertain: bool
    seconds: float
    model: str
    raw: str | None


@dataclass(slots=True)
class _Asking:
    """One question under way, and what it has used so far; `deadline` is in the loop's time."""

    client: ModelClient
    prompt: Prompt
    brief: Brief
    deadline: float
    model: str
    may_repair: bool = True
    input_tokens: int = 0
    output_tokens: int = 0
    costs: list[float] = field(default_factory=list)
    repaired: bool = False
    uncertain: bool = False
    raw: str | None = None

    @property
    def left(self) -> float:
        """Seconds until the deadline, 0 after it."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    async def checked(self) -> Checked:
        """The checked explanation."""
        messages = render(self.prompt, self.brief)
        text = await self._told(messages)
        try:
            reply = parse_reply(text, self.brief.purpose)
        except MalformedReply as fault:
            reply = await self._repaired([*messages, *_again(text, fault)], fault)
        # in a thread: what a model writes decides how long the reading takes, and the loop must not wait for it
        checked = await asyncio.to_thread(check, reply, self.brief)
        self.client.health.note_rejected(checked.rejected, fell_back=checked.source == "template")
        return checked

    async def _told(self, messages: Sequence[Mapping[str, str]]) -> str:
        """What the model says to the messages."""
        request = Request(
            messages=messages,
            schema_name=self.prompt.output,
            schema=reply_schema(self.brief.purpose),
            max_output_tokens=self.prompt.settings.max_output_tokens,
            temperature=self.prompt.settings.temperature,
            deadline_seconds=self.left,
        )
        try:
            answer = await self.client.complete(request)
        except ModelFailure as failure:
            self.uncertain = self.uncertain or (failure.usage is None and failure.may_be_billed)
            if failure.usage is not None:
                self._spend(failure.usage)
            raise
        self.model, self.raw = answer.model, answer.text[:LONGEST_RAW]
        self._spend(Usage(answer.input_tokens, answer.output_tokens, answer.cost))
        return answer.text

    async def _repaired(
        self, messages: Sequence[Mapping[str, str]], fault: MalformedReply
    ) -> Reply | DigestReply:
        """The reply to a second question, which names what was wrong with the first."""
        if not self.may_repair or self.left < LEAST_REPAIR_SECONDS:
            raise _malformed(self.client, fault)
        self.repaired = True
        self.client.health.repairs += 1
        text = await self._told(messages)
        try:
            return parse_reply(text, self.brief.purpose)
        except MalformedReply as again:
            raise _malformed(self.client, again) from None

    def _spend(self, usage: Usage) -> None:
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if usage.cost is not None:
            self.costs.append(usage.cost)


def reservation(client: ModelClient, prompt: Prompt, brief: Brief) -> Usage:
    """What `ask` can use at most, its repair included, before it is asked: for the budget.

    Raises
    ------
    BadInput
        If the prompt cannot be rendered.
    """
    messages, most = render(prompt, brief), prompt.settings.max_output_tokens
    first = client.prices.estimate(messages, most)
    again = first.input_tokens + most + estimated_tokens(_REPAIR)
    tokens_in, tokens_out = first.input_tokens + again, 2 * most
    return Usage(tokens_in, tokens_out, client.prices.cost(tokens_in, tokens_out))


async def ask(
    client: ModelClient, prompt: Prompt, brief: Brief, *, deadline_seconds: float, may_repair: bool = True
) -> Asked:
    """Ask a model to word a brief, and check what it says.

    Parameters
    ----------
    client
        The model.
    prompt
        Of the brief's purpose.
    brief
        What is told, and what the answer is checked against.
    deadline_seconds
        For everything together.
    may_repair
        Whether a malformed answer may be asked for again.

    Returns
    -------
    Asked
        Whatever happens: nothing is raised but CancelledError.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    asking = _Asking(
        client, prompt, brief, started + deadline_seconds, client.options.model, may_repair=may_repair
    )
    checked, failure = None, None
    try:
        checked = await asking.checked()
    except ModelFailure as error:
        failure = error
    except BadInput as error:  # a prompt that fails on this brief
        failure = ModelFailure(Reason.INTERNAL, str(error))
    except Exception as error:  # the boundary: words are a gift, and the ledger must not fall with them
        log.exception("an explanation failed", purpose=brief.purpose.value)
        failure = ModelFailure(
            Reason.INTERNAL, f"The auditor failed over an answer ({type(error).__name__}): see its log."
        )
    return Asked(
        checked=checked,
        failure=failure.reason if failure else None,
        detail=failure.message if failure else "",
        retry_after=failure.retry_after if failure else None,
        repaired=asking.repaired,
        input_tokens=asking.input_tokens,
        output_tokens=asking.output_tokens,
        cost=sum(asking.costs) if asking.costs else None,
        uncertain=asking.uncertain,
        seconds=loop.time() - started,
        model=asking.model,
        raw=asking.raw,
    )


def _again(text: str, fault: MalformedReply) -> list[dict[str, str]]:
    return [
        {"role": "assistant", "content": text[:LONGEST_RAW]},
        {"role": "user", "content": _REPAIR.format(reason=fault)},
    ]


def _malformed(client: ModelClient, fault: MalformedReply) -> ModelFailure:
    return ModelFailure(
        Reason.MALFORMED,
        f"{client.options.model} at {client.options.place} does not keep the shape that is asked for ({fault}): use a model "
        "that can.",
    )
