"""What calls cost, by settings, by the list, and where nothing is known; no network is needed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from auditor.model.options import ModelOptions
from auditor.model.prices import Prices


def prices(model: str, url: str | None = None, **changes: Any) -> Prices:
    return Prices(ModelOptions(model=model, base_url=url, **changes))


def test_prices_of_the_settings_come_first() -> None:
    mine = prices("gpt-4.1-mini", input_price=2.0, output_price=8.0)
    assert mine.cost(1_000_000, 500_000) == pytest.approx(6.0)


def test_a_price_of_zero_in_the_settings_is_a_price() -> None:
    assert prices("gpt-4.1-mini", input_price=0.0, output_price=0.0).cost(1000, 1000) == 0.0


@pytest.mark.parametrize(
    ("model", "url", "cost"),
    [
        # 0.40 and 1.60 dollars for a million tokens: OpenAI's price list of April 2025
        ("gpt-4.1-mini", None, 0.4 + 1.6),
        ("gpt-4.1-mini", "https://me.openai.azure.com/openai/v1", 0.4 + 1.6),
        ("gpt-4.1-mini", "http://localhost:4000", None),
        ("llama3.1:8b", "http://localhost:11434/v1", None),
        ("no-such-model", None, None),
    ],
)
def test_the_list_is_read_by_address_and_name(model: str, url: str | None, cost: float | None) -> None:
    assert prices(model, url).cost(1_000_000, 1_000_000) == (None if cost is None else pytest.approx(cost))


def test_an_alias_has_the_price_of_the_model_that_answered() -> None:
    deployment = prices("ours", "https://me.openai.azure.com/openai/v1")
    assert deployment.cost(1_000_000, 0) is None
    assert deployment.cost(1_000_000, 0, "gpt-4.1-mini-2025-04-14") == pytest.approx(0.4)


def test_no_network_is_asked_for_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a price was looked up over the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert prices("gpt-4.1-mini").cost(10, 10) is not None


def test_an_estimate_covers_the_prompt_and_the_longest_answer() -> None:
    mine = prices("m", input_price=1.0, output_price=10.0)
    usage = mine.estimate([{"role": "user", "content": "x" * 1000}], 300)
    assert usage.input_tokens >= 400
    assert usage.output_tokens == 300
    assert usage.cost == pytest.approx((usage.input_tokens + 3000) / 1_000_000)
