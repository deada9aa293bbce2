"""The Supabase CLI's own `db push` applies the migrations, and reads the config, without Docker."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from auditor.database.migrations import apply_migrations, read_migrations
from tests.aggregator.conftest import REPOSITORY
from tests.database.proxy import Proxy
from tests.servers.discovery import supabase_cli

if TYPE_CHECKING:
    from pathlib import Path


def pushed(dsn: str, home: Path) -> subprocess.CompletedProcess[str]:
    """What `supabase db push` says on a database behind a TCP port."""
    program = supabase_cli()
    assert program is not None
    parts = conninfo_to_dict(dsn)
    url = f"postgresql://postgres:any@127.0.0.1:{parts['port']}/{parts['dbname']}?sslmode=disable"
    return subprocess.run(
        [program, "db", "push", "--db-url", url, "--yes", "--workdir", str(REPOSITORY)],
        env={"PATH": os.defpath, "HOME": str(home), "SUPABASE_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


async def test_db_push_applies_every_migration_and_auditor_migrate_agrees(
    empty_database: str, tmp_path: Path
) -> None:
    async with Proxy(empty_database) as proxy:
        first = await asyncio.to_thread(pushed, proxy.dsn, tmp_path)
        assert first.returncode == 0, first.stdout + first.stderr
        again = await asyncio.to_thread(pushed, proxy.dsn, tmp_path)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "up to date" in (again.stdout + again.stderr).lower()
    with psycopg.connect(empty_database) as connection:
        versions = connection.execute(
            "select array_agg(version order by version) from supabase_migrations.schema_migrations"
        ).fetchone()
        assert versions == ([migration.version for migration in read_migrations()],)
        ingested = connection.execute("select monitoring.ingest_cache_metrics('[]')").fetchone()
        assert ingested is not None
    apply_migrations(empty_database)  # the other runner comes after, and finds nothing in its way
