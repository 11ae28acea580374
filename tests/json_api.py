"""A JSON API on loopback for clients that block: it may fail, or do a thing and lose the answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, Any]
LOST = 0


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: dict[str, str]
    kind: str
    body: Any


@dataclass
class JsonApi:
    """`answer` says what comes back; `fails` says (method, part of the path, status) of what fails
    next. A failure below 500 happens before the effect, another after it; LOST gives no answer."""

    answer: Callable[[Call], Reply]
    refusal: Callable[[int], Any]
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    fails: list[tuple[str, str, int]] = field(default_factory=list)
    elsewhere: str = ""
    forbidden: set[str] = field(default_factory=set)

    def changes(self) -> list[Call]:
        return [call for call in self.calls if call.method != "GET"]

    def _fault(self, call: Call) -> int | None:
        for fault in self.fails:
            if fault[0] == call.method and fault[1] in call.path:
                self.fails.remove(fault)
                return fault[2]
        return None

    def reply(self, call: Call) -> Reply | None:
        self.calls.append(call)
        if any(part in f"{call.method} {call.path}" for part in self.forbidden):
            return 403, self.refusal(403)
        fault = self._fault(call)
        if fault is None:
            return self.answer(call)
        if fault == LOST or fault >= 500:
            self.answer(call)
        return None if fault == LOST else (fault, self.refusal(fault))


@contextmanager
def serving(api: JsonApi) -> Iterator[JsonApi]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api, threading.Lock()))
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(api: JsonApi, lock: threading.Lock) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Its answer would wait for the client's acknowledgement otherwise.
        wbufsize = -1

        def handle_one(self) -> None:
            at = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(at.query).items()}
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.headers.get("Content-Type", "")
            body = json.loads(raw) if raw else None
            with lock:
                reply = api.reply(Call(self.command, at.path, query, kind, body))
            self.send(reply)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one

        def send(self, reply: Reply | None) -> None:
            if reply is None:
                self.close_connection = True
                return
            status, answer = reply
            text = json.dumps(answer).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", api.elsewhere)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
