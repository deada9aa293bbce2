"""The settings of the model that words explanations."""

from __future__ import annotations

from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

DEFAULT_MODEL: Final = "gpt-4.1-mini"


class ModelSettings(BaseSettings):
    """Which model, where, and how much it may cost."""

    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_API_KEY", "AUDITOR_OPENAI_API_KEY", "openai_api_key"),
        description="Key of the model's server; with it, or an address, a model words the explanations.",
    )
    openai_base_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_BASE_URL", "AUDITOR_OPENAI_BASE_URL", "openai_base_url"),
        description="Address of a server that speaks OpenAI's chat completions, up to and with `/v1`; by default OpenAI's own ([models.md](models.md)).",
    )
    model: str = Field(
        default=DEFAULT_MODEL,
        min_length=1,
        max_length=256,
        pattern=r"^\S+$",
        description="The model's name at that server.",
    )
    model_api_version: str | None = Field(
        default=None,
        pattern=r"^[\w.-]{1,64}$",
        description="api-version of Azure's older interface; unset for all others.",
    )
    explain: bool = Field(
        default=True, description="Whether a model may be called; without one every text is complete too."
    )
    model_deadline_seconds: float = Field(
        default=60.0, gt=0, le=600, description="The longest one explanation may take, retries included."
    )
    model_concurrency: int = Field(default=2, ge=1, le=64, description="The most calls at a time.")
    model_calls_per_hour: int = Field(
        default=20, ge=0, description="The most calls in an hour, of all auditors on the database together."
    )
    model_cost_per_day: float = Field(
        default=1.0, ge=0, description="The most money in a UTC day, in the currency of the prices."
    )
    model_cost_per_month: float = Field(
        default=10.0, ge=0, description="The most money in a UTC month, in the currency of the prices."
    )
    model_tokens_per_day: int = Field(
        default=500_000,
        ge=0,
        description="The most tokens in a UTC day, which holds where no price is known.",
    )
    model_input_price: float | None = Field(
        default=None,
        ge=0,
        description="Price of a million input tokens; by default from a list that comes with the auditor (US dollars).",
    )
    model_output_price: float | None = Field(
        default=None, ge=0, description="Price of a million output tokens; set both or neither."
    )

    @field_validator("openai_api_key")
    @classmethod
    def _check_key_text(cls, key: SecretStr | None) -> SecretStr | None:
        text = "" if key is None else key.get_secret_value()
        if any(not "!" <= character <= "~" for character in text):
            raise PydanticCustomError(
                "key_text",
                "it holds a space, a line break or a character that no key has: paste the key alone",
            )
        return key

    @field_validator("openai_base_url")
    @classmethod
    def _check_base_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        fault = _fault_of_url(url)
        if fault:
            raise PydanticCustomError("base_url", "{fault}", {"fault": fault})
        return url.rstrip("/")

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        if (self.model_input_price is None) != (self.model_output_price is None):
            raise PydanticCustomError(
                "prices",
                "Of AUDITOR_MODEL_INPUT_PRICE and AUDITOR_MODEL_OUTPUT_PRICE only one is set: set both, or neither",
            )
        if self.model_api_version is not None and self.openai_base_url is None:
            raise PydanticCustomError(
                "api_version",
                "AUDITOR_MODEL_API_VERSION is set without OPENAI_BASE_URL: set the address of the Azure resource too",
            )
        return self

    @property
    def model_configured(self) -> bool:
        """Whether a model is to be called: one is named by a key or an address, and explanations are on."""
        return self.explain and (self.openai_api_key is not None or self.openai_base_url is not None)


def _fault_of_url(url: str) -> str | None:
    """What is wrong with a server's address; the address is not quoted, for it may hold a password."""
    if any(not "!" <= character <= "~" for character in url):
        return "it holds a space or a line break: paste the address alone"
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "its host or port cannot be read: write it like https://host:port/v1"
    faults = (
        (
            parts.scheme not in {"http", "https"} or not known,
            "it has to start with https:// or http:// and name a host",
        ),
        ("@" in parts.netloc, "it holds a user name or a password: give the key in OPENAI_API_KEY"),
        (
            "?" in url or "#" in url,
            "it holds a ? or a #: leave them out, and give an api-version in AUDITOR_MODEL_API_VERSION",
        ),
        (
            parts.path.rstrip("/").endswith("/chat/completions"),
            "it names the path of one call: leave /chat/completions out",
        ),
    )
    return next((told for holds, told in faults if holds), None)
