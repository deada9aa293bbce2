"""Options and requests for tests: a server on this machine, a key that must not show, prices that need no list."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from auditor.model.client import ModelOptions, Request

KEY = "sk-test-0123456789abcdefghij"
SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}


def options(url: str, **changes: Any) -> ModelOptions:
    """A model at a server, with short waits."""
    usual = {"model": "some-model", "base_url": url, "api_key": SecretStr(KEY), "retry_seconds": 0.01}
    return ModelOptions(**{**usual, "input_price": 0.4, "output_price": 1.6, **changes})


def request(**changes: Any) -> Request:
    """A small question."""
    usual = {
        "messages": [
            {"role": "system", "content": "Say one word."},
            {"role": "user", "content": "Which?"},
        ],
        "schema_name": "word",
        "schema": SCHEMA,
        "max_output_tokens": 100,
        "temperature": 0.2,
        "deadline_seconds": 20.0,
    }
    return Request(**{**usual, **changes})
