"""The wire between us and a stand-in: each way of being bad, met by a real client."""

import argparse
import asyncio
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from loopback import http, raw_server, says

from watchkeeper.sandbox.forwarder import Behaviour, behaviour
from watchkeeper.sandbox.process import Processes, StartFailed
from watchkeeper.sandbox.wire import loopback_address

PAGE = "/en/index.json"
ASKING = f"GET {PAGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
Started = dict[str, Any]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("processes")) as started:
        yield started


@pytest.fixture(scope="module")
def far_side(processes: Processes) -> str:
    """A stand-in to lead to, as HOST:PORT."""
    url: str = processes.start(["status_page"])["url"]
    return url.removeprefix("http://")


@pytest.fixture(scope="module")
def started(processes: Processes, far_side: str) -> Started:
    return processes.start(["wire", "--to", far_side])


@pytest.fixture
def wire(started: Started) -> Started:
    """As good as new."""
    told(started, "pass")
    return started


def told(wire: Started, mode: str, **more: float) -> dict[str, Any]:
    answer = httpx.put(wire["control"], json={"mode": mode, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def connection(wire: Started) -> socket.socket:
    url = httpx.URL(wire["url"])
    return socket.create_connection((url.host, url.port or 0), timeout=8)


def read_one(wire: Started) -> bytes:
    with connection(wire) as sock:
        return sock.recv(1)


def test_it_carries_both_ways(wire: Started) -> None:
    answer = httpx.get(wire["url"] + PAGE)
    assert answer.status_code == 200
    assert answer.json()["data"]["id"] == "1"


def test_nothing_is_lost_of_a_long_answer(processes: Processes) -> None:
    """The far side is done long before a reader who takes his time."""
    body = bytes(range(256)) * 20_000

    async def run() -> int:
        async with raw_server(says(http(body))) as server:
            wire = processes.start(["wire", "--to", server.url.removeprefix("http://")])
            reader, writer = await asyncio.open_connection(*_address(wire), limit=1024)
            writer.write(ASKING)
            writer.write_eof()
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"200" in head
            await asyncio.sleep(0.2)
            got = b"".join([piece async for piece in _pieces(reader)])
            writer.close()
            processes.stop(wire["pid"])
        return len(got) if got == body else -1

    assert asyncio.run(run()) == len(body)


async def _pieces(reader: asyncio.StreamReader) -> Any:
    while piece := await reader.read(65_536):
        yield piece


def _address(wire: Started) -> tuple[str, int]:
    url = httpx.URL(wire["url"])
    return url.host, url.port or 0


def test_refusing_is_a_port_that_nobody_listens_on_and_stays_ours(wire: Started) -> None:
    told(wire, "refuse")
    with pytest.raises(ConnectionRefusedError):
        connection(wire)
    with pytest.raises(OSError, match="in use"):
        socket.create_server(_address(wire))
    told(wire, "refuse")
    told(wire, "pass")
    assert httpx.get(wire["url"] + PAGE).status_code == 200


def test_hanging_takes_everything_and_says_nothing(wire: Started) -> None:
    told(wire, "hang")
    with connection(wire) as sock:
        sock.sendall(ASKING)
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_resetting_breaks_the_connection(wire: Started) -> None:
    told(wire, "reset")
    with pytest.raises(ConnectionResetError):
        read_one(wire)


def test_slow_waits_before_the_first_byte_and_each_way(wire: Started) -> None:
    """It cannot be quicker than its delays; how much slower is the machine's affair."""
    told(wire, "slow", delay_s=0.15, connect_delay_s=0.1)
    began = monotonic()
    assert httpx.get(wire["url"] + PAGE).status_code == 200
    assert monotonic() - began >= 0.4


@pytest.mark.parametrize("mode", ["refuse", "hang", "reset"])
def test_a_change_cuts_what_is_open(wire: Started, mode: str) -> None:
    """A connection that was kept alive would never notice."""
    with connection(wire) as sock:
        sock.sendall(ASKING)
        assert sock.recv(65_536).startswith(b"HTTP/1.1 200")
        told(wire, mode)
        try:
            # The rest of the answer, and the end.
            while sock.recv(65_536):
                pass
        except ConnectionResetError:
            pass


def test_it_counts_the_connections_that_it_took(wire: Started) -> None:
    before = httpx.get(wire["control"]).json()["accepted"]
    httpx.get(wire["url"] + PAGE)
    httpx.get(wire["url"] + PAGE)
    told(wire, "refuse")
    with pytest.raises(ConnectionRefusedError):
        connection(wire)
    assert httpx.get(wire["control"]).json() == {
        "mode": "refuse",
        "delay_s": 0,
        "connect_delay_s": 0,
        "status": 502,
        "accepted": before + 2,
    }


def test_it_speaks_tls_as_somebody_else(
    processes: Processes, far_side: str, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    options = ["--tls-as", "Interposed Ltd", "--ca-file", str(ca_file)]
    wire = processes.start(["wire", "--to", far_side, *options])
    assert wire["url"].startswith("https://")
    trust = ssl.create_default_context(cafile=wire["ca_file"])
    assert httpx.get(wire["url"] + PAGE, verify=trust).status_code == 200
    with trust.wrap_socket(connection(wire), server_hostname="127.0.0.1") as sock:
        presented = sock.getpeercert()
    assert presented is not None
    assert "Interposed Ltd" in str(presented["issuer"])
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(wire["url"] + PAGE)
    told(wire, "reset")
    with pytest.raises((httpx.ConnectError, httpx.ReadError)):
        httpx.get(wire["url"] + PAGE, verify=trust)
    processes.stop(wire["pid"])


SAID = [
    ({}, Behaviour()),
    ({"mode": "hang"}, Behaviour("hang")),
    ({"mode": "slow", "delay_s": 2}, Behaviour("slow", 2.0)),
    ({"mode": "slow", "connect_delay_s": 0.5}, Behaviour("slow", 0.0, 0.5)),
]
WRONG = [
    {"mode": "explode"},
    {"mode": "pass", "delay_s": 1},
    {"mode": "slow", "delay_s": -1},
    {"mode": "slow", "delay_s": "nan"},
    {"mode": "slow", "delay_s": 1e9},
    {"mode": "slow", "delay_s": None},
    {"mode": "slow", "dealy_s": 1},
]


@pytest.mark.parametrize(("raw", "wanted"), SAID)
def test_a_behaviour_is_read(raw: dict[str, Any], wanted: Behaviour) -> None:
    assert behaviour(raw) == wanted


@pytest.mark.parametrize("raw", WRONG)
def test_a_behaviour_that_is_none_changes_nothing(wire: Started, raw: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        behaviour(raw)
    told(wire, "slow", delay_s=0.5)
    answer = httpx.put(wire["control"], json=raw)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert httpx.get(wire["control"]).json()["mode"] == "slow"


def test_it_leads_nowhere_but_to_loopback(processes: Processes) -> None:
    assert loopback_address("localhost:80") == ("127.0.0.1", 80)
    for text in ("api.example.com:443", "10.0.0.1:80", "127.0.0.1", "127.0.0.1:x", ":80"):
        with pytest.raises(argparse.ArgumentTypeError):
            loopback_address(text)
    with pytest.raises(StartFailed, match="is not 127"):
        processes.start(["wire", "--to", "api.example.com:443"])


@pytest.mark.parametrize("end", ["signal", "orphaned"])
def test_the_end_comes_at_once(end: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "watchkeeper.sandbox.wire", "--to", "127.0.0.1:9", "--tied"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    line = json.loads(child.stdout.readline())
    assert (line["ready"], line["pid"]) == ("wire", child.pid)
    if end == "signal":
        child.send_signal(signal.SIGTERM)
    else:
        child.stdin.close()
    assert child.wait(3.0) == (-signal.SIGTERM if end == "signal" else 0)
    assert child.stdout.read() == ""
    child.stdin.close()
    child.stdout.close()
