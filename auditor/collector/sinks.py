"""Where batches go: the aggregator's edge function, PostgREST, or a database; chosen by the environment.

httpx and psycopg are imported by the thread that sends, when it first does. Every call ends by its deadline, one way or
the other, and what a failure says holds no secret.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from auditor.collector.environment import SINK_VARIABLE
from auditor.collector.importing import importing
from auditor.collector.refusal import BatchRefused, Undelivered

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    import httpx
    import psycopg

    from auditor.collector.events import Event

DEADLINE: Final = 10.0
"""Seconds that one call of a sink may take."""
SINKS: Final = ("edge", "rest", "dsn")
_LONGEST_ANSWER: Final = 4 << 20
_TOO_LARGE: Final = 413
_REFUSALS: Final = frozenset({400, 413, 415, 422})
"""Answers about the batch itself. Others (no right, no such function, too many requests, any 5xx) are about the backend."""
_INGEST: Final = "select monitoring.ingest_cache_metrics(%s::jsonb)"


class Sink(Protocol):
    """What takes batches, and can be made anew for the child of a fork."""

    destination: str
    """Tells one backend from another, without any secret."""

    def __call__(self, events: list[Event]) -> object:
        """Store a batch, or raise."""

    def in_child(self) -> Sink:
        """The same sink with connections of its own; those of the parent are neither used nor closed."""

    def close(self) -> None:
        """Close what is open."""


class HttpSink:
    """Posts {"metrics": [events]} to an address.

    Parameters
    ----------
    url
        The address.
    key
        The project's key: a JWT goes as a bearer and as apikey, an `sb_` key as apikey only, for it is no JWT.
    profile
        The schema that PostgREST looks for the function in.
    deadline
        Seconds until a call is given up.
    """

    def __init__(self, url: str, key: str, *, profile: str | None = None, deadline: float = DEADLINE) -> None:
        self.destination = url
        self._key = key
        self._profile = profile
        self._deadline = deadline
        self._client: httpx.Client | None = None
        self._line: socket.socket | None = None
        self._parents: object = None

    def __call__(self, events: list[Event]) -> object:
        """Store a batch; what the backend answers.

        Raises
        ------
        Undelivered
            If the backend could not be asked, or could not do it now.
        BatchRefused
            If the backend says that it is the batch that is wrong.
        """
        with importing():
            import encodings.idna  # noqa: F401 - the resolver would import it later
            import socket  # noqa: F401 - for the deadline
            import ssl  # noqa: F401 - and httpx this

            import httpx

        try:
            status, body = self._post(events)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as failure:
            raise Undelivered(self._without_secrets(f"{type(failure).__name__}: {failure}")) from None
        if status == _TOO_LARGE and len(events) > 1:
            return self._halved(events)
        if status in _REFUSALS:
            raise BatchRefused(self._without_secrets(f"HTTP {status}: {_told(body)}"))
        if not 200 <= status < 300:
            raise Undelivered(self._without_secrets(f"HTTP {status}: {_told(body)}"))
        try:
            return json.loads(body) if body else None
        except ValueError:
            raise Undelivered(f"HTTP {status}, but the answer is not JSON") from None

    def in_child(self) -> HttpSink:
        """The same sink for the child of a fork, with connections of its own."""
        child = HttpSink(self.destination, self._key, profile=self._profile, deadline=self._deadline)
        child._parents = (self._client, self._parents)  # kept, lest collecting it closes the parent's TLS
        return child

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _post(self, events: list[Event]) -> tuple[int, bytes]:
        import httpx

        if self._client is None:
            with importing():
                self._client = httpx.Client(timeout=self._deadline / 2, headers=self._headers())
        until = time.monotonic() + self._deadline
        body = bytearray()
        data = b'{"metrics":' + json.dumps(events, separators=(",", ":")).encode() + b"}"
        asked = self._client.stream(
            "POST", self.destination, content=data, extensions={"trace": self._note_line}
        )
        with _cut_off_after(self._deadline, self._cut_line), asked as response:
            for chunk in response.iter_bytes():
                body += chunk
                if time.monotonic() > until or len(body) > _LONGEST_ANSWER:
                    raise httpx.ReadTimeout("the answer does not end")
            return response.status_code, bytes(body)

    def _note_line(self, event: str, told: dict[str, Any]) -> None:
        """Remember the socket of each connection as it is made, for the deadline."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._line = told["return_value"].get_extra_info("socket")

    def _cut_line(self) -> None:
        import socket

        if self._line is not None:
            self._line.shutdown(socket.SHUT_RDWR)

    def _headers(self) -> dict[str, str]:
        headers = {"apikey": self._key, "Content-Type": "application/json"}
        if not self._key.startswith("sb_"):
            headers["Authorization"] = f"Bearer {self._key}"
        if self._profile is not None:
            headers["Content-Profile"] = self._profile
        return headers

    def _halved(self, events: list[Event]) -> dict[str, list[object]]:
        """Store a batch that is too large in two; ids make it harmless if only one of them is stored."""
        middle = len(events) // 2
        rejected: list[object] = []
        for half in (events[:middle], events[middle:]):
            try:
                answer = self(half)
            except BatchRefused:
                rejected += [event["id"] for event in half]
                continue
            named = answer.get("rejected") if isinstance(answer, dict) else None
            rejected += named if isinstance(named, list) else []
        return {"rejected": rejected}

    def _without_secrets(self, text: str) -> str:
        return text.replace(self._key, "***")[:500]


class DsnSink:
    """Calls `ingest_cache_metrics` over a connection to PostgreSQL, which it keeps.

    Parameters
    ----------
    dsn
        The connection string.
    deadline
        Seconds until a call is given up.
    """

    def __init__(self, dsn: str, *, deadline: float = DEADLINE) -> None:
        self.destination = _without_password(dsn)
        self._dsn = dsn
        self._deadline = deadline
        self._connection: psycopg.Connection[Any] | None = None
        self._parents: object = None

    def __call__(self, events: list[Event]) -> object:
        """Store a batch in one transaction; what the function answers.

        Raises
        ------
        Undelivered
            If the database could not be asked, or could not do it now.
        BatchRefused
            If the database says that it is the batch that is wrong.
        """
        with importing():
            import socket  # noqa: F401 - for the deadline

            import psycopg

        try:
            return self._ingest(json.dumps(events))
        except psycopg.DataError as failure:
            raise BatchRefused(self._told(failure)) from None
        except (psycopg.Error, OSError, ValueError) as failure:
            self.close()
            raise Undelivered(self._told(failure)) from None

    def in_child(self) -> DsnSink:
        """The same sink for the child of a fork, with a connection of its own."""
        child = DsnSink(self._dsn, deadline=self._deadline)
        child._parents = (self._connection, self._parents)  # kept, for it is the parent's to close
        return child

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ingest(self, metrics: str) -> object:
        import psycopg

        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=max(2, int(self._deadline / 2)),
                application_name="cache-auditor-collector",
                prepare_threshold=None,
            )
        import socket

        with socket.socket(fileno=os.dup(self._connection.fileno())) as copy:
            cut = functools.partial(copy.shutdown, socket.SHUT_RDWR)
            with _cut_off_after(self._deadline, cut):
                row = self._connection.execute(_INGEST, (metrics,)).fetchone()
        return None if row is None else row[0]

    def _told(self, failure: Exception) -> str:
        text = f"{type(failure).__name__}: {failure}".replace(self._dsn, "***")
        secret = _password(self._dsn)
        return (text.replace(secret, "***") if secret else text)[:500]


def sink_from_environment() -> Sink | None:
    """The sink that the environment configures; None where it configures none.

    CACHE_METRICS_SINK names it: `edge`, `rest` or `dsn`. By default it is the edge function where SUPABASE_URL and a key
    are set, else the database where AUDITOR_DATABASE_URL or SUPABASE_DB_URL is.

    Raises
    ------
    ValueError
        If CACHE_METRICS_SINK names none, or one whose variables are missing.
    """
    url = _read("SUPABASE_URL").rstrip("/")
    key = _read("SUPABASE_SERVICE_ROLE_KEY") or _read("SUPABASE_SECRET_KEY")
    dsn = _read("AUDITOR_DATABASE_URL") or _read("SUPABASE_DB_URL")
    asked = _read(SINK_VARIABLE)
    if asked and asked not in SINKS:
        raise ValueError(f"{SINK_VARIABLE} has to be one of {', '.join(SINKS)}, not {asked}")
    chosen = asked or ("edge" if url and key else "dsn" if dsn else "")
    if not chosen:
        return None
    if chosen == "dsn":
        if not dsn:
            raise ValueError(f"{SINK_VARIABLE}=dsn needs AUDITOR_DATABASE_URL or SUPABASE_DB_URL")
        return DsnSink(dsn)
    if not (url and key):
        raise ValueError(f"{SINK_VARIABLE}={chosen} needs SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY")
    if not re.match(r"https?://[^\s/]+", url) or not (key.isascii() and key.isprintable()):
        raise ValueError("SUPABASE_URL has to be an http(s) address and its key plain text")
    if chosen == "rest":
        return HttpSink(f"{url}/rest/v1/rpc/ingest_cache_metrics", key, profile="monitoring")
    return HttpSink(f"{url}/functions/v1/cache-metrics-aggregator", key)


@contextlib.contextmanager
def _cut_off_after(deadline: float, cut: Callable[[], object]) -> Iterator[None]:
    """Shut the connection's socket down at the deadline: that ends a read, however the server hangs or drips."""

    def late() -> None:
        with contextlib.suppress(OSError):
            cut()

    timer = threading.Timer(deadline, late)
    timer.daemon = True
    try:
        with contextlib.suppress(RuntimeError):  # no thread is begun while the interpreter ends
            timer.start()
        yield
    finally:
        timer.cancel()


def _told(body: bytes) -> str:
    """The sentence in an answer."""
    text = body[:2000].decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        answer = json.loads(text)
        if isinstance(answer, dict):
            text = str(answer.get("message") or answer.get("error") or text)
    return " ".join(text.split())[:200]


def _password(dsn: str) -> str:
    from psycopg.conninfo import conninfo_to_dict

    try:
        return str(conninfo_to_dict(dsn).get("password") or "")
    except Exception:  # noqa: BLE001 - what libpq cannot read is hidden whole
        return dsn


def _without_password(dsn: str) -> str:
    text = re.sub(r"://[^@/]*@", "://", dsn)
    return re.sub(r"password\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]*)", "", text)


def _read(name: str) -> str:
    return os.environ.get(name, "").strip()
