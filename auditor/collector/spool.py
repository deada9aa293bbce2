"""A bounded queue of events on disk, in order, that outlives its process.

Each process writes numbered segments of JSON lines into a folder of its own and holds a lock on it for as long as it
lives. The system lets go of the lock when the process dies, however it dies; then the next process that looks adopts the
folder. What is appended survives the death of the process at once, and that of the machine when the system has written it.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.collector.events import Event

DEFAULT_MAX_BYTES: Final = 64 << 20
SEGMENT_BYTES: Final = 1 << 20
_LOCK: Final = "lock"
_SUFFIX: Final = ".jsonl"
_DRAFT: Final = ".draft-"


class _Segment:
    __slots__ = ("count", "path", "size")

    def __init__(self, path: Path, size: int, count: int) -> None:
        self.path = path
        self.size = size
        """Bytes that are whole lines; what is beyond, of a write that failed, is not read."""
        self.count = count
        """Lines that are not sent yet."""


class Spool:
    """The spool of one process, and of the dead ones that it adopted; used by one thread at a time.

    Parameters
    ----------
    folder
        Where the processes that share one backend keep their folders. Made when there is something to write.
    max_bytes
        The most that this spool holds, adopted segments included. The oldest segment goes to make room.
    segment_bytes
        The size beyond which a new segment is begun.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max(max_bytes // 4, 1))
        self._segments: deque[_Segment] = deque()
        self._head: deque[str] | None = None
        self._own: Path | None = None
        self._locks: dict[Path, int] = {}
        self._writing: int | None = None
        self._number = 0

    @property
    def held(self) -> int:
        """Events on disk that are not sent."""
        return sum(segment.count for segment in self._segments)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments)

    def append(self, events: list[Event]) -> list[Event]:
        """Write events behind all others; the oldest events, or these themselves, that had to go for want of room.

        Raises
        ------
        OSError
            If the disk does not take them; then the spool is as it was, but for what had to go first: see `make_room`.
        """
        data = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events).encode()
        if len(data) > self._max_bytes:
            return events
        self._write(data, len(events))
        return self._make_room()

    def peek(self, count: int) -> tuple[list[Event], int]:
        """The oldest events, of one segment and at most so many; and how many damaged lines were passed over and are gone."""
        damaged = 0
        while self._segments:
            head = self._read_head()
            events: list[Event] = []
            for line in list(itertools.islice(head, count + 1)):
                event = _parsed(line)
                if event is not None and len(events) < count:
                    events.append(event)
                elif event is None and not events:
                    damaged += 1
                    self._pass_over(1)
                else:
                    break
            if events:
                return events, damaged
        return [], damaged

    def advance(self, count: int) -> None:
        """Forget the oldest events, which are sent. They have to be of the segment that was peeked at."""
        self._pass_over(count)

    def adopt(self) -> int:
        """Take over the folders of processes that are dead, ahead of what was written here; how many events they hold."""
        adopted: list[_Segment] = []
        for folder in self._others():
            lock = _locked(folder / _LOCK)
            if lock is None:
                continue
            self._locks[folder] = lock
            found = [segment for path in sorted(folder.glob(f"*{_SUFFIX}")) if (segment := _counted(path))]
            if found:
                adopted += found
            else:
                self._leave(folder)
        at = 0 if self._head is None else 1  # what is half sent goes first
        for segment in reversed(adopted):
            self._segments.insert(at, segment)
        return sum(segment.count for segment in adopted)

    def close(self) -> None:
        """Let go of everything; what is not sent stays for whoever adopts it."""
        self._seal()
        for folder in list(self._locks):
            if any(segment.path.parent == folder for segment in self._segments):
                os.close(self._locks.pop(folder))
            else:
                self._leave(folder)
        self._segments.clear()
        self._head = self._own = None

    def in_child(self) -> Spool:
        """A spool for the child of a fork: the descriptors it has copied are closed; the parent's locks and files stay."""
        for descriptor in (*self._locks.values(), self._writing):
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        return Spool(self._folder, max_bytes=self._max_bytes, segment_bytes=self._segment_bytes)

    def _write(self, data: bytes, count: int) -> None:
        if self._writing is None:
            self._begin()
        segment, descriptor = self._segments[-1], self._writing
        assert descriptor is not None, "a segment was begun"
        try:
            _write_whole(descriptor, data)
        except OSError:
            try:
                os.ftruncate(descriptor, segment.size)
            finally:
                self._seal()
            raise
        segment.size += len(data)
        segment.count += count
        if segment.size >= self._segment_bytes:
            self._seal()

    def _begin(self) -> None:
        folder = self._own_folder()
        path = folder / f"{self._number:08d}{_SUFFIX}"
        self._writing = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._number += 1
        self._segments.append(_Segment(path, 0, 0))

    def _own_folder(self) -> Path:
        """The process's own folder, locked before any other process can see it."""
        if self._own is not None and self._own.is_dir():
            return self._own
        if sys.platform == "win32":
            raise OSError(errno.ENOTSUP, "there is no spool on this platform")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}"
        draft = self._folder / f"{_DRAFT}{name}"
        draft.mkdir(mode=0o700)
        lock = _locked(draft / _LOCK, create=True)
        if lock is None:
            raise OSError(errno.EAGAIN, "the new folder is locked already")
        try:
            self._own = draft.rename(self._folder / name)
        except OSError:
            os.close(lock)
            raise
        self._locks[self._own] = lock
        self._number = 0
        return self._own

    def _seal(self) -> None:
        """End the segment that is being written."""
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None
            if self._segments[-1].count == 0:
                self._segments.pop().path.unlink(missing_ok=True)

    def _read_head(self) -> deque[str]:
        if self._head is None:
            if len(self._segments) == 1:
                self._seal()
            self._head = deque(_lines(self._segments[0]))
        return self._head

    def _pass_over(self, count: int) -> None:
        assert self._head is not None, "only what was peeked at is passed over"
        for _ in range(count):
            self._head.popleft()
        self._segments[0].count = len(self._head)
        if not self._head:
            self._drop_head()

    def _drop_head(self) -> None:
        segment = self._segments.popleft()
        self._head = None
        with contextlib.suppress(OSError):
            segment.path.unlink(missing_ok=True)
        folder = segment.path.parent
        if folder != self._own and not any(other.path.parent == folder for other in self._segments):
            self._leave(folder)

    def _make_room(self) -> list[Event]:
        gone: list[Event] = []
        while self.size > self._max_bytes and self._segments:
            gone += [_parsed(line) or {} for line in self._read_head()]
            self._drop_head()
        return gone

    def _others(self) -> list[Path]:
        try:
            found = sorted(entry for entry in self._folder.iterdir() if not entry.name.startswith("."))
        except OSError:
            return []
        return [entry for entry in found if entry not in self._locks and entry.is_dir()]

    def _leave(self, folder: Path) -> None:
        """Remove a folder that holds nothing more, the lock last."""
        with contextlib.suppress(OSError):
            (folder / _LOCK).unlink(missing_ok=True)
            folder.rmdir()
        lock = self._locks.pop(folder, None)
        if lock is not None:
            os.close(lock)


def _write_whole(descriptor: int, data: bytes) -> None:
    """One write, so that a kill leaves all of it or a torn end; what is written short means a full disk."""
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _locked(path: Path, *, create: bool = False) -> int | None:
    """The descriptor of a lock that is now held; None where another process holds it or the file is gone."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _counted(path: Path) -> _Segment | None:
    """A segment as a dead process left it; its torn last line, if it has one, is not counted."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    size = data.rfind(b"\n") + 1
    if size == 0:
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    return _Segment(path, size, data.count(b"\n"))


def _lines(segment: _Segment) -> list[str]:
    """As many lines as were counted; what somebody has damaged or removed since is empty."""
    try:
        with segment.path.open("rb") as file:
            lines = file.read(segment.size).decode("utf-8", "replace").split("\n")[: segment.count]
    except OSError:
        lines = []
    return lines + [""] * (segment.count - len(lines))


def _parsed(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "id" in event else None
