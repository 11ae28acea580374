"""A service of ours with settings over HTTP, on loopback, which can be told to behave badly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from loopback import http


@dataclass
class SettingsService:
    """`held`: what it goes by; `shown_late`: so many GETs still show what was before a change.

    `answers`: method -> raw answer in place of its own, `then`: the same after a change. `hangs`:
    the method that gets no answer, `loses`: the one that is carried out and then gets none.
    """

    held: dict[str, Any]
    url: str = ""
    token: str | None = None
    shown_late: int = 0
    defaults: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)
    then: dict[str, bytes] = field(default_factory=dict)
    hangs: str = ""
    loses: str = ""
    heads: list[str] = field(default_factory=list, repr=False)
    patches: list[Any] = field(default_factory=list)
    _stale: list[dict[str, Any]] = field(default_factory=list)

    def methods(self) -> list[str]:
        return [head.split(" ", 1)[0] for head in self.heads]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = [line.partition(": ") for line in head.lower().split("\r\n")]
            sizes = [int(value) for name, _, value in lines if name == "content-length"]
            body = await reader.readexactly(sizes[0] if sizes else 0)
            self.heads.append(head)
            answer = self._answer(head, body)
            if head.split(" ", 1)[0] in (self.hangs, self.loses):
                # Until the other side gives up.
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, head: str, body: bytes) -> bytes:
        method = head.split(" ", 1)[0]
        if method in self.answers:
            return self.answers[method]
        if method == self.hangs:
            return b""
        if self.token is not None and f"authorization: bearer {self.token}\r\n" not in head.lower():
            return http(status=401)
        return http(self._shown()) if method == "GET" else self._patch(json.loads(body))

    def _shown(self) -> dict[str, Any]:
        return self._stale.pop(0) if self._stale else self.held

    def _patch(self, said: dict[str, Any]) -> bytes:
        if unknown := set(said) - set(self.held):
            return http({"unknown": sorted(unknown)}, 422)
        self._stale = [dict(self.held)] * self.shown_late
        self.answers |= self.then
        self.patches.append(said)
        self.held |= {n: self.defaults.get(n) if v is None else v for n, v in said.items()}
        return http(status=204)


@asynccontextmanager
async def settings_service(**told: Any) -> AsyncIterator[SettingsService]:
    service = SettingsService(**told)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/settings"
    try:
        yield service
    finally:
        server.close()
