"""One GET to what is not the vendor's API: no credential, no redirects, and bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx

from watchkeeper import own_clock
from watchkeeper.errors import WatchkeeperError
from watchkeeper.network.proxies import proxy_for
from watchkeeper.vendor.authorities import authorities
from watchkeeper.vendor.bounded import TooLarge, bounded
from watchkeeper.vendor.encoding import TooLargeInside, decoded
from watchkeeper.vendor.failures import kind_of
from watchkeeper.vendor.reply import http_date
from watchkeeper.vendor.strict_json import loads

DEADLINE_S = 5.0
MAX_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: a status, the bytes and their JSON value, or the kind of fault. `date`: the other
    side's clock, where it told. `headers`: names in lower case."""

    status: int | None
    raw: bytes
    body: Any
    fault: str | None
    latency_s: float
    date: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


async def fetch(
    url: str,
    deadline_s: float = DEADLINE_S,
    max_bytes: int = MAX_BYTES,
    *,
    accept: str = "*/*",
    query: str | None = None,
) -> Fetched:
    """Bytes; `body` stays None. `query` goes into the address by that name. Never raises for what
    the other side does, nor for an address that cannot be one."""
    began = own_clock.seconds()
    status: int | None = None

    def failed(fault: str) -> Fetched:
        return Fetched(status, b"", None, fault, own_clock.seconds() - began)

    try:
        async with (
            asyncio.timeout(deadline_s),
            httpx.AsyncHTTPTransport(
                verify=authorities(), trust_env=False, proxy=proxy_for(url)
            ) as wire,
        ):
            headers = {"accept": accept, "accept-encoding": "identity"}
            params = None if query is None else {"query": query}
            request = httpx.Request("GET", url, headers=headers, params=params)
            reply = await wire.handle_async_request(request)
            status = reply.status_code
            try:
                sent = await bounded(reply.aiter_raw(), max_bytes)
                raw, foreign = decoded(sent, reply.headers.get("content-encoding", ""), max_bytes)
                if foreign is not None:
                    return failed("encoded")
            finally:
                await reply.aclose()
    except (TooLarge, TooLargeInside):
        return failed("too_large")
    except (TimeoutError, httpx.TransportError, OSError, UnicodeError) as error:
        return failed(kind_of(error))
    except (httpx.InvalidURL, ValueError, OverflowError, ExceptionGroup):
        # No such address can be: a port of 99999 comes out of the loop as a group.
        return failed("unreachable")
    date = http_date(reply.headers.get("date", ""))
    took_s = own_clock.seconds() - began
    return Fetched(status, raw, None, None, took_s, date, dict(reply.headers.items()))


async def fetch_json(url: str, deadline_s: float = DEADLINE_S) -> Fetched:
    """The same, with the body as strict JSON; the fault is `not_json` where it is none."""
    return read_json(await fetch(url, deadline_s))


def read_json(got: Fetched) -> Fetched:
    if got.fault is not None:
        return got
    try:
        return replace(got, body=loads(got.raw))
    except WatchkeeperError:
        return replace(got, fault="not_json")
