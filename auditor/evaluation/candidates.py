"""Candidates by name: `model`, or `model@address` for one at another server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from auditor.errors import BadInput


@dataclass(frozen=True, slots=True)
class Named:
    """A model as it was named; `base_url` is None where it is to be asked at the configured server."""

    model: str
    base_url: str | None

    def __str__(self) -> str:
        return (
            self.model
            if self.base_url is None
            else f"{self.model}@{urlsplit(self.base_url).netloc.rpartition('@')[2]}"
        )


def named(text: str) -> Named:
    """Read `model` or `model@https://address/v1`; a model's own name may hold an @.

    Raises
    ------
    BadInput
        If there is no model, or no address where one begins.
    """
    for scheme in ("@https://", "@http://"):
        at = text.find(scheme)
        if at >= 0:
            model, url = text[:at], text[at + 1 :]
            if model and urlsplit(url).hostname:
                return Named(model, url.rstrip("/"))
            raise BadInput(f"--model {text} is not usable: write model@https://address/v1.")
    if not text.strip():
        raise BadInput("--model is empty: name a model, or model@https://address/v1.")
    return Named(text, None)


def same_server(one: str | None, other: str | None) -> bool:
    """Whether two addresses are the same server's, so that the same key may be sent there."""
    if one is None or other is None:
        return one is other
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)
