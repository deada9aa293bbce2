"""The ledger of calls over either transport."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from auditor.database.calls import PostgresCalls
from auditor.database.explanations import Explanations
from auditor.database.rest import SupabaseCalls
from tests.supabase.standing import running_supabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Opened = Callable[[str], Explanations]


@pytest.fixture(params=["postgresql", "postgrest"])
def carrier(request: pytest.FixtureRequest, database: str) -> Iterator[Callable[[], Any]]:
    """Makes carriers of calls to the test's database, over either transport."""
    if request.param == "postgresql":
        yield lambda: PostgresCalls(database)
        return
    with running_supabase(database) as project:
        yield lambda: SupabaseCalls(project.url, SecretStr(project.service_key))


@pytest.fixture
async def opened(carrier: Callable[[], Any]) -> AsyncIterator[Opened]:
    """Opens the ledger for a worker of a given name."""
    async with contextlib.AsyncExitStack() as stack:

        def open_for(worker: str) -> Explanations:
            database = Explanations(carrier(), worker=worker, patience_seconds=5)
            stack.push_async_callback(database.close)
            return database

        yield open_for
