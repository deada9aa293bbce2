"""A Supabase project over a migrated database for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.supabase.standing import Supabase, running_supabase

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def project(database: str) -> Iterator[Supabase]:
    """A running project of the test's own."""
    with running_supabase(database) as running:
        yield running
