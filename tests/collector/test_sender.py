"""The collector of a process: start and stop, threads, forks, a kill, the end of the process, and what it says of itself."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from auditor.collector import Collector, Sender, Spool
from tests.collector.backends import Backend, Store, wait_until
from tests.collector.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sender() -> Iterator[Sender]:
    made = Sender()
    yield made
    made.stop()


def hits(sender: Sender, first: int, count: int) -> None:
    for i in range(first, first + count):
        sender.record("hit", str(i), "answers", 0.5)


def conserved(stats: dict[str, Any]) -> bool:
    held = stats["sent"] + stats["waiting"] + stats["spooled"] + stats["dropped"]
    return bool(stats["recorded"] + stats["adopted"] == held)


def test_the_interval_and_a_complete_batch_both_send(sender: Sender) -> None:
    sink = Store()
    sender.start(sink, batch_size=10, flush_interval=3600)
    hits(sender, 0, 10)
    wait_until(lambda: len(sink.stored) == 10)
    sender.stop()
    sender.start(sink, batch_size=10, flush_interval=0.05)
    hits(sender, 10, 3)
    wait_until(lambda: len(sink.stored) == 13)


def test_stop_sends_the_rest_and_what_comes_after_is_not_recorded(sender: Sender) -> None:
    sink = Store()
    sender.start(sink, flush_interval=3600)
    hits(sender, 0, 7)
    sender.stop()
    hits(sender, 7, 3)
    assert sink.keys == [str(i) for i in range(7)]
    assert sender.get_stats()["recorded"] == 7
    assert not sender.flush()


def test_a_sender_that_is_not_configured_stays_off_and_says_so_once(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "auditor.collector"):
        hits(sender, 0, 100)
        assert not sender.start()
    assert len(caplog.records) == 1
    assert "SUPABASE_URL" in caplog.text
    stats = sender.get_stats()
    assert (stats["state"], stats["recorded"], stats["waiting"]) == ("disabled", 0, 0)


def test_switched_off_by_the_environment_records_are_nothing(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CACHE_METRICS_ENABLED", "false")
    assert not sender.start(Store())
    hits(sender, 0, 10)
    assert sender.get_stats()["recorded"] == 0
    assert caplog.text == ""


@pytest.mark.parametrize(
    "name", ["CACHE_METRICS_ENABLED", "CACHE_METRICS_BATCH_SIZE", "CACHE_METRICS_FLUSH_INTERVAL"]
)
def test_a_wrong_variable_switches_off_by_name_and_raises_nothing(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    monkeypatch.setenv(name, "perhaps")
    assert not sender.start(Store())
    assert name in caplog.text
    assert name in sender.get_stats()["reason"]


def test_operations_before_the_start_are_sent_after_it(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setenv("SUPABASE_URL", backend.url)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "sb_secret_x")
    hits(sender, 0, 10)
    assert sender.flush()
    assert backend.store.keys == [str(i) for i in range(10)]


def test_while_the_backend_is_away_events_go_to_disk_and_in_order_out_of_it(
    sender: Sender, tmp_path: Path
) -> None:
    sink = Store()
    sink.mode = "before"
    sender.start(sink, batch_size=10, flush_interval=0.02)
    for first in range(0, 100, 10):
        hits(sender, first, 10)
        time.sleep(0.01)
    wait_until(lambda: sender.get_stats()["spooled"] == 100)
    assert sender.get_stats()["at_risk"] == 0
    assert list(tmp_path.rglob("*.jsonl"))
    sink.mode = ""
    wait_until(lambda: len(sink.stored) == 100)
    assert sink.keys == [str(i) for i in range(100)]
    assert conserved(sender.get_stats())


def test_a_backend_that_stays_away_is_asked_ever_less(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.collector.sender.FIRST_DELAY", 0.04)
    asked: list[float] = []

    def sink(_: object) -> None:
        asked.append(time.monotonic())
        raise ConnectionError("gone")

    sender.start(sink, batch_size=1, flush_interval=0.01)
    hits(sender, 0, 1)
    wait_until(lambda: len(asked) >= 6)
    for tries, (before, after) in enumerate(itertools.pairwise(asked)):
        assert after - before >= 0.5 * 0.04 * 2**tries


def test_a_sink_that_hangs_at_the_end_holds_nobody_up_and_its_batch_goes_to_disk(tmp_path: Path) -> None:
    released, hanging = threading.Event(), threading.Event()

    def sink(_: object) -> None:
        hanging.set()
        released.wait(60)

    sender = Sender()
    sender.start(sink, batch_size=10, flush_interval=0.02)
    hits(sender, 0, 10)
    assert hanging.wait(30)
    hits(sender, 10, 5)
    sender.stop(timeout=0.1)
    stats = sender.get_stats()
    assert (stats["spooled"], stats["waiting"], stats["sent"]) == (15, 0, 0)
    released.set()
    wait_until(lambda: "cache-metrics-sender" not in {thread.name for thread in threading.enumerate()})
    assert {**sender.get_stats(), "last_sent_at": None} == stats
    [folder] = (tmp_path / "spool").iterdir()
    later = Store()
    collector = Collector(later, spool=Spool(folder))
    assert collector.adopt() == 15
    assert collector.flush()
    assert later.keys == [str(i) for i in range(15)]


def test_start_and_stop_can_be_awaited_and_the_functions_need_no_loop(tmp_path: Path) -> None:
    script = f"""
        import asyncio, sys
        sys.path.insert(0, {str(ROOT)!r})
        from tests.collector.backends import Store
        sink = Store()
        async def main():
            await start_collector(sink, batch_size=5)
            record_cache_hit("a", "answers", 0.01, 3)
            record_cache_miss("b", "answers", 2)
            record_cache_set("c", "answers", 1.5, cache_size=4)
            record_cache_evict("d", "answers", None)
            record_cache_error("e", "answers", "Timeout", "no answer")
            await stop_collector()
        asyncio.run(main())
        print(sink.keys, get_collector().get_stats()["sent"])
    """
    told = subprocess.run(
        [sys.executable, "-c", "from auditor.collector import *\n" + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert told.stdout == "['a', 'b', 'c', 'd', 'e'] 5\n"


def test_what_could_not_be_kept_is_told_at_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_METRICS_SPOOL_DIR", "/proc/no/such/folder")
    sink = Store()
    sink.mode = "before"
    sender = Sender(max_events=20)
    sender.start(sink, batch_size=10, flush_interval=3600)
    hits(sender, 0, 50)
    sender.stop(1)
    stats = sender.get_stats()
    assert (stats["recorded"], stats["waiting"] + stats["dropped"]) == (50, 50)
    assert f"{stats['waiting']} cache events could be neither sent nor written" in caplog.text
    assert f"{stats['dropped']} cache events were dropped" in caplog.text


def test_recording_in_a_signal_handler_that_interrupts_recording_is_harmless(sender: Sender) -> None:
    sink = Store()
    sender.start(sink, batch_size=7, flush_interval=0.01)
    count = 0

    def handle(*_: object) -> None:
        nonlocal count
        count += 1
        sender.record("hit", "signal", "answers", 1.0)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        hits(sender, 0, 20_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    sender.stop(30)
    assert count > 0
    assert len(sink.stored) == 20_000 + count == sender.get_stats()["recorded"]


async def test_the_event_loop_goes_on_while_the_collector_stops() -> None:
    sender = Sender()
    released = threading.Event()
    sender.start(lambda _: released.wait(30), flush_interval=3600)
    hits(sender, 0, 3)
    stopping = asyncio.create_task(asyncio.to_thread(sender.stop, 20))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    released.set()
    await stopping
    assert sender.get_stats()["sent"] == 3


def test_importing_and_recording_pull_in_no_client(tmp_path: Path) -> None:
    script = """
        import sys
        record_cache_hit("k", "answers", 1.0)
        heavy = ("numpy", "scipy", "openai", "httpx", "psycopg", "pydantic", "structlog", "supabase", "asyncio")
        print([name for name in heavy if name in sys.modules])
    """
    told = subprocess.run(
        [sys.executable, "-c", "from auditor.collector import *\n" + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert told.stdout == "[]\n"
