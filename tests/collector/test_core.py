"""The collector's core: nothing lost uncounted, nothing counted twice, from any number of threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from auditor.collector import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

Event = dict[str, Any]


class Flaky:
    """A sink that stores by id, as the database does; it fails when told to, before or after it has stored."""

    def __init__(self) -> None:
        self.stored: dict[str, Event] = {}
        self.calls: list[list[str]] = []
        self.failing: Iterator[str] = iter(())

    def __call__(self, events: list[Event]) -> dict[str, Any]:
        self.calls.append([event["id"] for event in events])
        fails = next(self.failing, "")
        if fails == "before":
            raise ConnectionError("gone")
        for event in events:
            self.stored.setdefault(event["id"], dict(event))
        if fails == "after":
            raise TimeoutError("no answer")
        return {"accepted": len(events), "rejected": []}


def test_each_operation_becomes_the_event_that_ingest_takes() -> None:
    sink = Flaky()
    collector = Collector(sink, clock=lambda: 1_750_000_000.25)
    collector.record_hit("k", "answers", 0.125, 7)
    collector.record_miss("k", "answers", 400.0)
    collector.record_set("k", "answers", 3.0, 8)
    collector.record_evict("old", "answers", None, 8)
    collector.record_error("k", "answers", "Timeout", "no answer in 30 s")
    assert collector.flush()
    events = list(sink.stored.values())
    assert [event.pop("operation_type") for event in events] == ["hit", "miss", "set", "evict", "error"]
    assert {event.pop("timestamp") for event in events} == {"2025-06-15T15:06:40.250000+00:00"}
    assert len({event.pop("id") for event in events}) == 5
    assert events == [
        {"cache_key": "k", "implementation_type": "answers", "response_time_ms": 0.125, "cache_size": 7},
        {"cache_key": "k", "implementation_type": "answers", "response_time_ms": 400.0},
        {"cache_key": "k", "implementation_type": "answers", "response_time_ms": 3.0, "cache_size": 8},
        {"cache_key": "old", "implementation_type": "answers", "cache_size": 8},
        {
            "cache_key": "k",
            "implementation_type": "answers",
            "error_type": "Timeout",
            "error_message": "no answer in 30 s",
        },
    ]


def test_a_complete_batch_is_sent_at_once_and_the_rest_by_flush() -> None:
    sink = Flaky()
    collector = Collector(sink, batch_size=10)
    for i in range(25):
        collector.record_hit(str(i), "answers", 1.0)
    assert [len(call) for call in sink.calls] == [10, 10]
    assert collector.stats().waiting == 5
    assert collector.flush()
    assert [event["cache_key"] for event in sink.stored.values()] == [str(i) for i in range(25)]
    assert collector.stats().waiting == 0


def test_batch_size_comes_from_the_environment_and_nonsense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = Flaky()
    monkeypatch.setenv("CACHE_METRICS_BATCH_SIZE", "3")
    collector = Collector(sink)
    for _ in range(3):
        collector.record_hit("k", "answers", 1.0)
    assert [len(call) for call in sink.calls] == [3]
    for nonsense in ("0", "-4", "many", "2.5"):
        monkeypatch.setenv("CACHE_METRICS_BATCH_SIZE", nonsense)
        with pytest.raises(ValueError, match="CACHE_METRICS_BATCH_SIZE"):
            Collector(sink)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_failed_batch_is_offered_again_with_the_same_ids_and_stored_once(moment: str) -> None:
    sink = Flaky()
    sink.failing = iter([moment, moment, ""])
    collector = Collector(sink, batch_size=100)
    for i in range(7):
        collector.record_miss(str(i), "answers", 1.0)
    assert not collector.flush()
    assert not collector.flush()
    collector.record_miss("7", "answers", 1.0)
    assert collector.flush()
    assert sink.calls[0] == sink.calls[1] == sink.calls[2]
    assert [event["cache_key"] for event in sink.stored.values()] == [str(i) for i in range(8)]
    stats = collector.stats()
    assert (stats.recorded, stats.sent, stats.waiting, stats.failures) == (8, 8, 0, 2)
    assert stats.last_error in {"ConnectionError: gone", "TimeoutError: no answer"}


def test_a_dead_sink_is_tried_once_a_batch_and_not_once_an_operation() -> None:
    sink = Flaky()
    sink.failing = iter(["before"] * 1000)
    collector = Collector(sink, batch_size=10)
    for _ in range(100):
        collector.record_hit("k", "answers", 1.0)
    assert len(sink.calls) <= 10
    assert collector.stats().waiting == 100


def test_a_full_memory_drops_the_oldest_that_is_not_with_the_sink_and_counts_it() -> None:
    sink = Flaky()
    sink.failing = iter(["before"] * 12)
    collector = Collector(sink, batch_size=10, max_events=50)
    for i in range(80):
        collector.record_hit(str(i), "answers", 1.0)
    stats = collector.stats()
    assert (stats.waiting, stats.dropped, stats.recorded) == (50, 30, 80)
    sink.failing = iter(())
    assert collector.flush()
    assert [event["cache_key"] for event in sink.stored.values()] == [
        str(i) for i in (*range(10), *range(40, 80))
    ]


def test_threads_lose_and_double_nothing_while_the_sink_fails_at_random() -> None:
    sink = Flaky()
    random = np.random.default_rng(5)
    sink.failing = iter(random.choice(["", "before", "after"], 100_000, p=[0.5, 0.25, 0.25]).tolist())
    collector = Collector(sink, batch_size=37, max_events=10**6)

    def work(name: int) -> None:
        for i in range(3000):
            collector.record_hit(f"{name}:{i}", "answers", 1.0)
            stats = collector.stats()
            assert stats.recorded == stats.sent + stats.waiting + stats.dropped

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while not collector.flush():
        pass
    assert len(sink.stored) == 24_000
    assert {event["cache_key"] for event in sink.stored.values()} == {
        f"{n}:{i}" for n in range(8) for i in range(3000)
    }


def test_recording_does_not_wait_for_a_sink_that_hangs() -> None:
    hanging, released = threading.Event(), threading.Event()

    def sink(_events: list[Event]) -> None:
        hanging.set()
        released.wait(30)

    collector = Collector(sink, batch_size=10)
    for _ in range(9):
        collector.record_hit("k", "answers", 1.0)
    thread = threading.Thread(target=collector.flush)
    thread.start()
    hanging.wait(30)
    for _ in range(9):
        collector.record_hit("k", "answers", 1.0)
    assert collector.stats().waiting == 18
    released.set()
    thread.join()


def test_odd_values_are_refused_by_the_database_one_by_one_and_hold_up_nothing(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:

        def sink(events: list[Event]) -> dict[str, Any]:
            row = connection.execute(
                "select monitoring.ingest_cache_metrics(%s)", (Jsonb(events),)
            ).fetchone()
            assert row is not None
            answer: dict[str, Any] = row[0]
            return answer

        collector = Collector(sink)
        collector.record_hit("fine", "answers", np.float32(1.5), np.int64(3))  # type: ignore[arg-type]
        collector.record_hit("nul\x00 and \ud800 surrogate", "answers", 1.0)
        collector.record_hit("not a number", "answers", float("nan"))
        collector.record_hit("endless", "answers", float("inf"))
        collector.record_hit("a word", "answers", "quick")  # type: ignore[arg-type]
        collector.record_hit(("a", "tuple"), "answers", 2.0)  # type: ignore[arg-type]
        assert collector.flush()
        stats = collector.stats()
        assert (stats.sent, stats.rejected, stats.waiting) == (6, 3, 0)
        stored = connection.execute(
            "select cache_key, response_time_ms from monitoring.cache_metrics order by 2, 1"
        ).fetchall()
        assert stored == [("nul\ufffd and ? surrogate", 1.0), ("fine", 1.5), ("('a', 'tuple')", 2.0)]


def test_batches_sent_again_count_once_in_the_windows(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        answers = iter(["lost", "lost", ""] * 50)

        def sink(events: list[Event]) -> object:
            row = connection.execute(
                "select monitoring.ingest_cache_metrics(%s)", (Jsonb(events),)
            ).fetchone()
            if next(answers) == "lost":
                raise ConnectionError("the answer was lost")
            return row

        collector = Collector(sink, batch_size=20)
        for i in range(100):
            (collector.record_hit if i % 4 else collector.record_miss)(f"k{i}", "answers", 1.0 + i)
        while not collector.flush():
            pass
        totals = connection.execute(
            "select sum(total_operations)::int, sum(hits)::int, sum(misses)::int from monitoring.cache_metrics_1min"
        ).fetchone()
        assert totals == (100, 75, 25)


def test_importing_the_collector_pulls_in_nothing_heavy() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys, auditor.collector\nprint([m for m in sys.modules if m.split('.')[0] in"
                " ('numpy', 'scipy', 'pydantic', 'structlog', 'psycopg', 'openai', 'cachetools')])"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"
