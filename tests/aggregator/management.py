"""The part of Supabase's management API that takes a function's deployment, on a loopback port."""

from __future__ import annotations

import contextlib
import json
import threading
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Management(ThreadingHTTPServer):
    """Keeps what was deployed: the address asked and each part of the form by its file's name, or its own."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.deployed: dict[str, dict[str, bytes]] = {}

    @property
    def profile(self) -> str:
        """The CLI's profile of this server (YAML)."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return f"name: local\napi_url: {url}\ndashboard_url: {url}\nproject_host: localhost\npooler_host: localhost\nstudio_image: x\n"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Management

    def do_GET(self) -> None:
        self._answer(200, {})

    def do_POST(self) -> None:
        body = b"".join(self._pieces())
        kind = self.headers["Content-Type"]
        form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        self.server.deployed[self.path] = {
            part.get_filename() or str(part.get_param("name", header="content-disposition")): bytes(
                part.get_payload(decode=True)
            )
            for part in form.walk()
            if not part.is_multipart()
        }
        answer = {"id": "1", "slug": "s", "name": "n", "status": "ACTIVE", "version": 1}
        self._answer(201, answer | {"created_at": 1, "updated_at": 1})

    def _pieces(self) -> Iterator[bytes]:
        if "Content-Length" in self.headers:
            yield self.rfile.read(int(self.headers["Content-Length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int, answer: object) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """The tests' output is not a log."""


@contextlib.contextmanager
def managing() -> Iterator[Management]:
    """A management API that listens."""
    server = Management()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
