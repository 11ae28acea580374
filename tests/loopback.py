"""Small raw servers on loopback, which can say what no decent server would."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.runbook.api import Auth, RateLimit, Resource
from watchkeeper.runbook.causes import CauseRule, SeverityLevel
from watchkeeper.runbook.integration import Credential, Integration, Watched
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import Probe
from watchkeeper.store.engine import Store, open_store

CANARY = "test_canary_4f1a9c77d2e0"
Answer = Callable[[str], Awaitable[bytes] | bytes]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class RawServer:
    """`heads`: every request's head as it came, up to the blank line."""

    url: str = ""
    heads: list[str] = field(default_factory=list, repr=False)
    bytes_in: int = 0

    def paths(self) -> list[str]:
        return [head.split(" ", 2)[1] for head in self.heads]


Script = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Each connection carries one request; `script` gets its head and writes what it likes."""
    seen = RawServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            seen.bytes_in += len(head)
            seen.heads.append(head.decode("latin-1"))
            await script(seen.heads[-1], writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    seen.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield seen
    finally:
        server.close()


def says(answer: bytes) -> Script:
    async def script(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return script


def http(
    body: bytes | object = b"", status: int = 200, headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole HTTP answer; a body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Length": str(len(raw)), "Connection": "close", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + raw


def routed(answers: Callable[[str], bytes]) -> Script:
    """Answer by the request's target."""

    async def script(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answers(head.split(" ", 2)[1]))
        await writer.drain()

    return script


def resource(**changes: Any) -> Resource:
    given = {
        "name": "workorders",
        "path": "/workorders",
        "envelope": "workOrders",
        "item_path": "/workorders/{id}",
        "item_envelope": "workOrder",
        "page_size": 3,
        "since_param": "updatedAt[gte]",
        "until_param": "updatedAt[lte]",
        "sort_param": "sort",
        "sort": "updatedAt",
    }
    return Resource.model_validate({**given, **changes})


def watched(
    base_url: str,
    *,
    reference: str = "file:key.json",
    sandbox: bool = True,
    auth: Auth | None = None,
    rate: RateLimit | None = None,
    organisation: int | None = None,
) -> Watched:
    levels = tuple(
        SeverityLevel(level=n, word=f"P{n}", definition="-", respond_within="1h", pages=n < 3)
        for n in (1, 2, 3, 4)
    )
    runbook = Runbook(
        vendor="maintainx",
        display_name="MaintainX",
        base_url="https://api.example.com/v1",
        auth=auth or Auth(),
        rate_limit=rate or RateLimit(requests=100_000, per="1s"),
        probes=(Probe(name="workorders", path="/workorders"),),
        resources=(resource(),),
        severity=levels,
        causes=(
            CauseRule(cause="outage", symptom="all_5xx", likely_cause="-", check="-", severity=1),
        ),
    )
    integration = Integration(
        name="maintainx@test",
        runbook="maintainx.yaml",
        sandbox=sandbox,
        base_url=base_url,
        organisation=organisation,
        credential=Credential(name="api-key", reference=reference),
    )
    return Watched(integration=integration, runbook=runbook)


def fresh_store(folder: Path) -> Store:
    """A database of its own, from a copy: migrating each anew would take longer than the test."""
    path = folder / "watchkeeper.db"
    path.write_bytes(_empty_database())
    return open_store(f"sqlite:///{path}")


@cache
def _empty_database() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        open_store(f"sqlite:///{path}").close()
        return path.read_bytes()


def store_key(folder: Path, value: str = CANARY, name: str = "key.json") -> None:
    keys = open_rotatable(f"file:{name}", folder)
    keys.promote(keys.offer(Secret(value)))
