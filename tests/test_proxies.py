"""The user's proxies: loopback never goes through one, what is outside does. A real one counts."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from deployments.cli import main
from watchkeeper.fetching import fetch
from watchkeeper.network.proxies import proxy_for, spare_loopback
from watchkeeper.vendor.wires import Wires

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OUTSIDE = "http://outside.invalid/x"


@contextmanager
def answering() -> Iterator[tuple[int, list[str]]]:
    """A server on loopback, and what it was asked for: of a proxy that is a whole address."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def do_CONNECT(self) -> None:
            asked.append(self.path)
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without the proxies of whoever runs the tests."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


ADDRESSES: list[tuple[dict[str, str], str, str | None]] = [
    ({}, OUTSIDE, None),
    ({"HTTP_PROXY": "http://p:1"}, OUTSIDE, "http://p:1"),
    ({"http_proxy": "p:1"}, OUTSIDE, "http://p:1"),
    ({"ALL_PROXY": "http://p:1"}, "https://api.example/v1", "http://p:1"),
    ({"HTTP_PROXY": "http://p:1"}, "https://api.example/v1", None),
    ({"HTTPS_PROXY": "http://p:1"}, "https://api.example/v1", "http://p:1"),
    ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.example"}, "https://api.example", None),
    ({"HTTPS_PROXY": "http://p:1", "no_proxy": ".example"}, "https://api.example", None),
    ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://api.example", None),
    *(
        ({"ALL_PROXY": "http://p:1", "HTTP_PROXY": "http://p:1"}, url, None)
        for url in ("http://127.0.0.1:8", "http://localhost", "http://[::1]:8", "http://127.9.9.9")
    ),
]


@pytest.mark.parametrize(("named", "url", "proxy"), ADDRESSES)
def test_which_proxy_stands_before_an_address(
    bare: pytest.MonkeyPatch, named: dict[str, str], url: str, proxy: str | None
) -> None:
    """W11: as the variables have it, but never before loopback."""
    for name, value in named.items():
        bare.setenv(name, value)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "a, b"}, "a,b,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "a", "no_proxy": "b,localhost"}, "b,localhost,a,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*,localhost,127.0.0.1,::1"),
    ],
)
def test_loopback_is_spared_in_both_spellings(given: dict[str, str], hosts: str) -> None:
    """W11: for every library of ours and of our children; what was spared stays so."""
    assert spare_loopback(given) == {"NO_PROXY": hosts, "no_proxy": hosts}


def test_what_is_outside_goes_through_the_proxy(bare: pytest.MonkeyPatch) -> None:
    """W11: a name that only the proxy can resolve is asked of it, by the vendor's wire too."""
    with answering() as (port, asked):
        bare.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")

        async def both() -> None:
            assert (await fetch(OUTSIDE)).status == 200
            wires = Wires(proxy_for(OUTSIDE))
            with wires.taken() as wire:
                answer = await wire.handle_async_request(httpx.Request("GET", OUTSIDE))
                await answer.aread()
            await wires.aclose()

        asyncio.run(both())
        assert asked == [OUTSIDE, OUTSIDE]


def test_loopback_goes_through_none(bare: pytest.MonkeyPatch) -> None:
    """W11: with a proxy that nobody answers, what is on this machine is reached."""
    with socket.socket() as closed, answering() as (port, asked):
        closed.bind(("127.0.0.1", 0))
        for name in NAMES[:3]:
            bare.setenv(name, f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert asyncio.run(fetch(f"http://127.0.0.1:{port}/x")).status == 200
        assert asked == ["/x"]


def test_every_command_spares_loopback(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """W11: Prefect's client, and whatever else reads the environment, are told before they start."""
    bare.setattr(sys, "argv", ["watchkeeper", "--help"])
    bare.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(SystemExit):
        main()
    try:
        with httpx.Client() as client:
            found = [str(p.pattern) for p, t in client._mounts.items() if t is None]
        assert {"all://127.0.0.1", "all://localhost"} <= set(found)
    finally:
        for name in ("NO_PROXY", "no_proxy"):
            os.environ.pop(name, None)
    assert capsys.readouterr()


def test_our_own_authorities_are_ours(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """W11: SSL_CERT_FILE of the environment takes none of them away, in a process of its own."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    code = "from watchkeeper.vendor.authorities import authorities as a; print(len(a().get_ca_certs()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"SSL_CERT_FILE": str(empty), "SSL_CERT_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout) > 50
    assert ssl.OPENSSL_VERSION
