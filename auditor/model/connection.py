"""The openai client as the auditor uses it, and its exceptions as typed failures: the one place that knows the library."""

from __future__ import annotations

import errno
import os
import ssl
from typing import TYPE_CHECKING, Any, Final

import httpx2
from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncAzureOpenAI,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
)

from auditor.model.failure import ModelFailure, Reason
from auditor.model.refusals import failure_of_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from auditor.model.options import ModelOptions
    from auditor.model.told import Server

PLACEHOLDER_KEY: Final = "none"
"""Sent where no key is set; servers that ask for none pass over it."""

MOST_BYTES: Final = 4_194_304
"""No explanation fills a hundredth of it; without a limit a broken server could fill the memory within the deadline."""

CONNECT_SHARE: Final = 0.4
"""Of the time left, for the connection and for the handshake each."""


class Connection:
    """The library's client of one server: no retries of its own, no redirects, no answer of more than MOST_BYTES."""

    def __init__(self, options: ModelOptions, server: Server) -> None:
        self._server = server
        self._connect_seconds = options.connect_seconds
        self._client = _library_client(options)

    async def ask(self, arguments: dict[str, Any], left: float) -> bytes:
        """The body of a successful answer; `left` are the seconds until the caller's deadline, which it enforces itself.

        The library leaves a socket open that is cancelled amid a TLS handshake, so its own limit comes before the deadline.

        Raises
        ------
        ModelFailure
            For every other status, and for everything that the library raises.
        """
        connect = min(self._connect_seconds, left * CONNECT_SHARE)
        try:
            response = await self._client.chat.completions.with_raw_response.create(
                **arguments, timeout=httpx2.Timeout(None, connect=connect)
            )
        except Exception as error:  # noqa: BLE001 - the boundary to a library and a server that may do anything
            failure = _failure_of(error, self._server)
        else:
            body: bytes = response.http_response.content
            return body
        raise failure  # out here it has no context: nothing that holds the request's headers

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()


def _library_client(options: ModelOptions) -> AsyncOpenAI:
    transport = DefaultAsyncHttpxClient(
        follow_redirects=False,
        limits=httpx2.Limits(
            max_connections=options.concurrency, max_keepalive_connections=options.concurrency
        ),
        event_hooks={"response": [_limit_body]},
        headers={"Accept-Encoding": "identity"},
    )
    key = options.secret or PLACEHOLDER_KEY
    if options.api_version is None:
        return AsyncOpenAI(api_key=key, base_url=options.url, max_retries=0, http_client=transport)
    return AsyncAzureOpenAI(
        api_key=key,
        api_version=options.api_version,
        azure_endpoint=options.url.removesuffix("/openai"),
        max_retries=0,
        http_client=transport,
    )


class _BodyBrokenError(httpx2.ReadError):
    """The connection broke after the answer had begun."""


class _BodyTooLargeError(httpx2.ReadError):
    """The answer has more bytes than any answer can have."""


async def _limit_body(response: httpx2.Response) -> None:
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _LimitedBody(response.stream)


class _LimitedBody(httpx2.AsyncByteStream):
    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        count = 0
        try:
            async for chunk in self._body:
                count += len(chunk)
                if count > MOST_BYTES:
                    break
                yield chunk
        except httpx2.RequestError as error:
            raise _BodyBrokenError(type(error).__name__) from error
        if count > MOST_BYTES:
            raise _BodyTooLargeError(f"more than {MOST_BYTES} bytes")

    async def aclose(self) -> None:
        await self._body.aclose()


def _failure_of(error: Exception, server: Server) -> ModelFailure:
    """The typed failure of whatever the library raised; texts of exceptions are not quoted, for some hold the key."""
    if isinstance(error, APIStatusError):
        headers = {name.lower(): value for name, value in error.response.headers.items()}
        return failure_of_status(error.status_code, error.body, headers, server)
    causes = _causes(error)
    for kind, reason, sentence in _FAILURES:
        if any(isinstance(cause, kind) for cause in causes):
            return ModelFailure(reason, sentence.format(server=server, why=_why(causes)))
    return ModelFailure(
        Reason.MALFORMED,
        f"The call to {server} failed in an unforeseen way ({type(error).__name__}): is it a server that speaks "
        "OpenAI's interface?",
    )


def _causes(error: BaseException) -> list[BaseException]:
    """The exception and what caused it, outermost first."""
    causes: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in causes:
        causes.append(step)
        step = step.__cause__ or step.__context__
    return causes


def _why(causes: list[BaseException]) -> str:
    """What the operating system says, where it says something; it knows no keys."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            known = os.strerror(cause.errno) if cause.errno in errno.errorcode else cause.strerror
            return f" ({known.rstrip('.')})"
    return ""


_FAILURES: Final[tuple[tuple[type[BaseException], Reason, str], ...]] = (
    (
        _BodyTooLargeError,
        Reason.TOO_LARGE,
        f"{{server}} answered with more than {MOST_BYTES // 2**20} MiB: is it a server that speaks OpenAI's interface?",
    ),
    (
        _BodyBrokenError,
        Reason.TRUNCATED,
        "{server} broke the connection amid its answer{why}: look at its log and at proxies on the way.",
    ),
    (
        APITimeoutError,
        Reason.UNREACHABLE,
        "{server} does not take a connection: check OPENAI_BASE_URL, and the firewall.",
    ),
    (
        ssl.SSLCertVerificationError,
        Reason.UNREACHABLE,
        "The certificate of {server} is not trusted: name its authority in SSL_CERT_FILE.",
    ),
    (
        ssl.SSLError,
        Reason.UNREACHABLE,
        "{server} does not speak TLS: does OPENAI_BASE_URL have to start with http://?",
    ),
    (
        httpx2.DecodingError,
        Reason.MALFORMED,
        "The answer of {server} is compressed in a way that cannot be read: look at proxies on the way.",
    ),
    (
        httpx2.LocalProtocolError,
        Reason.BAD_REQUEST,
        "The request to {server} cannot be sent: is OPENAI_API_KEY a key that was pasted alone?",
    ),
    (
        APIConnectionError,
        Reason.UNREACHABLE,
        "{server} cannot be reached{why}: is it running, and is OPENAI_BASE_URL right?",
    ),
)
"""What a connection can meet, the most telling first."""
