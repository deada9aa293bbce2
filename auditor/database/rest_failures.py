"""PostgREST's errors as the auditor's: one sentence that names the project and the mend, and whether trying again can help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from auditor.errors import AuditorError, DependencyUnreachable
from auditor.redaction import redact

_PASSING_CODES: Final = frozenset(
    {"PGRST000", "PGRST001", "PGRST002", "PGRST003", "57014", "40001", "40P01", "55P03"}
)
"""Errors that go away by themselves: PostgREST without a connection, a statement's timeout, conflicts."""
_PASSING_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})

_MENDS: Final = {
    "PGRST106": (
        "does not expose the schema monitoring: add monitoring to Exposed schemas (Dashboard > Project Settings > Data API), "
        "or to schemas under [api] in supabase/config.toml"
    ),
    "PGRST202": (
        "does not know {function}: run auditor migrate (or supabase db push), and if that was done, reload PostgREST's schema "
        "cache with: notify pgrst, 'reload schema'"
    ),
    "PGRST301": "cannot verify the key: copy the service_role or sb_secret_ key of this very project into SUPABASE_SERVICE_ROLE_KEY",
    "PGRST303": "says that the key has expired: make a new one and put it into SUPABASE_SERVICE_ROLE_KEY",
    "57014": "took longer over a statement than its timeout allows: look at its load and locks",
}
_MENDS_BY_CODE: Final = {
    "PGRST204": "PGRST202",
    "PGRST205": "PGRST202",
    "42883": "PGRST202",
    "PGRST302": "PGRST301",
}


@dataclass(frozen=True, slots=True)
class RestFailure(Exception):  # noqa: N818 - what one request ended with, before it is put into words
    """How one request failed: the HTTP status (0 where none arrived), PostgREST's code and message."""

    status: int
    code: str
    message: str

    def __str__(self) -> str:
        """What was said, and the code or status that came with it."""
        return f"{self.message} ({self.code or self.status or 'no answer'})"

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        if self.code in _PASSING_CODES:
            return True
        known = bool(self.code) and not self.code.isdecimal()  # PostgREST said what it is
        return self.status == 0 or (self.status in _PASSING_STATUSES and not known)


def place(url: str) -> str:
    """Host and port of a project's address, as a sentence names it."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


def explain(failure: RestFailure, url: str, function: str) -> AuditorError:
    """The auditor's error for a request to `function` that failed for good."""
    where = place(url)
    said = redact(" ".join(failure.message.split())).rstrip(".") or f"status {failure.status}"
    if failure.status == 0:
        return DependencyUnreachable(
            f"The Supabase project at {where} does not answer ({said}): check SUPABASE_URL, the network and the project's status."
        )
    if failure.code == "42501":
        return DependencyUnreachable(
            f"The Supabase project at {where} denies this key {_denied(said)}: {_grant(said)}"
        )
    mend = _MENDS.get(_MENDS_BY_CODE.get(failure.code, failure.code))
    if mend is not None:
        return DependencyUnreachable(
            f"The Supabase project at {where} {mend.format(function=f'monitoring.{function}')}."
        )
    sentence = _by_status(failure)
    if sentence is not None:
        return DependencyUnreachable(f"{sentence.format(where=where, said=said)}.")
    return AuditorError(f"The Supabase project at {where} refused {function} ({failure.code}): {said}.")


def _by_status(failure: RestFailure) -> str | None:
    if failure.status == 401:
        return (
            "The Supabase project at {where} refuses the key ({said}): copy the service_role or sb_secret_ key of this very "
            "project into SUPABASE_SERVICE_ROLE_KEY"
        )
    if failure.status == 404:
        return "There is no Supabase API at {where} ({said}): mend SUPABASE_URL, such as https://PROJECT.supabase.co"
    if failure.is_passing:
        return "The Supabase project at {where} cannot serve at the moment ({said}): see its status page and its logs"
    return None


def _denied(said: str) -> str:
    found = re.search(r"permission denied for (.+)", said)
    return f"access to {found[1]}" if found else f"this ({said})"


def _grant(said: str) -> str:
    """The statement that gives service_role what it was denied."""
    found = re.search(r"permission denied for (schema|table|function|sequence|view) (\S+)", said)
    if found is None:
        return "use the service_role or an sb_secret_ key, and run auditor migrate, which grants it what it needs."
    kind, name = found[1], found[2]
    rights = {"schema": "usage", "function": "execute", "table": "all", "view": "all", "sequence": "all"}[
        kind
    ]
    what = (
        f"schema {name}" if kind == "schema" else f"all {kind.replace('view', 'table')}s in schema monitoring"
    )
    return (
        "use the service_role or an sb_secret_ key; if it is one, run auditor migrate, or as the owner: "
        f"grant {rights} on {what} to service_role;"
    )
