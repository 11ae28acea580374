"""A vendor, its status page and a service of ours that answer after a set time: one fast process.

Started as a process of its own, so that what it costs is not counted as ours. It knows nothing of
Watchkeeper. Paths that begin with /v1/hang are never answered.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COMPONENT = "REST API"
_PAGES = {
    "/health": '{"status": "healthy", "checks": {"vendor": {"status": true}}}',
    "/status": '{"included": [{"id": "1", "type": "status_page_resource", "attributes": '
    f'{{"public_name": "{COMPONENT}", "status": "operational"}}}}]}}',
    "/metrics": "maintainx_api_requests_total 1000\nmaintainx_api_errors_total 0\n"
    "maintainx_rate_limit_remaining 90\n",
}
_LIST = '{"rows": [{"id": 1, "updatedAt": "2026-03-02T09:00:00Z"}], "nextCursor": null}'


class _Answering(asyncio.Protocol):
    """Requests without bodies, one after the other on each connection."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s, self._head = delay_s, b""
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport

    def data_received(self, data: bytes) -> None:
        self._head += data
        while (end := self._head.find(b"\r\n\r\n")) >= 0:
            target = self._head.split(b" ", 2)[1].decode()
            self._head = self._head[end + 4 :]
            if not target.startswith("/v1/hang"):
                loop = asyncio.get_running_loop()
                loop.call_later(self._delay_s, self._answer, target.partition("?")[0])

    def _answer(self, path: str) -> None:
        body = _PAGES.get(path, _LIST).encode()
        kind = "text/plain" if path == "/metrics" else "application/json"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        if self._wire is not None and not self._wire.is_closing():
            self._wire.write(head.encode() + body)


async def _serve(delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Answering(delay_s), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def slow_vendor(delay_s: float) -> Iterator[str]:
    """Its address, such as `http://127.0.0.1:40123`, while it runs."""
    command = [sys.executable, "-m", "benchmarks.slow_vendor", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
