"""The embedded server's life, with real processes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from auditor.database import keeper
from auditor.database.embedded import EmbeddedServer
from auditor.errors import BadInput, DependencyUnreachable
from tests.database.holding import Holder, eventually, installed_for, is_stopped, postmaster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server; whatever a test left running there is stopped."""
    place = tmp_path / "postgres"
    yield place
    if place.is_dir():
        assert eventually(lambda: keeper.stop_unused(place))


def ask(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchone()[0] if cursor.description else None  # type: ignore[index]


def test_data_survives_a_restart_and_nothing_keeps_running_in_between(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        ask(server.dsn, "create table kept as select 42 as answer")
        first = psutil.Process(postmaster(folder))
    assert is_stopped(folder)
    assert not first.is_running()
    with EmbeddedServer(folder) as server:
        assert ask(server.dsn, "select answer from kept") == 42


def test_a_home_folder_may_be_written_with_a_tilde(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert EmbeddedServer(Path("~/postgres")).folder == folder.resolve()


def test_a_second_hold_within_a_process_joins_and_the_last_to_go_stops(folder: Path) -> None:
    outer, inner = EmbeddedServer(folder, durable=False), EmbeddedServer(folder, durable=False)
    assert outer.start() == inner.start()
    outer.stop()
    assert ask(inner.dsn, "select 1") == 1
    inner.stop()
    assert is_stopped(folder)
    inner.stop()


def test_processes_share_one_server_until_the_last_leaves(folder: Path) -> None:
    with Holder(folder) as first, Holder(folder) as second:
        assert first.dsn() == (dsn := second.dsn())
        first.stop()
        assert ask(dsn, "select 1") == 1
        second.stop()
        assert is_stopped(folder)


def test_processes_that_start_at_the_same_moment_get_one_server(folder: Path) -> None:
    holders = [Holder(folder) for _ in range(4)]
    try:
        dsns = {holder.dsn() for holder in holders}
        assert len(dsns) == 1
        assert ask(dsns.pop(), "select 1") == 1
        for holder in holders:
            holder.stop()
    finally:
        for holder in holders:
            holder.__exit__()
    assert is_stopped(folder)


def test_a_killed_process_neither_keeps_the_server_nor_takes_it_from_others(folder: Path) -> None:
    with Holder(folder) as doomed, Holder(folder) as living:
        dsn = doomed.dsn()
        living.dsn()
        doomed.process.kill()
        doomed.process.wait()
        assert ask(dsn, "select 1") == 1
        living.stop()
        assert is_stopped(folder)


def test_the_server_goes_although_its_last_process_was_killed(folder: Path) -> None:
    with Holder(folder) as holder:
        holder.dsn()
        server = psutil.Process(postmaster(folder))
        holder.process.kill()
        holder.process.wait()
        assert eventually(lambda: is_stopped(folder))
        assert eventually(lambda: not server.is_running())


def test_a_killed_keeper_leaves_the_stop_to_the_last_process(folder: Path) -> None:
    with EmbeddedServer(folder, durable=False):
        parent = psutil.Process(postmaster(folder)).parent()
        assert parent is not None
        parent.kill()
    assert is_stopped(folder)


def test_after_everything_was_killed_the_next_start_recovers(folder: Path) -> None:
    with Holder(folder) as holder:
        dsn = holder.dsn()
        ask(dsn, "create table kept as select 42 as answer")
        server = psutil.Process(postmaster(folder))
        family = [server.parent(), server, *server.children()]
        for process in family:
            assert process is not None
            with contextlib.suppress(psutil.NoSuchProcess):  # a child notices its parent's death at once
                process.kill()
    pid_file = folder / keeper.DATA / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    # The worst case: the dead server's number now belongs to a living process of somebody else.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with EmbeddedServer(folder) as again:
        assert ask(again.dsn, "select answer from kept") == 42


def test_a_server_killed_under_its_holders_is_started_again_for_the_next(folder: Path) -> None:
    with Holder(folder) as holder:
        holder.dsn()
        server = psutil.Process(postmaster(folder))
        server.kill()
        assert eventually(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
        with EmbeddedServer(folder, durable=False) as again:
            assert ask(again.dsn, "select 1") == 1


@pytest.mark.parametrize("seed", [2, 3])
def test_processes_killed_at_random_moments_lose_no_data_and_leave_no_server(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    for stored in range(4):
        holders = []
        for _ in range(3):
            holders.append(Holder(folder))
            time.sleep(chance.random() * 0.15)
            victim = chance.random()
            with contextlib.suppress(IndexError, psutil.Error):  # there may be no server at this moment
                server = psutil.Process(postmaster(folder))
                if victim < 0.2:
                    server.kill()
                elif victim < 0.4:
                    (server.parent() or server).kill()
            if victim > 0.6:
                chance.choice(holders).process.kill()
        for holder in holders:
            holder.process.kill()
            holder.process.communicate()
        with EmbeddedServer(folder) as server_again:
            ask(server_again.dsn, "create table if not exists kept (n int)")
            assert ask(server_again.dsn, "select count(*) from kept") == stored
            ask(server_again.dsn, "insert into kept values (1)")
        assert eventually(lambda: is_stopped(folder))


def test_an_interrupt_from_the_terminal_spares_the_server(folder: Path) -> None:
    with Holder(folder) as holder:
        dsn = holder.dsn()
        os.killpg(holder.process.pid, signal.SIGINT)
        assert holder.hears() == "interrupted"
        assert ask(dsn, "select 1") == 1
        holder.stop()


def test_a_start_that_is_killed_half_way_leaves_nothing_in_the_way(folder: Path) -> None:
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedServer(folder, durable=False) as server:
        assert ask(server.dsn, "select 1") == 1
    assert not list(folder.glob("data.new*"))


def test_a_killed_start_whose_initdb_still_writes_is_in_nobodys_way(folder: Path) -> None:
    draft = folder / "data.new"
    draft.mkdir(parents=True)
    writer = subprocess.Popen(
        [sys.executable, "-c", f"import os\nwhile True: os.makedirs({str(draft / 'base')!r}, exist_ok=True)"]
    )
    try:
        with EmbeddedServer(folder, durable=False) as server:
            assert ask(server.dsn, "select 1") == 1
    finally:
        writer.kill()
        writer.wait()


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
def test_only_a_server_asked_to_be_forgetful_skips_fsync(folder: Path, durable: bool, fsync: str) -> None:
    with EmbeddedServer(folder, durable=durable) as server:
        assert ask(server.dsn, "show fsync") == fsync


def test_a_folder_whose_path_is_too_long_for_a_socket_works(folder: Path) -> None:
    deep = folder / ("d" * 100) / ("e" * 100)
    with EmbeddedServer(deep, durable=False) as server:
        assert ask(server.dsn, "select 1") == 1
        assert not (deep / keeper.DATA / ".s.PGSQL.5432").exists()


def test_nobody_else_can_reach_the_socket_or_the_data(folder: Path) -> None:
    with EmbeddedServer(folder, durable=False) as server:
        where = Path(str(conninfo_to_dict(server.dsn)["host"]))
        assert where.stat().st_mode & 0o077 == 0
        assert server.data.stat().st_mode & 0o077 == 0
        assert ask(server.dsn, "show listen_addresses") == ""


def test_no_folder_above_the_data_is_opened_up(folder: Path) -> None:
    folder.parent.chmod(0o700)
    with EmbeddedServer(folder, durable=False):
        assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_an_ordinary_user_runs_it_too() -> None:
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with installed_for(user) as (home, python, path):
        place = home / "postgres"
        with Holder(place, python=python, path=path, user=user.pw_uid) as holder:
            holder.dsn()
            assert psutil.Process(postmaster(place)).uids().real == user.pw_uid
            holder.stop()
        assert is_stopped(place)


def test_root_and_the_owner_share_an_ordinary_users_server() -> None:
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with installed_for(user) as (home, python, path):
        place = home / "postgres"
        with Holder(place, python=python, path=path, user=user.pw_uid) as holder:
            dsn = holder.dsn()
            with EmbeddedServer(place) as joined:
                assert ask(joined.dsn, "select 1") == ask(dsn, "select 1") == 1
                holder.stop()
                assert ask(joined.dsn, "select 1") == 1
        with EmbeddedServer(place):
            assert psutil.Process(postmaster(place)).uids().real == user.pw_uid
        with Holder(place, python=python, path=path, user=user.pw_uid) as holder:
            holder.dsn()
            holder.stop()


def test_root_runs_it_from_a_checkout_that_only_root_can_enter() -> None:
    """The server must not run as root, so its owner gets a copy of the programs, and no folder is opened up."""
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path; from auditor.database import binaries, embedded\n"
        "binaries.COPY_PLACES = (Path(sys.argv[1]),)\n"
        "with embedded.EmbeddedServer(Path(sys.argv[2], 'postgres')) as server: print(server.dsn)\n"
    )
    with (
        installed_for(pwd.getpwuid(os.geteuid())) as (home, _, path),
        tempfile.TemporaryDirectory() as copies,
    ):
        home.chmod(0o700)
        for _ in range(2):
            run = [sys.executable, "-c", code, copies, path, *sys.path]
            done = subprocess.run(run, capture_output=True, text=True, check=True)
            assert done.stdout.startswith("postgresql://")
        assert home.stat().st_mode & 0o777 == 0o700
        assert len(list(Path(copies).iterdir())) == (1 if os.geteuid() == 0 else 0)


def test_a_folder_removed_under_the_server_ends_it(folder: Path) -> None:
    server = EmbeddedServer(folder, durable=False)
    server.start()
    running = psutil.Process(postmaster(folder))
    shutil.rmtree(folder)
    server.stop()
    assert eventually(lambda: not running.is_running())


def test_a_platform_without_the_wheel_is_told_what_to_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(DependencyUnreachable, match="set AUDITOR_DATABASE_URL"):
        EmbeddedServer(folder).start()


def test_data_of_another_major_version_is_refused_and_untouched(folder: Path) -> None:
    with EmbeddedServer(folder, durable=False):
        pass
    (folder / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(BadInput, match=r"PostgreSQL 16 .*AUDITOR_EMBEDDED_DIR"):
        EmbeddedServer(folder).start()
    (folder / "data" / "PG_VERSION").write_text("18\n")
    with EmbeddedServer(folder, durable=False) as server:
        assert ask(server.dsn, "select 1") == 1


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(BadInput, match=r"file cannot be used .*AUDITOR_EMBEDDED_DIR"):
        EmbeddedServer(place).start()


def test_a_data_folder_that_is_no_cluster_is_named(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "novel.txt").write_text("chapter one")
    with pytest.raises(BadInput, match="not a PostgreSQL cluster"):
        EmbeddedServer(folder).start()
    assert (folder / "data" / "novel.txt").exists()


def test_a_folder_that_cannot_be_written_is_named() -> None:
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with installed_for(user) as (home, python, path), tempfile.TemporaryDirectory(dir=home) as closed:
        Path(closed).chmod(0o500)
        with Holder(Path(closed) / "postgres", python=python, path=path, user=user.pw_uid) as holder:
            said = holder.hears()
        assert said.startswith("failed BadInput")
        assert "Permission denied" in said
        Path(closed).chmod(0o700)


def test_a_broken_configuration_is_told_in_the_servers_words(folder: Path) -> None:
    with EmbeddedServer(folder, durable=False):
        pass
    with (folder / "data" / "postgresql.conf").open("a") as conf:
        conf.write("\nmax_connections = 'many'\n")
    with pytest.raises(DependencyUnreachable, match=r"did not start .*postgresql\.conf"):
        EmbeddedServer(folder).start()
    assert is_stopped(folder)
