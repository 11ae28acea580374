"""Hostile answers over real sockets: what each trick writes, and a world whose every part is hostile."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hostile import Hostile
from loopback import RawServer, fresh_store, raw_server, store_key, utc_now

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.diagnosis import diagnose
from watchkeeper.performing.probing import look
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import RateLimit
from watchkeeper.runbook.integration import Integration, Watched
from watchkeeper.runbook.model import Runbook
from watchkeeper.settings import Settings

PIECE = 64 * 1024
KEYS = ("test_first_key_0001", "test_pending_key_0002", "test_second_key_0003")
STATUS = Path("/proc/self/status")
# Longer than any deadline of a test.
LONG_S = 30.0


async def send(one: Hostile, writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
    """Write the answer as its trick says, until it is `over`; whoever asked may be gone by then."""
    with suppress(OSError):
        await _played(one, writer, over)


async def _played(one: Hostile, writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
    how, body = one.how, one.body
    if how in ("silent", "closed", "reset"):
        if how == "silent":
            await _pause(over, LONG_S)
        if how == "reset":
            _reset(writer)
    elif how == "head_drip":
        await _drip(writer, _head(one, len(body)), over)
    elif how == "continue_storm":
        await _endless(writer, b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, over)
    elif how == "not_http":
        await _written(writer, b"SSH-2.0-OpenSSH_9.6\r\n\x00\x01\x02" + body)
    elif how == "bad_status_line":
        await _written(writer, b"HTTP/9.9 2OO \xff\x1b[31m\r\n\r\n" + body)
    elif how == "bad_length":
        await _written(writer, _head(one, "-1, 1e9") + body)
    elif how in ("chunked", "chunk_garbage", "tiny_chunks", "endless"):
        await _in_chunks(one, writer, over)
    else:
        await _with_length(one, writer, over)


async def _with_length(one: Hostile, writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
    how, body = one.how, one.body
    if how in ("header_flood", "cookie_flood"):
        await _written(writer, _head(one, len(body), _flood(how)) + body)
    elif how == "truncated":
        await _written(writer, _head(one, len(body) + 4096) + body)
    elif how == "overlong":
        await _written(writer, _head(one, len(body) // 2) + body)
    elif how == "two_answers":
        await _written(writer, (_head(one, len(body)) + body) * 2)
    elif how in ("hang", "drip"):
        await _written(writer, _head(one, len(body)))
        await (_pause(over, LONG_S) if how == "hang" else _drip(writer, body, over))
    else:
        await _written(writer, _head(one, len(body)))
        await _written(writer, body)


async def _in_chunks(one: Hostile, writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
    await _written(writer, _head(one, None))
    if one.how == "chunked":
        await _written(writer, b"%x\r\n%s\r\n0\r\n\r\n" % (len(one.body), one.body))
    elif one.how == "chunk_garbage":
        await _written(writer, b"5\r\nhello\r\nZZZ;\x00=\xff\r\n" + one.body)
    elif one.how == "tiny_chunks":
        await _endless(writer, b"1\r\nx\r\n" * 10_000, over)
    else:
        await _endless(writer, b"10000\r\n" + b"[" * 65536 + b"\r\n", over)


def _head(one: Hostile, length: int | str | None, more: bytes = b"") -> bytes:
    """None: in chunks. What a header may not hold is sent all the same, but for line ends."""
    given = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [f"HTTP/1.1 {one.status:03d} X", given, "Connection: close"]
    lines += [f"{name}: {value}".replace("\r", "").replace("\n", "") for name, value in one.headers]
    head = "\r\n".join(lines).encode("utf-8", "surrogatepass")
    return head + b"\r\n" + more + b"\r\n"


def _flood(how: str) -> bytes:
    """As many headers as a client may still take: a hundred thousand bytes of them."""
    if how == "cookie_flood":
        return b"".join(b"Set-Cookie: a%d=b; Max-Age=1e9; Domain=.\r\n" % i for i in range(2000))
    return b"".join(b"x%x:\r\n" % i for i in range(12_000))


async def _written(writer: asyncio.StreamWriter, raw: bytes) -> None:
    """Piece by piece, so that the transport does not keep a copy of a large body."""
    view = memoryview(raw)
    for at in range(0, len(raw), PIECE):
        writer.write(view[at : at + PIECE])
        await writer.drain()


async def _drip(writer: asyncio.StreamWriter, raw: bytes, over: asyncio.Event) -> None:
    for at in range(len(raw)):
        await _written(writer, raw[at : at + 1])
        await _pause(over, 0.05)


async def _endless(writer: asyncio.StreamWriter, raw: bytes, over: asyncio.Event) -> None:
    while not (writer.is_closing() or over.is_set()):
        await _written(writer, raw)


async def _pause(over: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), seconds)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class World:
    """A vendor, everything beside it, and a place that nobody may be led to: `led` counts who came.

    Whoever asks gets the next of `answers`.
    """

    vendor: RawServer = field(default_factory=RawServer)
    beside: RawServer = field(default_factory=RawServer)
    elsewhere: str = ""
    led: int = 0
    answers: Iterator[Hostile] = field(default_factory=lambda: iter(()))
    given: Counter[str] = field(default_factory=Counter)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    playing: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, _head: str, writer: asyncio.StreamWriter) -> None:
        one = next(self.answers)
        self.given[one.name] += 1
        self.playing += 1
        self.idle.clear()
        try:
            await send(one, writer, self.over)
        finally:
            self.playing -= 1
            if not self.playing:
                self.idle.set()

    async def trap(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.led += 1
        writer.close()


@asynccontextmanager
async def hostile_world() -> AsyncIterator[World]:
    """On loopback, and until it is left."""
    world = World()
    async with AsyncExitStack() as stack:
        world.vendor = await stack.enter_async_context(raw_server(world.play))
        world.beside = await stack.enter_async_context(raw_server(world.play))
        trap = await stack.enter_async_context(
            await asyncio.start_server(world.trap, "127.0.0.1", 0)
        )
        world.elsewhere = "http://{}:{}".format(*trap.sockets[0].getsockname())
        try:
            yield world
        finally:
            world.over.set()
            if world.playing:
                await world.idle.wait()


def kib(name: str) -> int:
    """A line of what Linux tells of this process; elsewhere the most that it has had."""
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


class Memory:
    """How much this process grew, at its largest, since it was made."""

    def __init__(self) -> None:
        gc.collect()
        if STATUS.exists():
            # Begins anew to note the most that it has had.
            STATUS.with_name("clear_refs").write_text("5")
        self._before = kib("VmRSS")

    def grown_mib(self) -> float:
        return (kib("VmHWM") - self._before) / 1024


@dataclass
class Looks:
    """What many close looks at a hostile world came to."""

    verdicts: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    over_s: list[float] = field(default_factory=list)


async def look_often(
    world: World, watch: Watch, book: Runbook, count: int, deadline_s: float
) -> Looks:
    found = Looks()
    for turn in range(count):
        on = watched_in(world, book, deadline_s, prometheus=turn % 2 == 1)
        began = time.monotonic()
        evidence = await look(watch, on, closely=True)
        found.over_s.append(time.monotonic() - began - deadline_s)
        found.verdicts[diagnose(evidence, book).verdict] += 1
        found.details += [text for r in evidence.readings for text in (r.detail, r.says())]
    return found


def watch_of(folder: Path) -> Watch:
    """A watch with three keys: the current one, a pending and a second one."""
    (folder / "integrations.yaml").write_text("integrations: {}\n")
    store_key(folder, KEYS[0])
    open_rotatable("file:key.json", folder).offer(Secret(KEYS[1]))
    store_key(folder, KEYS[2], "second.json")
    settings = Settings(home=folder, integrations=folder / "integrations.yaml")
    return Watch(settings, fresh_store(folder), utc_now)


def watched_in(world: World, book: Runbook, deadline_s: float, *, prometheus: bool) -> Watched:
    """Everything that a close look asks of anybody, at one of the two."""
    limits = {"probe_deadline": f"{round(deadline_s * 1000)} ms"}
    url = world.beside.url
    metrics = {"kind": "prometheus" if prometheus else "text", "url": f"{url}/metrics"}
    integration = Integration.model_validate(
        {
            "name": "maintainx@test",
            "runbook": "maintainx",
            "sandbox": True,
            "base_url": f"{world.vendor.url}/v1",
            "status_page_url": url,
            "control_url": f"{url}/control",
            "direct_url": f"{url}/direct",
            "credential": {"name": "k", "reference": "file:key.json", "second": "file:second.json"},
            "service": {
                "health_url": f"{url}/health",
                "health_urls": {"one": f"{url}/health/one"},
                "metrics": metrics,
            },
        }
    )
    given = {**book.thresholds.model_dump(), **limits}
    thresholds = type(book.thresholds).model_validate(given)
    changes = {"thresholds": thresholds, "rate_limit": RateLimit(requests=100_000, per="1s")}
    return Watched(integration=integration, runbook=book.model_copy(update=changes))
