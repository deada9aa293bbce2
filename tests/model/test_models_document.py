"""docs/models.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from auditor.model.exchange import Rung
from auditor.model.failure import RETRIED, SERVERS_FAULT, Reason
from auditor.model.health import ModelHealth, ModelReader
from auditor.model.options import ModelOptions
from auditor.model.prices import Prices
from auditor.model.shape import first_shape
from auditor.model_settings import ModelSettings

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    part = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_every_reason_is_explained_with_what_becomes_of_it() -> None:
    told = {row[0]: (row[2] == "yes", row[3] == "yes") for row in rows("When there is no answer")}
    assert told == {reason.value: (reason in RETRIED, reason in SERVERS_FAULT) for reason in Reason}


def test_every_metric_is_named() -> None:
    registry = CollectorRegistry()
    registry.register(ModelReader(ModelHealth()))
    lines = generate_latest(registry).decode().splitlines()
    exposed = {line.split(" ")[2] for line in lines if line.startswith("# TYPE")}
    assert {row[0] for row in rows("Watching it")} == exposed


@pytest.mark.parametrize("row", rows("Setting one up"), ids=lambda row: str(row[0]))
def test_the_settings_of_each_server_are_taken(row: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    address = re.sub("RESOURCE|HOST", "example", row[1])
    if address != "unset":
        monkeypatch.setenv("OPENAI_BASE_URL", address)
    for name, value in re.findall(r"(AUDITOR_\w+)=(\S+?)`", f"{row[4]}`"):
        monkeypatch.setenv(name, value)
    if " " not in row[3]:
        monkeypatch.setenv("AUDITOR_MODEL", row[3])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert ModelSettings(_env_prefix="AUDITOR_").model_configured


@pytest.mark.parametrize(
    ("url", "version", "rung", "limit"),
    [
        (None, None, Rung.JSON_SCHEMA, "max_completion_tokens"),
        ("https://r.openai.azure.com/openai/v1", None, Rung.JSON_SCHEMA, "max_completion_tokens"),
        ("https://r.openai.azure.com", "2024-10-21", Rung.JSON_SCHEMA, "max_tokens"),
        ("http://h:11434/v1", None, Rung.JSON_SCHEMA, "max_tokens"),
        ("http://h:8000/v1", None, Rung.JSON_SCHEMA, "max_completion_tokens"),
        ("https://api.moonshot.ai/v1", None, Rung.JSON_SCHEMA, "max_completion_tokens"),
        ("https://api.z.ai/api/paas/v4", None, Rung.JSON_OBJECT, "max_tokens"),
        ("https://open.bigmodel.cn/api/paas/v4", None, Rung.JSON_OBJECT, "max_tokens"),
        ("https://api.deepseek.com", None, Rung.JSON_OBJECT, "max_tokens"),
        ("https://notdeepseek.com/v1", None, Rung.JSON_SCHEMA, "max_completion_tokens"),
    ],
)
def test_each_server_is_first_asked_in_its_own_way(
    url: str | None, version: str | None, rung: Rung, limit: str
) -> None:
    shape = first_shape(ModelOptions(model="m", base_url=url, api_version=version))
    assert (shape.rung, shape.limits[0]) == (rung, limit)


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("gpt-4.1-mini", None),
        ("kimi-k2-0905-preview", "https://api.moonshot.ai/v1"),
        ("glm-4.6", "https://api.z.ai/api/paas/v4"),
    ],
)
def test_the_models_that_are_named_have_listed_prices(model: str, url: str | None) -> None:
    assert model in TEXT
    assert Prices(ModelOptions(model=model, base_url=url)).cost(1000, 1000) is not None
