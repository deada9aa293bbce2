"""What a call costs: the prices of the settings, else those of the genai-prices list that comes with the package, else unknown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from auditor.explanation.briefing.sizing import estimated_tokens
from auditor.model.exchange import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.model.options import ModelOptions

MILLION: Final = 1_000_000
TOKENS_A_MESSAGE: Final = 8
"""What a chat template puts around each message."""


def estimated_input(messages: Sequence[Mapping[str, str]]) -> int:
    """At most how many tokens the messages are likely to have together."""
    return sum(TOKENS_A_MESSAGE + estimated_tokens(message["content"]) for message in messages)


class Prices:
    """The prices of one model at one server.

    A price of the list is found by the server's address and the model's name, never by the name alone: the same name on
    a server of one's own costs nothing that the list knows.
    """

    def __init__(self, options: ModelOptions) -> None:
        self._options = options
        self._ready = options.input_price is not None

    async def prepare(self) -> None:
        """Read the list in a thread, once: it takes a second or two, and the first cost would stop the loop for as long."""
        if not self._ready:
            await asyncio.to_thread(self.cost, 1, 1)
            self._ready = True

    def cost(self, input_tokens: int, output_tokens: int, answered_by: str = "") -> float | None:
        """The cost of so many tokens in the currency of the prices (US dollars for the list); None where no price is known.

        `answered_by` is the model that the server named: where the configured name is an alias, like a deployment of
        Azure's, that one has the price.
        """
        options = self._options
        if options.input_price is not None and options.output_price is not None:
            return (input_tokens * options.input_price + output_tokens * options.output_price) / MILLION
        for name in filter(None, (options.model, answered_by)):
            listed = self._listed(name, input_tokens, output_tokens)
            if listed is not None:
                return listed
        return None

    def estimate(self, messages: Sequence[Mapping[str, str]], max_output_tokens: int) -> Usage:
        """What a call can use at most, before it is made: for the budget's reservation."""
        given = estimated_input(messages)
        return Usage(given, max_output_tokens, self.cost(given, max_output_tokens))

    def _listed(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        from genai_prices import Usage as Counted
        from genai_prices import calc_price

        counted = Counted(input_tokens=input_tokens, output_tokens=output_tokens)
        try:
            found = calc_price(counted, model, provider_api_url=self._options.url)
        except (
            LookupError,
            ValueError,
        ):  # a model that is not listed, or listed with prices that do not fit text
            return None
        cost = float(found.total_price)
        return cost if cost > 0 or input_tokens + output_tokens == 0 else None
