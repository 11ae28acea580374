"""One call to a service of ours: bounded in time and size, no redirects, and its token
in one header and nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Ambiguous, Permanent, Transient, WatchkeeperError
from watchkeeper.network.proxies import proxy_for
from watchkeeper.vendor.authorities import authorities
from watchkeeper.vendor.bounded import TooLarge, bounded
from watchkeeper.vendor.encoding import TooLargeInside, decoded
from watchkeeper.vendor.failures import WORDS, Kind, kind_of

MAX_BYTES = 256 * 1024
AGAIN = frozenset({408, 425, 429})
MASK = b"***"


@dataclass(frozen=True, slots=True)
class Wire:
    """One address. `deadline_s` is for a whole exchange, from connecting to the last byte."""

    url: str
    where: str
    deadline_s: float

    async def get(self, token: Secret | None) -> bytes:
        """The bytes, without the token should the service say it back. Raises Transient or
        Permanent."""
        return await _exchanged(self, "GET", None, token)

    async def patch(self, said: Mapping[str, Any], token: Secret | None) -> None:
        """Returns on 2xx; what else is answered is not read. Raises Ambiguous, too, once it may
        have arrived."""
        await _exchanged(self, "PATCH", json.dumps(said).encode(), token)


@dataclass(slots=True)
class _Sent:
    """Whether a byte of the request may have left."""

    begun: bool = field(default=False)

    async def trace(self, event: str, _info: object) -> None:
        if event.endswith("send_request_headers.started"):
            self.begun = True


async def _exchanged(wire: Wire, method: str, body: bytes | None, token: Secret | None) -> bytes:
    sent = _Sent()
    try:
        async with (
            asyncio.timeout(wire.deadline_s),
            httpx.AsyncHTTPTransport(
                verify=authorities(), trust_env=False, proxy=proxy_for(wire.url)
            ) as transport,
        ):
            request = _request(wire.url, method, body, token, sent)
            reply = await transport.handle_async_request(request)
            try:
                failure = _refusal(wire, method, reply.status_code)
                if failure is None:
                    return b"" if method == "PATCH" else await _body(wire, reply, token)
            finally:
                await reply.aclose()
    except (TimeoutError, httpx.TransportError, OSError, UnicodeError) as error:
        failure = _lost(wire, method, kind_of(error), sent)
    except (httpx.InvalidURL, ValueError, OverflowError, ExceptionGroup):
        # No such address can be: a port of 99999 comes out of the loop as a group.
        failure = Permanent(f"settings {wire.where}: there can be no such address")
    # Raised out here, so that it carries nothing of the request, which held the token.
    raise failure


def _request(
    url: str, method: str, body: bytes | None, token: Secret | None, sent: _Sent
) -> httpx.Request:
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    if body is not None:
        headers["content-type"] = "application/json"
    if token is not None:
        headers["authorization"] = f"Bearer {token.reveal()}"
    extensions = {"trace": sent.trace}
    return httpx.Request(method, url, headers=headers, content=body, extensions=extensions)


async def _body(wire: Wire, reply: httpx.Response, token: Secret | None) -> bytes:
    try:
        sent = await bounded(cast(AsyncIterable[bytes], reply.stream), MAX_BYTES)
        raw, foreign = decoded(sent, reply.headers.get("content-encoding", ""), MAX_BYTES)
    except (TooLarge, TooLargeInside):
        raise Permanent(f"settings {wire.where}: {WORDS['too_large']}") from None
    if foreign is not None:
        raise Permanent(f"settings {wire.where}: the answer is compressed ({foreign})")
    return raw if token is None else raw.replace(token.reveal().encode(), MASK)


def _refusal(wire: Wire, method: str, status: int) -> WatchkeeperError | None:
    """What a status means; nothing of the answer is quoted: it may hold what was sent."""
    if 200 <= status < 300:
        return None
    said = f"settings {wire.where}: {method} was answered {status}"
    if status in AGAIN or status >= 500:
        return Transient(said)
    meaning = {401: "it refuses us", 403: "it refuses us", 404: "there are no settings here"}
    moved = "it has moved, and is not followed" if 300 <= status < 400 else "it refuses the call"
    if status == 405:
        return Permanent(f"{said}: it takes no {method}")
    return Permanent(f"{said}: {meaning.get(status, moved)}")


def _lost(wire: Wire, method: str, kind: Kind, sent: _Sent) -> WatchkeeperError:
    said = f"settings {wire.where}: {method}: {WORDS[kind]}"
    if sent.begun and method == "PATCH":
        return Ambiguous(f"{said}; it may have been done")
    return Transient(said)
