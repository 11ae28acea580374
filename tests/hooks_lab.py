"""A receiver of webhooks on loopback: what chat, a ticket desk or a service of the user's would get."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

TOKEN = "s3cr3t-t0ken-in-the-path"


@dataclass
class FarSide:
    """A stand-in that keeps each request. `status` None: the connection is dropped after the body;
    `silent`: nothing is answered until the test ends."""

    url: str = ""
    status: int | None = 200
    location: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    silent: threading.Event | None = None


@contextmanager
def far_side() -> Iterator[FarSide]:
    far = FarSide()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            far.raw.append(body)
            far.bodies.append(json.loads(body))
            far.headers.append({name.lower(): text for name, text in self.headers.items()})
            if far.silent is not None:
                far.silent.wait(30)
            if far.status is None or far.silent is not None:
                self.close_connection = True
                return
            self.send_response(far.status)
            if far.location:
                self.send_header("location", far.location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_said: object) -> None:
            """A test's output is not for it."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        far.url = f"http://127.0.0.1:{server.server_address[1]}/hook/{TOKEN}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield far
        finally:
            if far.silent is not None:
                far.silent.set()
            server.shutdown()
            thread.join()
