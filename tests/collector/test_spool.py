"""The spool: in order, bounded, of one process at a time, and tolerant of what a kill or a full disk leaves behind."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditor.collector import Collector, Spool
from tests.collector.backends import Store

if TYPE_CHECKING:
    from pathlib import Path

Event = dict[str, Any]


def events(first: int, count: int) -> list[Event]:
    return [
        {"id": str(i), "cache_key": "k" * 20, "implementation_type": "a"} for i in range(first, first + count)
    ]


def drained(spool: Spool, batch: int = 7) -> list[int]:
    found: list[int] = []
    while got := spool.peek(batch)[0]:
        found += [int(event["id"]) for event in got]
        spool.advance(len(got))
    return found


def test_events_come_out_in_the_order_in_which_they_went_in(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=500)
    for first in range(0, 100, 10):
        assert spool.append(events(first, 10)) == []
    assert spool.held == 100
    assert [int(event["id"]) for event in spool.peek(3)[0]] == [0, 1, 2]
    spool.append(events(100, 5))
    assert drained(spool) == list(range(105))
    assert (spool.held, spool.size) == (0, 0)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_segment_goes_to_make_room_and_is_handed_back_to_be_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=4000)
    gone: list[Event] = []
    for first in range(0, 300, 10):
        gone += spool.append(events(first, 10))
    assert spool.size <= 4000
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl")) == spool.size
    assert [int(event["id"]) for event in gone] + drained(spool) == list(range(300))
    assert gone
    too_large = events(0, 1000)
    assert spool.append(too_large) == too_large


def test_the_folder_of_a_living_process_is_left_alone_and_that_of_a_dead_one_is_adopted(
    tmp_path: Path,
) -> None:
    living, other = Spool(tmp_path), Spool(tmp_path)
    living.append(events(0, 10))
    assert other.adopt() == 0
    living.close()
    other.append(events(10, 5))
    assert other.adopt() == 10
    assert drained(other) == list(range(15))
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_only_one_of_the_living_adopts(tmp_path: Path) -> None:
    dead = Spool(tmp_path)
    dead.append(events(0, 10))
    dead.close()
    assert sorted(Spool(tmp_path).adopt() for _ in range(1)) == [10]
    first, second = Spool(tmp_path), Spool(tmp_path)
    assert first.adopt() + second.adopt() in {0, 10}


def test_adoption_does_not_disturb_a_segment_that_is_half_sent(tmp_path: Path) -> None:
    dead = Spool(tmp_path)
    dead.append(events(100, 10))
    dead.close()
    spool = Spool(tmp_path)
    spool.append(events(0, 10))
    assert len(spool.peek(4)[0]) == 4
    assert spool.adopt() == 10
    spool.advance(4)
    assert drained(spool) == [*range(4, 10), *range(100, 110)]


def test_a_torn_last_line_is_passed_over_and_damage_within_is_counted(tmp_path: Path) -> None:
    dead = Spool(tmp_path)
    dead.append(events(0, 10))
    dead.close()
    [segment] = tmp_path.rglob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[3] = b"\x00" * 30 + b"\n"
    lines[9] = lines[9][:12]
    segment.write_bytes(b"".join(lines))
    sink = Store()
    collector = Collector(sink, spool=Spool(tmp_path))
    assert collector.adopt() == 9
    assert collector.flush()
    stats = collector.stats()
    assert (stats.adopted, stats.sent, stats.dropped, stats.spooled) == (9, 8, 1, 0)
    assert list(sink.stored) == [str(i) for i in range(9) if i != 3]


def test_segments_that_somebody_removes_before_they_were_read_are_counted_as_dropped(tmp_path: Path) -> None:
    sink = Store()
    sink.mode = "before"
    collector = Collector(sink, batch_size=5, spool=Spool(tmp_path))
    for i in range(20):
        collector.record_hit(str(i), "answers", 1.0)
    for segment in tmp_path.rglob("*.jsonl"):
        segment.unlink()
    sink.mode = ""
    assert collector.flush()
    assert (collector.stats().dropped, collector.stats().sent, collector.stats().spooled) == (15, 5, 0)


def test_a_folder_that_cannot_be_written_keeps_events_in_memory_and_raises_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    sink = Store()
    sink.mode = "before"
    collector = Collector(sink, batch_size=10, max_events=50, spool=Spool(blocked / "spool"))
    for i in range(80):
        collector.record_hit(str(i), "answers", 1.0)
    stats = collector.stats()
    assert (stats.waiting, stats.dropped, stats.spooled) == (50, 30, 0)
    assert "the spool: " in (stats.last_error or "")
    sink.mode = ""
    assert collector.flush()
    assert sink.keys == [str(i) for i in (*range(10), *range(40, 80))]


def test_a_disk_that_takes_half_a_write_keeps_whole_batches_and_counts_each_event_once(
    tmp_path: Path,
) -> None:
    """The size of a file is limited by the system, which then writes short and fails, as a full disk does."""
    script = f"""
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {str(sys.path[0])!r})
from auditor.collector import Collector, Spool
from tests.collector.backends import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
sink = Store()
sink.mode = "before"
collector = Collector(sink, batch_size=10, spool=Spool(Path({str(tmp_path)!r})))
for i in range(100):
    collector.record_hit(str(i), "answers", 1.0)
collector.flush()
stats = collector.stats()
assert stats.failures and stats.recorded == 100 == stats.waiting + stats.spooled, stats
assert len(list(Path({str(tmp_path)!r}).rglob("*.jsonl"))) > 2
for _ in range(5):
    collector.flush()
sink.mode = ""
assert collector.flush()
assert sink.keys == [str(i) for i in range(100)], sink.keys
assert collector.stats().sent == 100
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def test_spooled_events_are_the_users_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new")
    spool.append(events(0, 1))
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "new").rglob("*")} == {0}
    spool.close()


@pytest.mark.parametrize("leftover", ["a file", ".draft-1-2-3"])
def test_what_is_no_folder_of_a_process_is_left_alone(tmp_path: Path, leftover: str) -> None:
    (tmp_path / leftover).write_text("hello")
    assert Spool(tmp_path).adopt() == 0
    assert (tmp_path / leftover).exists()
