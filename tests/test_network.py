"""Our network told from the vendor's: stages as values by table, and then on real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import making
import pytest
import trustme
from loopback import CANARY, http, raw_server, routed, says
from making import T0

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.network.certificates import LONGEST_NAME, harmless, read_certificate
from watchkeeper.network.proxies import proxies_set, proxy_reading
from watchkeeper.network.split import MOST_ADDRESSES, Resolve, split_way
from watchkeeper.network.stage_readings import stage_readings
from watchkeeper.network.stages import (
    Attempt,
    Fault,
    Handshake,
    Lookup,
    Place,
    Presented,
    Split,
)
from watchkeeper.performing.network_probe import clock_readings, network_readings
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched

OK, DEGRADED, DOWN, UNKNOWN = Outcome.OK, Outcome.DEGRADED, Outcome.DOWN, Outcome.UNKNOWN
HOST = Place("api.example.com", 443, True)
A, B, C, SIX = "203.0.113.5", "203.0.113.6", "203.0.113.7", "2001:db8::5"
SEEN = Presented("api.example.com", "Gateway Ltd", T0, T0 + timedelta(days=90))


def test_a_place_is_read_as_the_client_reads_it() -> None:
    places = {
        "https://api.example.com/v1": Place("api.example.com", 443, True),
        "http://127.0.0.1:8080": Place("127.0.0.1", 8080, False),
        "https://[2001:db8::5]/v1": Place("2001:db8::5", 443, True),
        "https://bücher.example": Place("xn--bcher-kva.example", 443, True),
        "https://name:word@api.example.com:444/": Place("api.example.com", 444, True),
        "https://api.example.com:99999": None,
        "https://api.example.com:x": None,
        "https://": None,
        "ftp://api.example.com": None,
    }
    assert {url: Place.of(url) for url in places} == places


# What happened -> by probe: outcome, fault, detail.
Told = dict[str, tuple[Outcome, str | None, str]]
FOUND = Lookup((A, B, C), 0.02)
DNS_OK = (OK, None, f"{A}, {B}, {C}")
NO_TCP = (UNKNOWN, None, "no address to connect to")
NO_TLS = (UNKNOWN, None, "no connection to try it on")


def tried(*faults: Fault | None, took_s: float = 0.03) -> tuple[Attempt, ...]:
    """One attempt at A, B, C in turn."""
    return tuple(Attempt(a, took_s, f) for a, f in zip((A, B, C), faults, strict=False))


def split(lookup: Lookup = FOUND, *attempts: Attempt, shaken: Handshake | None = None) -> Split:
    return Split(HOST, lookup, attempts, shaken)


STAGES: dict[str, tuple[Split, Told]] = {
    "all is well": (
        split(FOUND, *tried(None, None, None), shaken=Handshake(0.1, presented=SEEN)),
        {
            "dns": DNS_OK,
            "tcp": (OK, None, f"{A}, {B}, {C}"),
            "tls": (OK, None, str(SEEN)),
        },
    ),
    "no name": (
        split(Lookup((), 0.1, "dns", "no such name")),
        {"dns": (DOWN, "dns", "no such name"), "tcp": NO_TCP, "tls": NO_TLS},
    ),
    "no resolver": (
        split(Lookup((), 5.0, "timeout", "no answer within the deadline")),
        {
            "dns": (DOWN, "timeout", "no answer within the deadline"),
            "tcp": NO_TCP,
            "tls": NO_TLS,
        },
    ),
    "a slow resolver": (
        split(Lookup((A,), 1.5), *tried(None), shaken=Handshake(0.1)),
        {"dns": (DEGRADED, None, A), "tcp": (OK, None, A), "tls": (OK, None, "")},
    ),
    "an address": (
        split(Lookup((A,), literal=True), *tried(None), shaken=Handshake(0.1)),
        {
            "dns": (OK, None, "an address, nothing to look up"),
            "tcp": (OK, None, A),
            "tls": (OK, None, ""),
        },
    ),
    "some refuse": (
        split(FOUND, *tried("refused", None, "refused"), shaken=Handshake(0.1)),
        {
            "dns": DNS_OK,
            "tcp": (DEGRADED, "refused", f"2 of 3 addresses refuse: {A}, {C}"),
            "tls": (OK, None, ""),
        },
    ),
    "one does not answer": (
        split(FOUND, *tried("timeout", None), shaken=Handshake(0.1)),
        {
            "dns": DNS_OK,
            "tcp": (DEGRADED, "timeout", f"1 of 2 addresses does not answer: {A}"),
            "tls": (OK, None, ""),
        },
    ),
    "each fails in its way": (
        split(FOUND, *tried("refused", "timeout", "timeout")),
        {
            "dns": DNS_OK,
            "tcp": (DOWN, "timeout", f"3 of 3 addresses fail: {A}, {B}, {C}"),
            "tls": NO_TLS,
        },
    ),
    "the only one refuses": (
        split(FOUND, *tried("refused")),
        {
            "dns": DNS_OK,
            "tcp": (DOWN, "refused", f"the address refuses: {A}"),
            "tls": NO_TLS,
        },
    ),
    "slow to connect, slow to shake hands": (
        split(FOUND, *tried(None, took_s=1.2), shaken=Handshake(2.5)),
        {"dns": DNS_OK, "tcp": (DEGRADED, None, A), "tls": (DEGRADED, None, "")},
    ),
    "no IPv6 here": (
        split(FOUND, Attempt(SIX, 0.0, "unreachable", True), *tried(None), shaken=Handshake(0.1)),
        {"dns": DNS_OK, "tcp": (OK, None, A), "tls": (OK, None, "")},
    ),
    "an IPv6 address that others can reach": (
        split(FOUND, Attempt(SIX, 0.0, "unreachable"), *tried(None), shaken=Handshake(0.1)),
        {
            "dns": DNS_OK,
            "tcp": (DEGRADED, "unreachable", f"1 of 2 addresses is out of reach: {SIX}"),
            "tls": (OK, None, ""),
        },
    ),
    "no IPv6 here, and the rest refuses": (
        split(FOUND, Attempt(SIX, 0.0, "unreachable", True), *tried("refused")),
        {
            "dns": DNS_OK,
            "tcp": (DOWN, "refused", f"1 of 2 addresses refuses: {A}"),
            "tls": NO_TLS,
        },
    ),
    "no network at all": (
        split(FOUND, Attempt(A, 0.0, "unreachable", True), Attempt(SIX, 0, "unreachable", True)),
        {
            "dns": DNS_OK,
            "tcp": (DOWN, "unreachable", f"2 of 2 addresses are out of reach: {A}, {SIX}"),
            "tls": NO_TLS,
        },
    ),
    "somebody else's certificate": (
        split(
            FOUND,
            *tried(None),
            shaken=Handshake(0.1, "certificate", "the issuer is not trusted", SEEN),
        ),
        {
            "dns": DNS_OK,
            "tcp": (OK, None, A),
            "tls": (DOWN, "certificate", f"the issuer is not trusted: {SEEN}"),
        },
    ),
}


@pytest.mark.parametrize(("found", "told"), STAGES.values(), ids=STAGES)
def test_stages_are_judged(found: Split, told: Told) -> None:
    readings = stage_readings(found, T0, 1.0)
    assert {r.probe: (r.outcome, r.fault, r.detail) for r in readings} == told
    assert all((r.kind, r.at, r.bound, r.unit) == (Kind.NETWORK, T0, 1.0, "s") for r in readings)


def test_without_tls_nothing_is_said_of_it() -> None:
    plain = Split(Place("x.example", 80, False), Lookup((A,), 0.1), tried(None))
    assert [r.probe for r in stage_readings(plain, T0, 1.0)] == ["dns", "tcp"]


def test_what_failed_was_not_slow() -> None:
    """Ten seconds of nothing are no measurement; the quickest address is."""
    late = (Attempt(A, 9.0, "timeout"), Attempt(B, 0.2), Attempt(C, 0.1))
    by_probe = {r.probe: r for r in stage_readings(split(FOUND, *late), T0, 1.0)}
    assert (by_probe["tcp"].value, by_probe["tcp"].latency_s) == (0.1, 0.1)
    (down,) = (r for r in stage_readings(split(FOUND, late[0]), T0, 1.0) if r.probe == "tcp")
    assert (down.value, down.latency_s) == (None, 9.0)


def test_a_detail_stays_short() -> None:
    many = tuple(Attempt(f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{n}", 0.1) for n in range(8))
    lookup = Lookup(tuple(a.address for a in many), 0.1)
    assert all(len(r.detail) <= 160 for r in stage_readings(split(lookup, *many), T0, 1.0))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Let's Encrypt, R11", "Let's Encrypt, R11"),
        ("a\x1b[2Jb\nc\u202ed", "a?[2Jb?c?d"),
        ('say "hi"', "say ?hi?"),
        ("x" * 99, "x" * LONGEST_NAME + "…"),
    ],
)
def test_foreign_text_is_made_harmless(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_what_is_no_certificate_is_none() -> None:
    assert read_certificate(b"\x30\x03nope") is None
    assert read_certificate(b"") is None


PROXIES = [
    ({}, (), OK, "no proxy is set"),
    ({"HTTPS_PROXY": "", "PROXY": "x"}, (), OK, "no proxy is set"),
    ({"NO_PROXY": "localhost"}, ("NO_PROXY",), OK, "no proxy is set"),
    (
        {"https_proxy": f"http://u:{CANARY}@proxy:3128", "ALL_PROXY": CANARY, "NO_PROXY": CANARY},
        ("ALL_PROXY", "NO_PROXY", "https_proxy"),
        DEGRADED,
        "ALL_PROXY, NO_PROXY, https_proxy set: what is outside goes through it",
    ),
]


@pytest.mark.parametrize(("environ", "names", "outcome", "detail"), PROXIES)
def test_proxies_are_told_by_name_alone(
    environ: dict[str, str], names: tuple[str, ...], outcome: Outcome, detail: str
) -> None:
    assert proxies_set(environ) == names
    reading = proxy_reading(names, T0)
    assert (reading.probe, reading.outcome, reading.detail) == ("proxy", outcome, detail)
    assert CANARY not in repr(reading)


def skewed(*skews: float | None) -> list[Reading]:
    return [making.endpoint(f"e{n}", 200, skew_s=skew) for n, skew in enumerate(skews)]


CLOCKS: list[tuple[list[Reading], float | None, Told]] = [
    ([], 3.0, {}),
    (skewed(None, None), None, {"vendor": (UNKNOWN, None, "no answer told its date")}),
    (skewed(0.4, None), None, {"vendor": (OK, None, "the same as ours")}),
    (skewed(-2.0, 90.0, -1.0), None, {"vendor": (OK, None, "1 s behind ours")}),
    (skewed(60.0), None, {"vendor": (OK, None, "60 s ahead of ours")}),
    (
        skewed(300.0, 301.0, 4000.0),
        299.0,
        {
            "vendor": (DEGRADED, None, "301 s ahead of ours"),
            "control": (DEGRADED, None, "299 s ahead of ours"),
        },
    ),
    (
        skewed(-61.0),
        0.2,
        {
            "vendor": (DEGRADED, None, "61 s behind ours"),
            "control": (OK, None, "the same as ours"),
        },
    ),
]


@pytest.mark.parametrize(("endpoints", "second", "told"), CLOCKS)
def test_clocks_are_compared(endpoints: list[Reading], second: float | None, told: Told) -> None:
    readings = clock_readings(endpoints, second, making.runbook())
    assert {r.probe: (r.outcome, r.fault, r.detail) for r in readings} == told
    assert all((r.kind, r.bound, r.unit) == (Kind.CLOCK, 60.0, "s") for r in readings)
    assert all(r.value is None or r.value == abs(r.skew_s or 0.0) for r in readings)


def test_a_clock_can_be_told_where_no_endpoint_answered() -> None:
    vendor, control = clock_readings([], 70.0, making.runbook(), at=T0)
    assert (vendor.outcome, control.outcome, control.skew_s) == (UNKNOWN, DEGRADED, 70.0)


# From here on real sockets.

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def there(base_url: str, control_url: str | None = None) -> Watched:
    found = making.watched()
    changes = {"base_url": base_url, "control_url": control_url}
    changed = found.integration.model_copy(update=changes)
    book = found.runbook.model_copy(update={"control": None})
    return found.model_copy(update={"integration": changed, "runbook": book})


def closed_port(host: str = "127.0.0.1", family: int = socket.AF_INET) -> int:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


def answers(*addresses: str) -> Resolve:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def nobody_answers(_host: str, _port: int) -> Sequence[str]:
    await asyncio.Event().wait()
    return ()


async def probed(
    watch: Watch, watched: Watched, deadline_s: float = 5.0, **more: Any
) -> dict[str, Reading]:
    """Whoever breaks the deadline breaks the test; nobody is timed."""
    async with asyncio.timeout(deadline_s + 8):
        readings = await network_readings(watch, watched, deadline_s, **more)
    assert all(r.kind is Kind.NETWORK for r in readings)
    assert all(len(r.detail) <= 160 and r.detail.isprintable() for r in readings)
    return {r.probe: r for r in readings}


@asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()

    started = await asyncio.start_server(closing, "127.0.0.1", 0, ssl=tls)
    try:
        yield started.sockets[0].getsockname()[1]
    finally:
        started.close()


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_a_closed_port_refuses_and_nothing_is_looked_up(watch: Watch) -> None:
    found = asyncio.run(probed(watch, there(f"https://127.0.0.1:{closed_port()}/v1")))
    assert {p: (r.outcome, r.fault) for p, r in found.items() if p != "proxy"} == {
        "dns": (OK, None),
        "tcp": (DOWN, "refused"),
        "tls": (UNKNOWN, None),
        "control": (UNKNOWN, None),
    }
    assert found["dns"].detail == "an address, nothing to look up"
    assert found["control"].detail == "no control URL is set"


def test_an_ipv6_address_is_an_address(watch: Watch) -> None:
    """Refused where there is IPv6, out of reach where there is none."""
    found = asyncio.run(probed(watch, there("https://[::1]:9/v1")))
    assert found["dns"].detail == "an address, nothing to look up"
    assert found["tcp"].outcome is DOWN
    assert found["tcp"].fault in ("refused", "unreachable")
    assert "::1" in found["tcp"].detail


def test_a_name_that_is_not_there_leaves_the_rest_unknown(watch: Watch) -> None:
    found = asyncio.run(probed(watch, there("https://no-such-host.invalid/v1")))
    assert (found["dns"].outcome, found["dns"].fault) == (DOWN, "dns")
    assert found["dns"].target == "DNS of no-such-host.invalid"
    assert (found["tcp"].outcome, found["tls"].outcome) == (UNKNOWN, UNKNOWN)


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "x..example"])
def test_what_cannot_even_be_looked_up_is_no_name(watch: Watch, host: str) -> None:
    found = asyncio.run(probed(watch, there(f"http://{host}/v1")))
    assert found["dns"].outcome in (DOWN, UNKNOWN)
    assert found["dns"].fault in ("dns", None)


def test_a_base_url_that_names_no_port_is_a_reading_too(watch: Watch) -> None:
    found = asyncio.run(probed(watch, there("https://api.example.com:99999/v1")))
    assert (found["dns"].outcome, found["dns"].detail) == (
        UNKNOWN,
        "base_url names no host and port",
    )


def test_a_resolver_that_never_answers_ends_at_the_deadline(watch: Watch) -> None:
    way = there("https://api.example.com")
    found = asyncio.run(probed(watch, way, 0.1, resolve=nobody_answers))
    assert (found["dns"].outcome, found["dns"].fault) == (DOWN, "timeout")
    assert found["tls"].outcome is UNKNOWN


def test_a_name_without_addresses_is_no_name(watch: Watch) -> None:
    found = asyncio.run(probed(watch, there("https://api.example.com"), resolve=answers()))
    assert (found["dns"].fault, found["dns"].detail) == ("dns", "the name has no address")


def test_a_port_that_takes_no_more_ends_at_the_deadline(watch: Watch) -> None:
    """What a firewall that drops packets looks like: nothing comes back, not even a refusal."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        found = asyncio.run(probed(watch, there(f"http://127.0.0.1:{full.getsockname()[1]}"), 0.3))
        for sock in waiting:
            sock.close()
    assert (found["tcp"].outcome, found["tcp"].fault) == (DOWN, "timeout")


def test_each_address_is_tried_once_and_only_so_many(watch: Watch) -> None:
    async def run() -> None:
        async with server(silent) as port:
            names = answers("127.0.0.1", "127.0.0.2", "127.0.0.1")
            way = there(f"http://api.example.com:{port}/v1")
            found = await probed(watch, way, resolve=names)
            assert (found["tcp"].outcome, found["tcp"].fault) == (DEGRADED, "refused")
            assert found["tcp"].detail == "1 of 2 addresses refuses: 127.0.0.2"
            assert "tls" not in found
            assert found["dns"].detail == "127.0.0.1, 127.0.0.2"
            crowd = answers(*(f"127.0.1.{n}" for n in range(1, 40)))
            place = Place("api.example.com", port, False)
            found_ways = await split_way(place, ssl.create_default_context(), 5.0, crowd)
            assert len(found_ways.attempts) == MOST_ADDRESSES

    asyncio.run(run())


def authority(name: str = "Interposed Gateway Ltd") -> trustme.CA:
    return trustme.CA(organization_name=name)


def presenting(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


def shaken(watch: Watch, tls: ssl.SSLContext, trust: ssl.SSLContext | None = None) -> Reading:
    """The reading of a server that presents this; it must not hear a byte of a request."""
    heard = []

    async def listening(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async def run() -> Reading:
        async with server(listening, tls) as port:
            found = await probed(watch, there(f"https://127.0.0.1:{port}"), trust=trust)
        assert found["tcp"].outcome is OK
        return found["tls"]

    reading = asyncio.run(run())
    assert b"".join(heard) == b""
    return reading


def test_a_trusted_certificate_is_well_and_named(watch: Watch) -> None:
    ca = authority()
    reading = shaken(watch, presenting(ca.issue_cert("127.0.0.1")), trusting(ca))
    assert (reading.outcome, reading.fault) == (OK, None)
    assert '"127.0.0.1" issued by "Interposed Gateway Ltd"' in reading.detail


def test_a_wrong_issuer_is_found_and_named(watch: Watch) -> None:
    """By the authorities that the vendor's client trusts."""
    reading = shaken(watch, presenting(authority().issue_cert("127.0.0.1")))
    assert (reading.outcome, reading.fault, reading.value) == (DOWN, "certificate", None)
    assert reading.detail.startswith("the issuer is not trusted: ")
    assert 'issued by "Interposed Gateway Ltd"' in reading.detail


def test_an_issuer_cannot_write_on_our_terminal(watch: Watch) -> None:
    leaf = authority("Evil\x1b[2J\nLtd").issue_cert("127.0.0.1", common_name="a\u202eb")
    reading = shaken(watch, presenting(leaf))
    assert '"a?b" issued by "Evil?[2J?Ltd"' in reading.detail


def test_an_expired_certificate_says_so(watch: Watch) -> None:
    ca, ended = authority(), datetime(2020, 5, 1, tzinfo=UTC)
    leaf = ca.issue_cert("127.0.0.1", not_before=ended - timedelta(days=9), not_after=ended)
    reading = shaken(watch, presenting(leaf), trusting(ca))
    assert (reading.outcome, reading.fault) == (DOWN, "expired")
    assert reading.detail.startswith("expired by our clock: ")
    assert reading.detail.endswith("valid 2020-04-22 to 2020-05-01")


def test_a_certificate_for_somebody_else_says_so(watch: Watch) -> None:
    ca = authority()
    reading = shaken(watch, presenting(ca.issue_cert("login.example")), trusting(ca))
    assert (reading.outcome, reading.fault) == (DOWN, "certificate")
    assert reading.detail.startswith('for another address: "login.example"')


def test_a_self_signed_certificate_is_not_trusted(watch: Watch, tmp_path: Path) -> None:
    ca, pem = authority("Box in the cellar"), tmp_path / "own.pem"
    ca.private_key_pem.write_to_path(str(pem))
    ca.cert_pem.write_to_path(str(pem), append=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    reading = shaken(watch, context)
    assert (reading.outcome, reading.fault) == (DOWN, "certificate")
    assert reading.detail.startswith("self-signed: ")
    assert "Box in the cellar" in reading.detail


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hangs_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def speaks_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(http(b"no", 400))
    await writer.drain()


BROKEN: dict[str, tuple[Serve, str, str]] = {
    "takes and says nothing": (silent, "timeout", "no handshake within the deadline"),
    "resets": (resets, "reset", "the far side broke the handshake off"),
    "hangs up": (hangs_up, "reset", "the far side broke the handshake off"),
    "speaks no TLS": (speaks_plainly, "tls", "the handshake failed: wrong version number"),
}


@pytest.mark.parametrize(("serve", "fault", "why"), BROKEN.values(), ids=BROKEN)
def test_a_handshake_that_fails_is_told_from_a_certificate(
    watch: Watch, serve: Serve, fault: str, why: str
) -> None:
    async def run() -> Reading:
        async with server(serve) as port:
            deadline_s = 0.3 if fault == "timeout" else 5.0
            return (await probed(watch, there(f"https://127.0.0.1:{port}"), deadline_s))["tls"]

    reading = asyncio.run(run())
    assert (reading.outcome, reading.fault, reading.detail) == (DOWN, fault, why)


def test_the_vendor_gets_no_request_and_the_control_one_without_a_key(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what stands in the control's URL, nor by way of a proxy; nor is a redirect followed."""
    monkeypatch.setenv("HTTP_PROXY", f"http://user:{CANARY}@127.0.0.1:{closed_port()}")
    moved = http(b"", 302, {"Location": "/elsewhere"})

    async def run() -> dict[str, Reading]:
        async with raw_server(says(http({}))) as vendor, raw_server(says(moved)) as control:
            url = control.url.replace("//", f"//user:{CANARY}@") + f"/up?token={CANARY}"
            found = await probed(watch, there(vendor.url, url))
            assert vendor.heads == []
            assert control.paths() == [f"/up?token={CANARY}"]
            assert "authorization" not in control.heads[0].lower()
        return found

    found = asyncio.run(run())
    assert (found["control"].outcome, found["control"].status) == (OK, 302)
    assert found["control"].target == "control 127.0.0.1"
    assert found["proxy"].outcome is OK
    assert "not used for the vendor's address" in found["proxy"].detail
    assert "HTTP_PROXY" in found["proxy"].detail
    assert CANARY not in repr(found)


def test_the_controls_clock_is_read_unless_a_cache_kept_it(watch: Watch) -> None:
    def route(target: str) -> bytes:
        headers = {"Date": "Mon, 02 Mar 2026 09:01:30 GMT"}
        kept = {"/kept": {"Age": "30"}, "/odd": {"Date": "yesterday"}}
        return http(b"", 503, {**headers, **kept.get(target, {})})

    async def run(path: str) -> Reading:
        async with raw_server(routed(route)) as control:
            return (await probed(watch, there(control.url, control.url + path)))["control"]

    skews = {path: asyncio.run(run(path)) for path in ("/", "/kept", "/odd")}
    assert {path: r.skew_s for path, r in skews.items()} == {"/": 90.0, "/kept": None, "/odd": None}
    assert {(r.outcome, r.status, r.detail) for r in skews.values()} == {(OK, 503, "answered 503")}


async def drips(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never so long without a byte that it seems gone, and never done."""
    writer.write(b"HTTP/1.1 200 X\r\nX-Drip: ")
    while True:
        writer.write(b"-")
        await writer.drain()
        await asyncio.sleep(0.05)


SILENT_CONTROLS = {
    "refused": ("http://127.0.0.1:{closed}/", "refused"),
    "dns": ("http://no-such-host.invalid/", "dns"),
    "timeout": ("http://127.0.0.1:{silent}/", "timeout"),
    "drips": ("http://127.0.0.1:{dripping}/", "timeout"),
    "tls": ("https://127.0.0.1:{tls}/", "tls"),
}


@pytest.mark.parametrize(("url", "fault"), SILENT_CONTROLS.values(), ids=SILENT_CONTROLS)
def test_a_control_that_does_not_answer_is_down(watch: Watch, url: str, fault: str) -> None:
    async def run() -> Reading:
        tls = presenting(authority().issue_cert("127.0.0.1"))
        async with server(silent) as hanging, server(drips) as drip, server(silent, tls) as wrong:
            ports = {"silent": hanging, "dripping": drip, "tls": wrong}
            control = url.format(closed=closed_port(), **ports)
            deadline_s = 0.3 if fault == "timeout" else 5.0
            way = there(f"http://127.0.0.1:{hanging}", control)
            return (await probed(watch, way, deadline_s))["control"]

    reading = asyncio.run(run())
    assert (reading.outcome, reading.fault, reading.status) == (DOWN, fault, None)


def test_a_control_url_without_a_place_is_unknown(watch: Watch) -> None:
    way = there("http://127.0.0.1:9", "https://control.example:99999/")
    reading = asyncio.run(probed(watch, way))["control"]
    assert (reading.outcome, reading.fault) == (UNKNOWN, None)
