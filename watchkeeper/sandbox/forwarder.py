"""TCP from one loopback port to another address, as well or as badly as it is told."""

import asyncio
import re
import socket
import ssl
import struct
from dataclasses import asdict, dataclass
from typing import Any

from watchkeeper.sandbox.serving import LOOPBACK

MODES = ("pass", "refuse", "hang", "reset", "slow", "answer", "cut")
LONGEST_DELAY_S = 600.0
CHUNK = 65_536

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`slow`: `connect_delay_s` before the first byte of a connection, `delay_s` before each piece
    in either direction. The connection itself is there at once: the kernel accepts it. `answer`: a
    gateway's own page of that `status`, and nothing is passed on. `cut`: the connection ends before
    the answer does."""

    mode: str = "pass"
    delay_s: float = 0.0
    connect_delay_s: float = 0.0
    status: int = 502


def behaviour(raw: dict[str, Any]) -> Behaviour:
    """Raises ValueError, TypeError."""
    delays = {name: float(raw.get(name, 0.0)) for name in ("delay_s", "connect_delay_s")}
    found = Behaviour(str(raw.get("mode", "pass")), **delays, status=int(raw.get("status", 502)))
    if raw.keys() - asdict(found).keys() or found.mode not in MODES:
        raise ValueError(
            f"mode is one of {', '.join(MODES)}; delay_s and connect_delay_s may follow"
        )
    if not all(0 <= delay <= LONGEST_DELAY_S for delay in delays.values()):
        raise ValueError(f"a delay is from 0 to {LONGEST_DELAY_S:.0f} s")
    if found.mode != "slow" and any(delays.values()):
        raise ValueError("only slow has delays")
    return found


class Forwarder:
    """Its methods belong to one event loop. `accepted` counts the connections that were taken."""

    def __init__(self, to: Address, port: int = 0) -> None:
        self.to = to
        # Held for good and never listened on: while we refuse, nobody else gets the port.
        self._held = _bound(port)
        self.port: int = self._held.getsockname()[1]
        self.behaviour = Behaviour()
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def behave(self, wanted: Behaviour) -> None:
        """From now on. What is open is cut, so that the next request meets the change."""
        self.behaviour = wanted
        for task in tuple(self._open):
            task.cancel()
        if wanted.mode == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
        elif wanted.mode != "refuse" and self._server is None:
            listening = _bound(self.port)
            self._server = await asyncio.start_server(self._meet, sock=listening, backlog=128)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._treat(reader, writer)
            writer.close()
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            # Cut or broken off: that is what it is for, and nothing to log.
            writer.transport.abort()
        finally:
            self._open.discard(task)

    async def _treat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        now = self.behaviour
        if now.mode == "reset":
            raise _reset(writer)
        if now.mode == "hang":
            while await reader.read(CHUNK):
                pass
            return
        if now.mode == "answer":
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_page(now.status))
            await writer.drain()
            return
        if now.mode == "cut":
            await _half(reader, writer, self.to)
            return
        await asyncio.sleep(now.connect_delay_s)
        await forward(reader, writer, self.to, now.delay_s)


async def forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Address, delay_s: float = 0.0
) -> None:
    """Both ways until both are done. Raises OSError where one of them breaks off."""
    far_reader, far_writer = await asyncio.open_connection(*to)
    there = asyncio.create_task(_carry(reader, far_writer, delay_s))
    back = asyncio.create_task(_carry(far_reader, writer, delay_s))
    try:
        await asyncio.gather(there, back)
        far_writer.close()
    finally:
        there.cancel()
        back.cancel()
        if not far_writer.is_closing():
            far_writer.transport.abort()


async def _half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Address) -> None:
    """One request is passed on, and all but the end of its answer comes back."""
    far_reader, far_writer = await asyncio.open_connection(*to)
    try:
        asked = await reader.readuntil(b"\r\n\r\n")
        far_writer.write(asked)
        head = await far_reader.readuntil(b"\r\n\r\n")
        told = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = (
            await far_reader.readexactly(int(told[1]))
            if told and not asked.startswith(b"HEAD ")
            else b""
        )
        writer.write(head + body[: len(body) // 2])
        await writer.drain()
    finally:
        far_writer.transport.abort()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    while piece := await reader.read(CHUNK):
        await asyncio.sleep(delay_s)
        writer.write(piece)
        await writer.drain()
    # TLS cannot end in one direction alone.
    (writer.write_eof if writer.can_write_eof() else writer.close)()


async def terminate_tls(tls: ssl.SSLContext, to: Address) -> Address:
    """A port of its own that speaks TLS and carries on in plain text."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await forward(reader, writer, to)
        except OSError:
            writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(meet, LOOPBACK, 0, ssl=tls)
    return LOOPBACK, server.sockets[0].getsockname()[1]


def _page(status: int) -> bytes:
    body = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    head = f"HTTP/1.1 {status} Gateway\r\nServer: gateway\r\nContent-Type: text/html\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def _reset(writer: asyncio.StreamWriter) -> ConnectionResetError:
    """To close with nothing left to wait for is a RST to the other side."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return ConnectionResetError("as told")


def _bound(port: int) -> socket.socket:
    """Bound twice over: once to hold the port, once to listen. By SO_REUSEPORT alone: with
    SO_REUSEADDR anybody could bind it, too, while nobody listens."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((LOOPBACK, port))
    return sock
