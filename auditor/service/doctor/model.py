"""The doctor's look at the model: one tiny question, really asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auditor.model.exchange import Request
from auditor.model.failure import ModelFailure
from auditor.service.doctor.checks import Check, failed, passed, skipped

if TYPE_CHECKING:
    from auditor.model.options import ModelOptions

_QUESTION: Final = (
    'This is a test of the connection. Answer with the JSON object {"ok": true} and nothing else.'
)
_SCHEMA: Final = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
_MOST_TOKENS: Final = 1000
"""Room for models that think before they answer; the answer itself is a handful."""


async def check_model(options: ModelOptions | None, *, ask: bool, seconds: float) -> Check:
    """Whether the model answers.

    Parameters
    ----------
    options
        The model; None where none is configured, which is as good.
    ask
        Whether it may be asked: a few tokens are paid for.
    seconds
        The longest to wait.
    """
    if options is None:
        return passed(
            "model",
            "none is configured, so every explanation is the deterministic one; to have a model word them, set OPENAI_API_KEY, "
            "or OPENAI_BASE_URL for a server of your own",
        )
    if not ask:
        return skipped("model", f"{options.model} at {options.place}: left out by --no-canary")
    from auditor.model.client import ModelClient

    request = Request(
        messages=[{"role": "user", "content": _QUESTION}],
        schema_name="connection_test",
        schema=_SCHEMA,
        max_output_tokens=_MOST_TOKENS,
        deadline_seconds=seconds,
    )
    try:
        async with ModelClient(options) as client:
            answer = await client.complete(request)
    except ModelFailure as failure:
        said, _, mend = failure.message.partition(": ")
        return failed("model", said.rstrip("."), mend.rstrip(".") or "see the model server's log")
    return passed("model", f"{answer.model} at {options.place} answered in {answer.seconds:.1f} s")
