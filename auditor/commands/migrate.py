"""`auditor migrate`: bring the database's schema up to this installation."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from auditor.commands.printing import counted
from auditor.database.migrations import Migrated, apply_migrations
from auditor.database.resolve import resolve_database
from auditor.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def migrate(dry_run: bool = False, output_format: str = "text", settings: Settings | None = None) -> None:
    """Apply the migrations that the database lacks, or with `dry_run` name them; print what was done.

    Raises
    ------
    BadInput
        If an applied migration has changed since, or one fails.
    DependencyUnreachable
        If the database cannot be reached.
    """
    outcome = asyncio.run(_migrate(settings or read_settings(), dry_run=dry_run))
    if output_format == "json":
        print(json.dumps(_as_json(outcome, dry_run=dry_run)))
        return
    for name in outcome.applied:
        print(f"{'would apply' if dry_run else 'applied'}  {name}")
    if not outcome.applied:
        print(f"The schema is up to date ({counted(len(outcome.already), 'migration')}).")


async def _migrate(settings: Settings, *, dry_run: bool) -> Migrated:
    async with resolve_database(settings, migrate=False, check=False) as dsn:
        return await asyncio.to_thread(apply_migrations, dsn, dry_run=dry_run)


def _as_json(outcome: Migrated, *, dry_run: bool) -> Mapping[str, Any]:
    return {"dry_run": dry_run, "applied": list(outcome.applied), "already_applied": list(outcome.already)}
