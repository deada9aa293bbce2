"""A throw-away embedded server with the schema, for the benchmarks."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.database.embedded import EmbeddedServer
from auditor.database.migrations import apply_migrations

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def database(*, durable: bool) -> Iterator[str]:
    """The connection string of a migrated database; `durable` keeps every commit's wait for the disk."""
    with (
        tempfile.TemporaryDirectory(prefix="auditor-") as folder,
        EmbeddedServer(Path(folder), durable=durable) as server,
    ):
        apply_migrations(server.dsn)
        yield server.dsn
