"""Servers on loopback: ASGI applications through uvicorn, and raw sockets that misbehave.

Everything runs in one event loop of one process, so that nothing can outlive it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _QuietServer(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do nothing: the start program ends all servers by itself."""
        yield


class Harbour:
    """All servers and sockets of one world, started together and ended together."""

    def __init__(self) -> None:
        self._servers: list[_QuietServer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._raw: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._held: list[socket.socket] = []

    async def serve(self, app: ASGIApp, *, certificate: tuple[Path, Path] | None = None) -> int:
        """Start an application on a free port and return the port once it answers."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, 0))
        config = uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=str(certificate[0]) if certificate else None,
            ssl_keyfile=str(certificate[1]) if certificate else None,
        )
        server = _QuietServer(config)
        self._servers.append(server)
        self._tasks.append(asyncio.create_task(server.serve(sockets=[listener])))
        while not server.started:
            await asyncio.sleep(0.01)
        return int(listener.getsockname()[1])

    async def serve_raw(self, handler: Handler) -> int:
        """Start a raw TCP server on a free port; each connection goes to the handler."""

        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, HOST, 0)
        self._raw.append(server)
        return int(server.sockets[0].getsockname()[1])

    def closed_port(self) -> int:
        """Return a port that refuses connections; it is held so that nobody else takes it."""
        holder = socket.socket()
        holder.bind((HOST, 0))  # bound and not listening: the kernel refuses connections
        self._held.append(holder)
        return int(holder.getsockname()[1])

    async def end(self) -> None:
        """End all servers and close all sockets."""
        for raw in self._raw:
            raw.close()
        for task in list(self._connections):
            task.cancel()
        for server in self._servers:
            server.should_exit = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=4)
            for task in late:
                task.cancel()
        for holder in self._held:
            holder.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection, read what comes, answer nothing until the other side gives up."""
    while await reader.read(4096):
        pass


def cut_in_half(origin: str) -> Handler:
    """Return a handler that fetches from ``origin`` and sends only half of each body."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        sent = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        keep = {
            name: value
            for name, value in sent.items()
            if name.lower() in ("authorization", "accept", "x-organization-id")
        }
        async with httpx.AsyncClient(trust_env=False) as client:
            whole = await client.request(method, origin + target, headers=keep)
        lines = [f"HTTP/1.1 {whole.status_code} {whole.reason_phrase}"]
        lines += [
            f"{name}: {value}"
            for name, value in whole.headers.items()
            if name.lower() not in ("connection", "transfer-encoding")
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        writer.write(whole.content[: len(whole.content) // 2])
        await writer.drain()

    return handler


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a self-signed certificate for ``name`` and its key; return both paths."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "front.pem", folder / "front.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file
