"""The model's settings: what configures one, what is refused and how."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.errors import BadInput
from auditor.model.options import OPENAI_URL, model_options
from auditor.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AUDITOR_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read_settings()


@pytest.mark.parametrize(
    ("environment", "configured"),
    [
        ({}, False),
        ({"OPENAI_API_KEY": ""}, False),
        ({"OPENAI_API_KEY": "sk-x"}, True),
        ({"OPENAI_BASE_URL": "http://localhost:11434/v1"}, True),
        ({"OPENAI_API_KEY": "sk-x", "AUDITOR_EXPLAIN": "false"}, False),
        ({"AUDITOR_MODEL": "gpt-4.1"}, False),
    ],
)
def test_a_key_or_an_address_configures_a_model_unless_explanations_are_off(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], configured: bool
) -> None:
    chosen = settings(monkeypatch, **environment)
    assert chosen.model_configured is configured
    assert (model_options(chosen) is not None) is configured


def test_options_are_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(
        monkeypatch,
        OPENAI_API_KEY="sk-secret-key-1",
        OPENAI_BASE_URL="https://me.openai.azure.com/",
        AUDITOR_MODEL="ours",
        AUDITOR_MODEL_API_VERSION="2024-10-21",
        AUDITOR_MODEL_CONCURRENCY="3",
        AUDITOR_MODEL_INPUT_PRICE="0.5",
        AUDITOR_MODEL_OUTPUT_PRICE="1.5",
    )
    made = model_options(chosen)
    assert made is not None
    assert (made.model, made.url, made.api_version) == ("ours", "https://me.openai.azure.com", "2024-10-21")
    assert (made.concurrency, made.input_price, made.output_price) == (3, 0.5, 1.5)
    assert made.secret == "sk-secret-key-1"
    assert "sk-secret" not in f"{made} {made!r} {chosen!r}"


def test_defaults_are_openais_and_careful_with_money(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(monkeypatch, OPENAI_API_KEY="sk-x")
    made = model_options(chosen)
    assert made is not None
    assert (made.model, made.url, made.place) == ("gpt-4.1-mini", OPENAI_URL, "api.openai.com")
    assert chosen.model_calls_per_hour == 20
    assert (chosen.model_cost_per_day, chosen.model_cost_per_month) == (1.0, 10.0)
    assert chosen.model_tokens_per_day == 500_000


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "a key with a line break": (
        {"OPENAI_API_KEY": "sk-secret-key-1\n"},
        "OPENAI_API_KEY .* paste the key alone",
    ),
    "a key with a space": (
        {"OPENAI_API_KEY": "Bearer sk-secret-key-1"},
        "OPENAI_API_KEY .* paste the key alone",
    ),
    "a key with an ellipsis": (
        {"OPENAI_API_KEY": "sk-secret-key-1…"},
        "OPENAI_API_KEY .* paste the key alone",
    ),
    "an address without a scheme": ({"OPENAI_BASE_URL": "localhost:11434/v1"}, "has to start with https://"),
    "an address of another scheme": ({"OPENAI_BASE_URL": "ftp://h/v1"}, "has to start with https://"),
    "an address without a host": ({"OPENAI_BASE_URL": "https:///v1"}, "name a host"),
    "an address with a password": (
        {"OPENAI_BASE_URL": "https://me:sk-secret-key-1@h/v1"},
        "user name or a password",
    ),
    "an address with a query": ({"OPENAI_BASE_URL": "https://h/v1?key=sk-secret-key-1"}, r"holds a \?"),
    "an address of one call": (
        {"OPENAI_BASE_URL": "https://h/v1/chat/completions"},
        "leave /chat/completions out",
    ),
    "a port that is none": ({"OPENAI_BASE_URL": "http://h:99999/v1"}, "cannot be read"),
    "half a price": ({"AUDITOR_MODEL_INPUT_PRICE": "1"}, "set both, or neither"),
    "a negative price": ({"AUDITOR_MODEL_INPUT_PRICE": "-1"}, "AUDITOR_MODEL_INPUT_PRICE"),
    "a version without an address": ({"AUDITOR_MODEL_API_VERSION": "2024-10-21"}, "without OPENAI_BASE_URL"),
    "a model with a space": ({"AUDITOR_MODEL": "gpt 4"}, "AUDITOR_MODEL is not usable"),
    "an unknown name": ({"AUDITOR_MODEL_CALLS_AN_HOUR": "1"}, "did you mean AUDITOR_MODEL_CALLS_PER_HOUR"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_in_one_sentence_without_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    environment, told = REFUSED[name]
    with pytest.raises(BadInput, match=told) as caught:
        settings(monkeypatch, **environment)
    assert "sk-secret" not in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_the_file_may_name_a_model_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    path = tmp_path / "auditor.toml"
    path.write_text('openai_base_url = "http://localhost:8000/v1"\nmodel = "local"\nmodel_cost_per_day = 0\n')
    chosen = settings(monkeypatch, AUDITOR_CONFIG=str(path))
    assert (chosen.openai_base_url, chosen.model, chosen.model_cost_per_day) == (
        "http://localhost:8000/v1",
        "local",
        0.0,
    )
