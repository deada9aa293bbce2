"""`auditor migrate`, as a command prints it."""

from __future__ import annotations

import json

import pytest

from auditor.commands.migrate import migrate
from auditor.database.connect import check_database
from auditor.database.migrations import read_migrations
from auditor.errors import DependencyUnreachable
from auditor.settings import Settings


def test_a_dry_run_then_a_run_then_nothing_left(
    empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(database_url=empty_database)
    files = [migration.file for migration in read_migrations()]
    migrate(dry_run=True, output_format="json", settings=settings)
    assert json.loads(capsys.readouterr().out) == {"dry_run": True, "applied": files, "already_applied": []}
    migrate(settings=settings)
    assert capsys.readouterr().out.splitlines() == [f"applied  {name}" for name in files]
    check_database(empty_database)
    migrate(settings=settings)
    assert f"up to date ({len(files)} migrations)" in capsys.readouterr().out
    migrate(output_format="json", settings=settings)
    assert json.loads(capsys.readouterr().out) == {"dry_run": False, "applied": [], "already_applied": files}


def test_a_database_out_of_reach_is_named() -> None:
    with pytest.raises(DependencyUnreachable, match="nothing listens at /nowhere"):
        migrate(settings=Settings(database_url="host=/nowhere"))
