"""One GET of what our own services tell, bounded in bytes and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import httpx

from watchkeeper.metrics.promtext import LARGEST
from watchkeeper.vendor.authorities import authorities
from watchkeeper.vendor.bounded import TooLarge, bounded
from watchkeeper.vendor.failures import kind_of

DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Page:
    """What came: a status and a whole body, or the kind of fault."""

    status: int | None
    body: bytes
    fault: str | None
    latency_s: float


class Fetch(Protocol):
    async def __call__(
        self, url: str, *, accept: str, query: str | None = None, deadline_s: float = DEADLINE_S
    ) -> Page:
        """`query` goes into the address by that name. Never raises for what the far side does."""
        ...


@asynccontextmanager
async def fetching() -> AsyncIterator[Fetch]:
    """A Fetch with no credential, no redirects, no proxy; its connections end with the block."""
    async with httpx.AsyncClient(trust_env=False, verify=authorities()) as client:
        yield partial(_fetch, client)


async def _fetch(
    client: httpx.AsyncClient,
    url: str,
    *,
    accept: str,
    query: str | None = None,
    deadline_s: float = DEADLINE_S,
) -> Page:
    began = time.monotonic()
    status, body, fault = None, b"", None
    headers = {"accept": accept, "accept-encoding": "identity"}
    params = None if query is None else {"query": query}
    try:
        async with (
            asyncio.timeout(deadline_s),
            client.stream("GET", url, headers=headers, params=params) as reply,
        ):
            status = reply.status_code
            body, fault = await _body(reply)
    except (httpx.HTTPError, TimeoutError, OSError, UnicodeError) as error:
        status, body, fault = None, b"", kind_of(error)
    except (httpx.InvalidURL, ValueError, OverflowError, ExceptionGroup):
        # No such address can be: a port of 99999 comes out of the loop as a group.
        fault = "unreachable"
    return Page(status, body, fault, time.monotonic() - began)


async def _body(reply: httpx.Response) -> tuple[bytes, str | None]:
    if reply.headers.get("content-encoding", "identity").strip().lower() != "identity":
        return b"", "encoded"
    try:
        return await bounded(reply.aiter_raw(), LARGEST), None
    except TooLarge:
        return b"", "too_large"


def fault_told(page: Page) -> str | None:
    """Why there is no good answer, in words; None where there is one."""
    if page.fault is not None:
        return f"no answer ({page.fault})"
    return None if page.status == 200 else f"status {page.status}"
