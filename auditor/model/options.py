"""Which model is asked, where, and how patiently: the settings' part that the model client reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pydantic import SecretStr

    from auditor.settings import Settings

OPENAI_URL: Final = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """A model and how it is called.

    Parameters
    ----------
    model
        Its name at the server; with `api_version` that of the deployment.
    base_url
        The server's address up to the path before `/chat/completions`; None is OpenAI's own.
    api_key
        None sends a placeholder, for servers that ask for none.
    api_version
        Of Azure's older interface; `base_url` is then the resource's address.
    concurrency
        The most calls at a time.
    input_price, output_price
        For a million tokens each; None looks them up.
    attempts
        The most attempts of one call, the first included.
    retry_seconds
        The wait before the second attempt where the server names none; it doubles from then on.
    connect_seconds
        The longest wait for a connection.
    breaker_failures
        Failures in a row that open the circuit breaker.
    breaker_seconds, breaker_longest_seconds
        Its first and its longest cool-down.
    """

    model: str
    base_url: str | None = None
    api_key: SecretStr | None = field(default=None, repr=False)
    api_version: str | None = None
    concurrency: int = 2
    input_price: float | None = None
    output_price: float | None = None
    attempts: int = 3
    retry_seconds: float = 0.5
    connect_seconds: float = 10.0
    breaker_failures: int = 5
    breaker_seconds: float = 30.0
    breaker_longest_seconds: float = 900.0

    @property
    def url(self) -> str:
        """The address that is called."""
        return self.base_url or OPENAI_URL

    @property
    def place(self) -> str:
        """Host and port as a sentence names them."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def host(self) -> str:
        """The host alone, in lower case."""
        return urlsplit(self.url).hostname or ""

    @property
    def secret(self) -> str:
        """The key, or the empty string."""
        return "" if self.api_key is None else self.api_key.get_secret_value()


def model_options(settings: Settings) -> ModelOptions | None:
    """The model that the settings name; None where none is configured or explanations are off."""
    if not settings.model_configured:
        return None
    return ModelOptions(
        model=settings.model,
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        api_version=settings.model_api_version,
        concurrency=settings.model_concurrency,
        input_price=settings.model_input_price,
        output_price=settings.model_output_price,
    )
