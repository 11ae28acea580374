"""A small threaded HTTP server for the stand-ins that must be able to say nothing at all.

An app is a function from a call to a reply; None closes the connection without an answer.
"""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any

from watchkeeper.sandbox.serving import LOOPBACK, port_of


@dataclass(frozen=True, slots=True)
class Ask:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> dict[str, Any]:
        """Raises ValueError where the body is no JSON object."""
        found = json.loads(self.body or b"{}")
        return dict(found)


@dataclass(frozen=True, slots=True)
class Reply:
    """`delay_s`: it is sent so much later."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0


App = Callable[[Ask], Reply | None]


def as_json(status: int, value: object) -> Reply:
    return Reply(status, json.dumps(value).encode())


NOT_FOUND = as_json(404, {"error": "nothing here"})


def _handler(app: App) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30.0
        # One segment for head and body: two would wait for each other's acknowledgement.
        wbufsize = -1

        def _serve(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(size)
            reply = app(Ask(self.command, self.path.partition("?")[0], headers, body))
            if reply is None:
                self.close_connection = True
            else:
                time.sleep(reply.delay_s)
                self._say(reply)

        def _say(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: stdout has one line, stderr is for faults."""

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, sock: socket, app: App, tls: ssl.SSLContext | None = None) -> None:
        address = (LOOPBACK, port_of(sock))
        super().__init__(address, _handler(app), bind_and_activate=False)
        self.socket.close()
        # The handshake belongs to the connection's own thread: a bare connect must not block.
        self.socket = (
            tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) if tls else sock
        )

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hangs up or fails the handshake is its own affair."""


def serve(sock: socket, app: App, tls: ssl.SSLContext | None = None) -> None:
    Server(sock, app, tls).serve_forever(poll_interval=3600)
