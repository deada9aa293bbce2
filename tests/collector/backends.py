"""Backends for the collector's tests: a sink in memory and a real HTTP server, both failing when told to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Event = dict[str, Any]


class Store:
    """A sink that stores by id, as the database does; it fails when told to, before or after it has stored."""

    def __init__(self) -> None:
        self.stored: dict[str, Event] = {}
        self.mode = ""

    @property
    def keys(self) -> list[str]:
        return [event["cache_key"] for event in self.stored.values()]

    def __call__(self, events: list[Event]) -> dict[str, Any]:
        mode = self.mode
        if mode == "before":
            raise ConnectionError("gone")
        for event in events:
            self.stored.setdefault(event["id"], event)
        if mode == "after":
            raise TimeoutError("no answer")
        return {"rejected": []}


class Backend(ThreadingHTTPServer):
    """Stores what is posted; `plan` says what each request meets: a status, "drop", "drop after", "hang" or ""."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = Store()
        self.plan: list[int | str] = []
        self.requests: list[tuple[str, dict[str, str], int]] = []
        self.largest = 1 << 30
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Connections that were dropped on purpose are nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Backend

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        metrics = json.loads(body)["metrics"]
        self.server.requests.append((self.path, dict(self.headers.items()), len(metrics)))
        step = self.server.plan.pop(0) if self.server.plan else ""
        if step == "hang":
            self.server.released.wait(30)
        if step in {"drop", "hang"}:
            self.close_connection = True
            return
        if len(body) > self.server.largest:
            step = 413
        if isinstance(step, int):
            self._answer(step, {"message": f"no, {self.headers['apikey']}"})
            return
        self.server.store(metrics)
        if step == "drop after":
            self.close_connection = True
            return
        self._answer(200, {"accepted": len(metrics), "rejected": []})

    def _answer(self, status: int, answer: object) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """The tests' output is not a log."""


@contextlib.contextmanager
def serving() -> Iterator[Backend]:
    """A backend that listens."""
    backend = Backend()
    thread = threading.Thread(target=backend.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield backend
    finally:
        backend.released.set()
        backend.shutdown()
        backend.server_close()
        thread.join()


def wait_until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something to become true.

    Raises
    ------
    TimeoutError
        If it does not in time.
    """
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError("it did not come true")
        time.sleep(0.01)
