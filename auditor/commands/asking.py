"""One question to the database that the settings name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from auditor.database.resolve import resolve_database
from auditor.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def asked(ask: Callable[[str], T]) -> T:
    """What `ask` answers when it is given the connection string; the embedded server runs for as long as it takes."""

    async def ask_it() -> T:
        async with resolve_database(read_settings()) as dsn:
            return await asyncio.to_thread(ask, dsn)

    return asyncio.run(ask_it())
