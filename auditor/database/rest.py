"""Calls of the SQL functions through supabase-py: each with a deadline, tried again where that is safe and can help."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import httpx
import stamina
import structlog
from postgrest.exceptions import APIError

from auditor.database import rest_failures
from auditor.database.rest_failures import RestFailure
from auditor.errors import BadInput, DependencyUnreachable
from supabase import AsyncClient, AsyncClientOptions, AsyncSupabaseException, acreate_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

_log = structlog.get_logger(__name__)

SCHEMA: Final = "monitoring"
CALL_SECONDS: Final = 20.0
"""The longest that one request may take; Supabase ends a statement of the API's roles after 8 s."""


class SupabaseCalls:
    """The SQL functions of one project, for one caller at a time.

    Every function of the contract may be repeated: a request whose answer was lost does nothing the second time.

    Parameters
    ----------
    url, key
        The project's address and its service_role JWT or `sb_secret_` key.
    call_seconds
        The longest that one request may take.
    patience_seconds
        How long a call goes on trying before it raises.
    """

    def __init__(
        self, url: str, key: SecretStr, *, call_seconds: float = CALL_SECONDS, patience_seconds: float = 30.0
    ) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._call_seconds = call_seconds
        self._patience_seconds = patience_seconds
        self._client: AsyncClient | None = None
        self._http: httpx.AsyncClient | None = None
        self._status = 0
        self._media = ""
        self._turn = asyncio.Lock()

    async def call(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of a function, as JSON.

        Raises
        ------
        DependencyUnreachable
            If the project does not answer, or refuses for a reason that an operator can mend; the sentence says how.
        AuditorError
            If the function itself refuses.
        """
        try:
            async with self._turn:
                return await self._patiently(function, arguments)
        except RestFailure as failure:
            raise rest_failures.explain(failure, self.url, function) from None

    async def call_once(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of a function that is asked once only.

        Raises
        ------
        RestFailure
            If it fails in any way.
        """
        async with self._turn:
            return await self._once(function, arguments)

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        if self._http is not None:
            await self._http.aclose()
        self._http = self._client = None

    async def _patiently(self, function: str, arguments: Mapping[str, Any]) -> Any:
        attempts = stamina.retry_context(
            on=lambda error: isinstance(error, RestFailure) and error.is_passing,
            attempts=None,
            timeout=self._patience_seconds,
            wait_initial=0.1,
            wait_max=5.0,
            wait_jitter=0.5,
        )
        async for attempt in attempts:
            with attempt:
                return await self._once(function, arguments)
        raise DependencyUnreachable(
            f"The Supabase project at {rest_failures.place(self.url)} does not answer."
        )

    async def _once(self, function: str, arguments: Mapping[str, Any]) -> Any:
        client = await self._connected()
        self._status = 0
        try:
            async with asyncio.timeout(self._call_seconds):
                answer = await client.schema(SCHEMA).rpc(function, dict(arguments)).execute()
        except TimeoutError:
            await self.close()  # a connection whose answer is still on its way must not be used again
            raise RestFailure(0, "", f"no answer within {self._call_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise RestFailure(0, "", str(error) or type(error).__name__) from None
        except APIError as error:
            raise RestFailure(self._status, error.code or "", error.message or "") from None
        if (
            self._status != httpx.codes.NO_CONTENT and "json" not in self._media
        ):  # the client gives a page as text
            raise RestFailure(502, "", f"an answer of {self._media or 'no type'} in place of JSON")
        return answer.data

    async def _connected(self) -> AsyncClient:
        if self._client is not None:
            return self._client

        async def note(response: httpx.Response) -> None:
            self._status = response.status_code
            self._media = response.headers.get("content-type", "")

        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(self._call_seconds, connect=10.0),
            limits=httpx.Limits(max_connections=4, keepalive_expiry=30.0),
            event_hooks={"response": [note]},
        )
        options = AsyncClientOptions(
            schema=SCHEMA, auto_refresh_token=False, persist_session=False, httpx_client=self._http
        )
        try:
            self._client = await acreate_client(self.url, self._key.get_secret_value(), options)
        except (AsyncSupabaseException, ValueError) as error:
            with contextlib.suppress(httpx.HTTPError):
                await self._http.aclose()
            raise BadInput(f"SUPABASE_URL or SUPABASE_SERVICE_ROLE_KEY cannot be used: {error}.") from None
        return self._client
