"""An environment that names no backend, a spool of the test's own, and a backend that listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.collector.backends import Backend, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VARIABLES = (
    "SUPABASE_URL",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SUPABASE_SECRET_KEY",
    "SUPABASE_DB_URL",
    "AUDITOR_DATABASE_URL",
    "CACHE_METRICS_SINK",
    "CACHE_METRICS_ENABLED",
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHE_METRICS_SPOOL_DIR", str(tmp_path / "spool"))


@pytest.fixture
def backend() -> Iterator[Backend]:
    with serving() as opened:
        yield opened
