"""The Supabase CLI itself, without Docker: `db push` applies the migrations, `functions deploy` sends the aggregator; both read the config."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from auditor.database.migrations import apply_migrations, read_migrations
from tests.aggregator.conftest import FUNCTION, REPOSITORY
from tests.aggregator.management import managing
from tests.database.proxy import Proxy
from tests.servers.discovery import supabase_cli

if TYPE_CHECKING:
    from pathlib import Path


def called(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the CLI does in this repository."""
    program = supabase_cli()
    assert program is not None
    given = {"PATH": os.defpath, "HOME": str(home), "SUPABASE_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"}
    return subprocess.run(
        [program, *arguments, "--workdir", str(REPOSITORY)],
        env=given | environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def pushed(dsn: str, home: Path) -> subprocess.CompletedProcess[str]:
    """What `supabase db push` says on a database behind a TCP port."""
    parts = conninfo_to_dict(dsn)
    url = f"postgresql://postgres:any@127.0.0.1:{parts['port']}/{parts['dbname']}?sslmode=disable"
    return called(home, "db", "push", "--db-url", url, "--yes")


def test_functions_deploy_sends_the_aggregator_as_it_is(tmp_path: Path) -> None:
    function = FUNCTION.relative_to(REPOSITORY).as_posix()
    profile = tmp_path / "profile.yaml"
    with managing() as management:
        profile.write_text(management.profile)
        deploy = ("functions", "deploy", "--use-api", "--project-ref", "a" * 20, "--profile", str(profile))
        ended = called(tmp_path, *deploy, SUPABASE_ACCESS_TOKEN=f"sbp_{'0' * 40}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    [(asked, parts)] = management.deployed.items()
    assert asked.endswith("/functions/deploy?slug=cache-metrics-aggregator")
    metadata = json.loads(parts.pop("metadata"))
    assert metadata["verify_jwt"] is False
    assert metadata["entrypoint_path"] == f"{function}/index.ts"
    assert metadata["import_map_path"] == f"{function}/deno.json"
    assert parts == {
        f"{function}/{name}": (FUNCTION / name).read_bytes() for name in ("index.ts", "deno.json")
    }


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
