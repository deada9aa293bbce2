"""What the collector costs: a record's time with 8 threads, the import, and a million events with a backend that comes and goes.

Times of a record are told beside those of an empty function called in the same way, and as ratios to it, for the machine's
speed is in both.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.collector import Collector, Sender, Spool

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8
Event = dict[str, Any]


def main(quick: bool = False) -> dict[str, float]:
    """Measure; fewer operations where it has to be quick."""
    numbers = _record_costs(20_000 if quick else 100_000)
    numbers |= _import_cost(3 if quick else 9)
    numbers |= _conservation(100_000 if quick else 1_000_000)
    return numbers


def _record_costs(count: int) -> dict[str, float]:
    """Microseconds of a record in each of 8 threads that do nothing else, the sender and its backend among them."""

    def nothing(*_: object) -> None:
        pass

    empty = _timed_in_threads(nothing, count)
    numbers = {"an empty call, median us": _quantile(empty, 0.5)}
    for name, paced in (("flat out", 0.0), ("10,000 a second", THREADS / 10_000)):
        sender = Sender()
        with tempfile.TemporaryDirectory() as folder:
            sender.start(lambda _: None, spool_dir=Path(folder))
            times = _timed_in_threads(sender.record, count if not paced else count // 10, paced)
            stats = sender.get_stats()
            sender.stop()
        expected = THREADS * (count if not paced else count // 10)
        assert stats["recorded"] == expected, (stats, expected)
        median, p99 = _quantile(times, 0.5), _quantile(times, 0.99)
        print(
            f"a record, {THREADS} threads, {name:16} median {median:6.2f} us, p99 {p99:6.2f} us,"
            f" {median / numbers['an empty call, median us']:4.1f} times an empty call; {stats['dropped']:,} dropped"
        )
        numbers |= {
            f"a record, {name}, median us": median,
            f"a record, {name}, p99 us": p99,
            f"a record, {name}, times an empty call": median / numbers["an empty call, median us"],
        }
    return numbers


def _timed_in_threads(record: Callable[..., None], count: int, pause: float = 0.0) -> list[int]:
    """Nanoseconds of each call."""
    gathered: list[list[int]] = []
    start = threading.Barrier(THREADS)

    def work() -> None:
        clock = time.perf_counter_ns
        times = [0] * count
        start.wait()
        for i in range(count):
            began = clock()
            record("hit", "user:4711", "answers", 0.125, 1500)
            times[i] = clock() - began
            if pause:
                time.sleep(pause)
        gathered.append(times)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [took for times in gathered for took in times]


def _quantile(times: list[int], at: float) -> float:
    return sorted(times)[int(at * (len(times) - 1))] / 1000


def _import_cost(runs: int) -> dict[str, float]:
    """Milliseconds that the import takes of a new interpreter, by the clock and by the processor: a busy machine has both apart."""
    script = (
        "import time; t, c = time.perf_counter(), time.process_time(); import auditor.collector;"
        " print(time.perf_counter() - t, time.process_time() - c)"
    )
    took = [
        [1000 * float(number) for number in subprocess.check_output([sys.executable, "-c", script]).split()]
        for _ in range(runs)
    ]
    clock, processor = (statistics.median(times) for times in zip(*took, strict=True))
    print(f"import auditor.collector {clock:.0f} ms, of which the processor worked {processor:.0f} ms")
    return {"import, ms": clock, "import, ms of the processor": processor}


class _Backend:
    """A sink that stores by id, is away for half a second at random, and sometimes fails after it has stored."""

    def __init__(self) -> None:
        self.rng = random.Random(1)
        self.stored: set[str] = set()
        self.calls = self.duplicates = 0
        self.away_until = 0.0

    def __call__(self, events: list[Event]) -> None:
        self.calls += 1
        if time.monotonic() < self.away_until:
            time.sleep(0.01)
            raise ConnectionError("down")
        before = len(self.stored)
        self.stored.update(event["id"] for event in events)
        self.duplicates += len(events) - (len(self.stored) - before)
        fate = self.rng.random()
        if fate < 0.05:
            self.away_until = time.monotonic() + self.rng.random()
        elif fate < 0.15:
            raise TimeoutError("the answer was lost")


def _conservation(count: int) -> dict[str, float]:
    """Record from 8 threads, 40,000 a second, while the backend comes and goes; then account for each event."""
    backend = _Backend()
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), max_bytes=8 << 20)
        collector = Collector(backend, batch_size=1000, when_full=lambda: None, spool=spool)
        done = threading.Event()

        def send() -> None:
            while not done.wait(0.005):
                collector.flush()

        def work(thread: int) -> None:
            for i in range(count // THREADS):
                collector.record_hit(f"{thread}:{i}", "answers", 0.125)
                if i % 100 == 99:
                    time.sleep(100 * THREADS / 40_000)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
        sender = threading.Thread(target=send)
        started = time.perf_counter()
        for thread in (sender, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
        done.set()
        sender.join()
        stats = collector.stats()
        collector.close()
    assert stats.recorded == count // THREADS * THREADS
    assert stats.sent + stats.spooled + stats.waiting + stats.dropped == stats.recorded
    print(
        f"{stats.recorded:,} recorded = {stats.sent:,} sent + {stats.spooled:,} on disk + {stats.waiting:,} in memory"
        f" + {stats.dropped:,} dropped, in {seconds:.0f} s; {backend.calls:,} calls of which {stats.failures:,} failed;"
        f" {backend.duplicates:,} events came twice and were known by their ids"
    )
    return {
        "recorded": float(stats.recorded),
        "sent": float(stats.sent),
        "on disk": float(stats.spooled),
        "in memory": float(stats.waiting),
        "dropped": float(stats.dropped),
        "came twice": float(backend.duplicates),
    }


if __name__ == "__main__":
    main()
