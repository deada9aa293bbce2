"""Forks, kills and the ends of processes: nothing twice, nothing lost beyond what was said to be at risk."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

import pytest

import auditor.collector as public
from tests.collector.processes import finished, in_process

if TYPE_CHECKING:
    from tests.collector.backends import Backend


def test_a_fork_sends_nothing_twice_and_both_go_on(backend: Backend) -> None:
    script = """
        import os, sys
        for i in range(10): record_cache_hit(f"before {i}", "answers", 1.0)
        child = os.fork()
        for i in range(10): record_cache_hit(f"{'parent' if child else 'child'} {i}", "answers", 1.0)
        if not child:
            stats = get_collector().get_stats()
            assert stats["recorded"] == 10 and stats["pid"] == os.getpid(), stats
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert get_collector().get_stats()["recorded"] == 20
    """
    finished(in_process(script, backend, CACHE_METRICS_FLUSH_INTERVAL="3600"))
    assert sorted(backend.store.keys) == sorted(
        f"{who} {i}" for who in ("before", "parent", "child") for i in range(10)
    )
    assert sum(count for *_, count in backend.requests) == 30


def test_a_fork_in_the_middle_of_the_senders_first_import_leaves_the_child_working(backend: Backend) -> None:
    script = """
        import os, sys, time
        record_cache_hit("parent", "answers", 1.0)
        while "httpx" not in sys.modules: time.sleep(0.0005)
        child = os.fork()
        if not child:
            record_cache_hit("child", "answers", 1.0)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    finished(in_process(script, backend, CACHE_METRICS_BATCH_SIZE="1", CACHE_METRICS_FLUSH_INTERVAL="0.01"))
    assert sorted(backend.store.keys) == ["child", "parent"]


def test_forks_while_threads_record_and_the_backend_is_away_lock_nobody_up(backend: Backend) -> None:
    backend.plan = ["drop"] * 100_000
    script = """
        import logging, os, sys, threading
        logging.disable()
        done = threading.Event()
        def work():
            while not done.is_set(): record_cache_hit("busy", "threads", 1.0)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads: thread.start()
        children = []
        for n in range(10):
            child = os.fork()
            if not child:
                for i in range(20): record_cache_hit(f"{n}:{i}", "children", 1.0)
                get_collector().stop(0.5)
                assert get_collector().get_stats()["waiting"] == 0
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 10
        done.set()
        for thread in threads: thread.join()
        get_collector().stop(0.5)
        stats = get_collector().get_stats()
        assert stats["recorded"] == stats["spooled"] + stats["dropped"], stats
    """
    finished(in_process(script, backend, CACHE_METRICS_BATCH_SIZE="100"))
    backend.plan = []
    finished(in_process('record_cache_hit("last", "last", 1.0); get_collector().stop(60)', backend))
    children = [
        event for event in backend.store.stored.values() if event["implementation_type"] == "children"
    ]
    assert sorted(event["cache_key"] for event in children) == sorted(
        f"{n}:{i}" for n in range(10) for i in range(20)
    )


def test_a_kill_loses_no_more_than_was_said_to_be_at_risk(backend: Backend) -> None:
    backend.plan = ["drop"] * 10_000
    script = """
        import json, time
        for i in range(3000):
            record_cache_hit(str(i), "answers", 1.0)
            if i % 100 == 0:
                time.sleep(0.02)
        print(json.dumps(get_collector().get_stats()), flush=True)
        time.sleep(60)
    """
    process = in_process(script, backend, CACHE_METRICS_BATCH_SIZE="100")
    assert process.stdout is not None
    stats = json.loads(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    backend.plan = []
    finished(in_process('record_cache_hit("next", "answers", 1.0)', backend))
    assert stats["recorded"] == 3000
    assert 3000 - stats["at_risk"] <= len(backend.store.stored) - 1 <= 3000
    assert stats["at_risk"] <= stats["most_at_risk"]
    assert backend.store.keys[:-1] == [str(i) for i in range(len(backend.store.keys) - 1)]


def test_the_next_process_sends_what_the_last_one_could_not(backend: Backend) -> None:
    backend.plan = ["drop"] * 100
    finished(in_process('for i in range(25): record_cache_hit(str(i), "answers", 1.0)', backend))
    assert backend.store.keys == []
    backend.plan = []
    script = 'record_cache_hit("25", "answers", 1.0); get_collector().stop(); print(get_collector().get_stats()["adopted"])'
    assert finished(in_process(script, backend)) == "25\n"
    assert backend.store.keys == [str(i) for i in range(26)]


def test_the_end_of_a_process_sends_what_is_left(backend: Backend) -> None:
    script = 'for i in range(25): record_cache_hit(str(i), "answers", 1.0)'
    finished(in_process(script, backend, CACHE_METRICS_FLUSH_INTERVAL="3600"))
    assert backend.store.keys == [str(i) for i in range(25)]


def _work(name: str) -> None:
    for i in range(5):
        public.record_cache_hit(f"{name} {i}", "answers", 1.0)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_of_multiprocessing_sends_at_its_end(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setenv("SUPABASE_URL", backend.url)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "sb_secret_x")
    worker = multiprocessing.get_context(method).Process(target=_work, args=("worker",))  # type: ignore[attr-defined]
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0
    assert backend.store.keys == [f"worker {i}" for i in range(5)]
