"""The client sends only what it may, only to its vendor, and survives whatever comes back."""

from __future__ import annotations

import asyncio
import gzip
import logging
import resource as rusage
import socket
import ssl
import traceback
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from loopback import (
    CANARY,
    RawServer,
    Script,
    fresh_store,
    http,
    raw_server,
    says,
    store_key,
    utc_now,
)
from loopback import watched as watch

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import (
    Ambiguous,
    Permanent,
    Refused,
    Throttled,
    Transient,
    UserError,
    WatchkeeperError,
)
from watchkeeper.runbook.api import Auth
from watchkeeper.runbook.integration import Watched
from watchkeeper.store.engine import Store
from watchkeeper.store.tables import RateBucketRow
from watchkeeper.vendor.answers import (
    KeyRefused,
    Redirected,
    raise_for,
)
from watchkeeper.vendor.client import VendorClient, vendor_client
from watchkeeper.vendor.failures import WORDS, CallFailed, Kind
from watchkeeper.vendor.reply import Reply


class Desk:
    """A folder with a key, a database, and clients from them."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store
        self.made: list[VendorClient] = []

    def client(self, target: Watched | str, **options: Any) -> VendorClient:
        watched = watch(target) if isinstance(target, str) else target
        purpose = options.pop("purpose", "probe")
        given = {"base": self.folder, **options}
        self.made.append(vendor_client(watched, self.store, utc_now, purpose, **given))
        return self.made[-1]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = fresh_store(tmp_path)
    store_key(tmp_path)
    yield Desk(tmp_path, store)
    store.close()


Call = Callable[[VendorClient, RawServer], Awaitable[Any]]


def meet(desk: Desk, script: Script, call: Call, **options: Any) -> tuple[Any, RawServer]:
    """One call of a client against one server: its result, or the error of ours that it raised."""

    async def run() -> tuple[Any, RawServer]:
        async with raw_server(script) as server:
            changes = options.pop("watched", {})
            async with desk.client(watch(f"{server.url}/v1", **changes), **options) as client:
                try:
                    return await call(client, server), server
                except WatchkeeperError as error:
                    return error, server

    return asyncio.run(run())


async def get(client: VendorClient, _server: RawServer) -> Reply:
    return await client.get("/workorders", {"limit": 1})


async def post(client: VendorClient, _server: RawServer) -> Reply:
    return await client.send("POST", "/workorders", {"title": "x"})


def shown(value: object, capture_locals: bool = True) -> str:
    """All that a log, a person or a debugger would be shown, frames' locals included."""
    texts = [repr(value), str(value), repr(getattr(value, "__dict__", ""))]
    if isinstance(value, BaseException):
        trace = traceback.TracebackException.from_exception(value, capture_locals=capture_locals)
        texts += ["".join(trace.format()), repr(value.args), repr(value.__context__)]
    return "\n".join(texts)


# What is sent ------------------------------------------------------------------------------------


def test_a_request_carries_the_key_and_little_else(desk: Desk) -> None:
    """The key by its header and scheme, our name and purpose, the organisation, no compression."""
    auth = Auth(header="Authorization", scheme="Bearer", organisation_header="x-organization-id")
    reply, server = meet(
        desk, says(http({"ok": 1})), get, watched={"auth": auth, "organisation": 4711}
    )
    assert reply.json() == {"ok": 1}
    lines = server.heads[0].rstrip().split("\r\n")
    assert lines[0] == "GET /v1/workorders?limit=1 HTTP/1.1"
    assert sorted(line.lower() for line in lines[1:]) == sorted(
        [
            f"host: {server.url.removeprefix('http://')}",
            "user-agent: watchkeeper/0.1.0 (probe)",
            "accept-encoding: identity",
            "x-organization-id: 4711",
            f"authorization: bearer {CANARY}",
        ]
    )


KEYS = [
    ("current", {}, f"x-api-key: {CANARY}"),
    ("pending", {"offered": "test_pending_1"}, "x-api-key: test_pending_1"),
    (None, {}, None),
]


@pytest.mark.parametrize(("stage", "given", "line"), KEYS)
def test_which_key_is_sent(stage: Any, given: dict[str, str], line: str | None, desk: Desk) -> None:
    """The current one, the one to be tested, or none; without a scheme it stands alone."""
    if given:
        open_rotatable("file:key.json", desk.folder).offer(Secret(given["offered"]))
    auth = Auth(header="X-Api-Key", scheme="")
    _, server = meet(desk, says(http({})), get, key_stage=stage, watched={"auth": auth})
    lines = server.heads[0].lower().split("\r\n")
    assert (line in lines) if line else not any("key" in text for text in lines)


def test_the_key_is_read_at_each_call(desk: Desk) -> None:
    """A promoted key is used by the next request of a client that was made before."""

    async def twice(client: VendorClient, _server: RawServer) -> None:
        await client.get("/a")
        store_key(desk.folder, "test_second_key")
        await client.get("/b")

    _, server = meet(desk, says(http({})), twice)
    assert [CANARY in head for head in server.heads] == [True, False]
    assert "test_second_key" in server.heads[1]


def test_a_missing_stage_is_not_sent_as_no_key(desk: Desk) -> None:
    """Else a key that is not there would look like one that is refused."""
    error, server = meet(desk, says(http({})), get, key_stage="pending")
    assert isinstance(error, UserError)
    assert server.heads == []


# What is refused ---------------------------------------------------------------------------------

ELSEWHERE = [
    "{other}/v1/workorders?cursor=2",
    "//{other_host}/v1/workorders",
    "http://user:pw@{other_host}/v1",
    "http://127.0.0.1.evil.example/v1",
    "https://{own_host}/v1/workorders",
    "http://{own_host}:81/",
    "HTTP://{other_host}/",
    "/\\{other_host}/x",
    "workorders",
    "/work orders",
    "/a\r\nX-Evil: 1",
    "http://[::1/x",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("link", ELSEWHERE)
def test_no_other_origin_is_called(link: str, desk: Desk) -> None:
    """An absolute next link to another host, scheme or port gets neither key nor request."""

    async def run() -> None:
        async with raw_server(says(http({}))) as own, raw_server(says(http({}))) as other:
            names = {
                "other": other.url,
                "other_host": other.url.removeprefix("http://"),
                "own_host": own.url.removeprefix("http://"),
            }
            async with desk.client(f"{own.url}/v1") as client:
                with pytest.raises(Refused) as caught:
                    await client.get(link.format(**names))
                assert CANARY not in shown(caught.value)
            assert (own.heads, other.heads) == ([], [])

    asyncio.run(run())


def test_an_absolute_link_to_the_same_origin_is_followed(desk: Desk) -> None:
    """It is the origin that counts, not the spelling."""

    async def next_page(client: VendorClient, server: RawServer) -> Reply:
        return await client.get(f"{server.url}/v1/workorders?cursor=2")

    reply, server = meet(desk, says(http({})), next_page)
    assert (reply.status, server.paths()) == (200, ["/v1/workorders?cursor=2"])


def test_a_redirect_is_an_answer(desk: Desk) -> None:
    """It is not followed, wherever it leads, however broken its target."""

    async def run() -> None:
        async with raw_server(says(http({}))) as other:
            for target in (f"{other.url}/steal", "/login", "http://[", "\x80"):
                answer = http(b"", 302, {"Location": target})
                reply, server = await _met(answer)
                assert reply.status == 302
                assert len(server.heads) == 1
                with pytest.raises(Redirected):
                    raise_for(reply, "workorders")
            assert other.heads == []

    async def _met(answer: bytes) -> tuple[Reply, RawServer]:
        async with raw_server(says(answer)) as server, desk.client(server.url) as client:
            return await client.get("/x"), server

    asyncio.run(run())


def test_the_transport_guards_any_client_above_it(desk: Desk) -> None:
    """One that follows redirects and sets its own headers gets no further than ours."""

    async def run() -> None:
        async with raw_server(says(http({}))) as other:
            away = says(http(b"", 302, {"Location": f"{other.url}/steal"}))
            async with raw_server(away) as own:
                wire = desk.client(own.url)._wire
                mine = {"Authorization": "Bearer mine", "Cookie": "c=1", "Host": "evil.example"}
                async with httpx.AsyncClient(transport=wire, follow_redirects=True) as client:
                    with pytest.raises(Refused):
                        await client.get(f"{own.url}/x", headers=mine)
                assert f"authorization: bearer {CANARY}" in own.heads[0].lower().split("\r\n")
                for text in ("mine", "c=1", "evil"):
                    assert text not in own.heads[0]
            assert other.heads == []

    asyncio.run(run())


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "post", "MERGE"])
def test_a_dry_run_writes_nothing(method: str, desk: Desk) -> None:
    """Not a byte of it leaves."""

    async def write(client: VendorClient, _server: RawServer) -> Reply:
        return await client.send(method, "/workorders/1", {"status": "DONE"})

    error, server = meet(desk, says(http({})), write, dry_run=True)
    assert isinstance(error, Refused)
    assert (server.bytes_in, server.heads) == (0, [])


def test_a_dry_run_reads(desk: Desk) -> None:
    """It is the vendor's world that it shall not change."""
    assert meet(desk, says(http({})), get, dry_run=True)[0].status == 200


REHEARSALS = [(True, "live_key_1", False), (False, CANARY, False), (False, "live_key_1", True)]


@pytest.mark.parametrize(("sandbox", "key", "sent"), REHEARSALS)
def test_rehearsal_and_live_never_mix(sandbox: bool, key: str, sent: bool, desk: Desk) -> None:
    """A test_ key meets only a sandbox, and a sandbox only a test_ key."""
    store_key(desk.folder, key, "other.json")
    changes = {"sandbox": sandbox, "reference": "file:other.json"}
    found, server = meet(desk, says(http({})), get, watched=changes)
    assert isinstance(found, Reply if sent else Refused)
    assert len(server.heads) == sent
    assert key not in shown(found)


def test_a_key_with_a_newline_is_told_by_its_reference(desk: Desk) -> None:
    """It never gets as far as a header, whose own error would show it."""
    path = desk.folder / "key.json"
    path.write_text(path.read_text().replace(CANARY, f"{CANARY}\\nX-Evil: 1"))
    error, server = meet(desk, says(http({})), get)
    assert isinstance(error, UserError)
    assert "file:key.json" in str(error)
    assert CANARY[5:] not in shown(error, capture_locals=False)
    assert server.heads == []


# What comes back ---------------------------------------------------------------------------------


def test_a_reply_holds_no_secret(desk: Desk) -> None:
    """A vendor that echoes the key, or sets a cookie, does not get them into our records."""
    body = {"error": f"Invalid token {CANARY}"}
    headers = {"X-Echo": f"Bearer {CANARY}", "Set-Cookie": "session=1", "Date": "x"}
    reply, _ = meet(desk, says(http(body, 401, headers)), get)
    assert reply.json() == {"error": "Invalid token ***"}
    assert reply.headers["x-echo"] == "Bearer ***"
    assert "set-cookie" not in reply.headers
    assert reply.date is None
    with pytest.raises(KeyRefused) as caught:
        raise_for(reply, "workorders")
    assert CANARY not in shown(caught.value, capture_locals=False) + shown(reply)


def test_no_cookie_is_kept(desk: Desk) -> None:
    """Each call stands by itself."""

    async def twice(client: VendorClient, _server: RawServer) -> None:
        await client.get("/a")
        await client.get("/b")

    _, server = meet(desk, says(http({}, headers={"Set-Cookie": "session=1"})), twice)
    assert "cookie" not in server.heads[1].lower()


def test_latency_and_date(desk: Desk) -> None:
    """Latency runs to the last byte; the vendor's clock is read from its Date."""

    async def slow(_head: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(http({}, headers={"Date": "Sun, 01 Mar 2026 09:00:00 GMT"}))

    reply, _ = meet(desk, slow, get)
    assert 0.09 < reply.latency_s < 2
    assert reply.date.isoformat() == "2026-03-01T09:00:00+00:00"


async def _drip(_head: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _drip_head(_head: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for n in range(100):
        writer.write(f"X-{n}: 1\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silent(_head: str, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(1.5)


async def _reset(_head: str, writer: asyncio.StreamWriter) -> None:
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nab")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()


async def _flood(_head: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(400):
        writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        await writer.drain()


GZIPPED = gzip.compress(b" " * 50_000_000)
FAULTS: dict[str, tuple[Script, Kind]] = {
    "slow drip": (_drip, "timeout"),
    "slow head": (_drip_head, "timeout"),
    "no answer": (_silent, "timeout"),
    "reset": (_reset, "cut"),
    "flood": (_flood, "too_large"),
    "gzip bomb": (says(http(GZIPPED, headers={"Content-Encoding": "gzip"})), "too_large"),
    "cut body": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "cut"),
    "closed": (says(b""), "protocol"),
    "not http": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol"),
    "bad length": (says(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "protocol"),
    "bad chunk": (
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
        "cut",
    ),
    "huge head": (says(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n"), "protocol"),
}


@pytest.mark.parametrize(("script", "kind"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_one_kind(script: Script, kind: Kind, desk: Desk) -> None:
    """Within the deadline, from a closed set, and without the key in any text of it."""
    started = asyncio.new_event_loop()
    before = started.time()
    error, server = meet(desk, script, get, deadline_s=0.4)
    elapsed = started.time() - before
    started.close()
    assert isinstance(error, CallFailed)
    assert isinstance(error, Transient)
    assert error.kind == kind in WORDS
    assert CANARY not in shown(error)
    assert error.__context__ is None
    assert CANARY in server.heads[0]
    assert elapsed < 2.5


@pytest.mark.parametrize(("script", "kind"), FAULTS.values(), ids=FAULTS)
def test_a_write_without_an_answer_is_ambiguous(script: Script, kind: Kind, desk: Desk) -> None:
    """The vendor may have done it: only a look tells."""
    error, _ = meet(desk, script, post, deadline_s=0.4)
    assert isinstance(error, Ambiguous)
    assert WORDS[kind] in str(error)
    assert CANARY not in shown(error)


def _closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


UNREACHED = {
    "refused": ("http://127.0.0.1:{port}", "refused"),
    "dns": ("http://no-such-host.invalid", "dns"),
    "bad name": (f"http://{'a' * 70}.example", "dns"),
    "no route": ("http://255.255.255.255:80", "unreachable"),
}


@pytest.mark.parametrize(("url", "kind"), UNREACHED.values(), ids=UNREACHED)
@pytest.mark.parametrize("call", [get, post])
def test_what_never_arrived_is_not_ambiguous(url: str, kind: str, call: Call, desk: Desk) -> None:
    """No connection, nothing sent: a write may be sent again, too."""

    async def run() -> None:
        target = url.format(port=_closed_port())
        async with desk.client(target, deadline_s=5) as client:
            with pytest.raises(CallFailed) as caught:
                await call(client, RawServer())
        assert caught.value.kind == kind
        assert CANARY not in shown(caught.value)

    asyncio.run(run())


def test_tls_is_verified(desk: Desk) -> None:
    """A certificate that nobody we trust has signed ends the call before the key leaves."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def run() -> None:
        async with raw_server(says(http({})), context) as server:
            async with desk.client(server.url) as client:
                with pytest.raises(CallFailed) as caught:
                    await post(client, server)
            assert caught.value.kind == "tls"
            assert server.heads == []

    asyncio.run(run())


def test_a_bomb_does_not_fill_the_memory(desk: Desk) -> None:
    """Neither 50 MB behind 50 KB of gzip nor 400 MB of chunks is taken in."""
    meet(desk, says(http({})), get)
    before = rusage.getrusage(rusage.RUSAGE_SELF).ru_maxrss
    for name in ("gzip bomb", "flood"):
        meet(desk, FAULTS[name][0], get)
    assert rusage.getrusage(rusage.RUSAGE_SELF).ru_maxrss - before < 48 * 1024


def test_the_environment_is_not_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine gets to see the key."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{_closed_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{_closed_port()}")
    assert meet(desk, says(http({})), get)[0].status == 200


def test_a_429_holds_everybody_but_probes(desk: Desk) -> None:
    """The wait that stands in its text is kept in the database, for every process."""
    body = {"error": "Too many requests. Please retry in 10 seconds"}
    reply, server = meet(desk, says(http(body, 429)), get, purpose="live")
    with desk.store.read() as session:
        row = session.get(RateBucketRow, "maintainx@test")
    assert row is not None
    assert row.hold_until == reply.at + timedelta(seconds=10)
    for purpose in ("live", "backfill", "replay"):
        error, server = meet(desk, says(http({})), get, purpose=purpose, max_wait_s=1)
        assert isinstance(error, Throttled)
        assert error.wait_s is not None
        assert 5 < error.wait_s <= 10
        assert server.heads == []
    assert meet(desk, says(http({})), get, purpose="probe")[0].status == 200


def test_nothing_shows_the_key(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Not the client, its parts or its logs at their most talkative."""
    caplog.set_level(logging.DEBUG)
    reply, server = meet(desk, says(http({})), get)
    client = desk.made[-1]
    parts = [client, client._wire, client._guard, client._gate, reply]
    assert CANARY in server.heads[0]
    for part in parts:
        assert CANARY not in shown(part)
    assert CANARY not in caplog.text


def test_a_401_is_asked_once(desk: Desk) -> None:
    """Whoever asks again only while an error is Transient asks a 401 once, a 503 each time."""

    async def patient(client: VendorClient, _server: RawServer) -> int:
        for attempt in range(1, 4):
            try:
                raise_for(await client.get("/workorders"), "workorders")
            except Transient:
                continue
            except Permanent:
                return attempt
        return 3

    for status, times in ((401, 1), (403, 1), (302, 1), (503, 3), (429, 3)):
        _, server = meet(desk, says(http({}, status)), patient)
        assert len(server.heads) == times
