"""The client that everything else uses: `get` and `send`, and a Reply or one of our errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx
from sqlmodel import Session

from watchkeeper.answer import Answer
from watchkeeper.credentials.current_keys import Read
from watchkeeper.credentials.protocols import RotatableStore, Stage
from watchkeeper.credentials.reading import KeyReader, current_key
from watchkeeper.credentials.references import open_rotatable, open_source
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import UserError
from watchkeeper.runbook.integration import Watched
from watchkeeper.store.engine import Store
from watchkeeper.vendor.classifying import classify
from watchkeeper.vendor.guard import MAX_BYTES, TEST_KEY, Bounds, Guard
from watchkeeper.vendor.pacing import RateGate, nothing_stops
from watchkeeper.vendor.purpose import Purpose
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.transport import GuardedTransport

__all__ = ["KeyChoice", "Params", "Purpose", "Reply", "VendorClient", "vendor_client"]

Params = Mapping[str, str | int | Sequence[str]]
KeyChoice = Stage | Literal["second", "made_up"] | Secret | None
# No vendor has issued it: what it answers is what it answers to a wrong key.
MADE_UP = "not-a-key-made-up-by-watchkeeper"
# The share of a deadline that a far store may take to tell the key.
STORE_SHARE = 0.5
# Where it says that it was asked too much, and names no wait.
USUAL_HOLD_S = 5.0


class VendorClient:
    """Calls one integration's API for one purpose. Use it as an async context manager.

    httpx's own client is left out on purpose: its redirects, cookies, netrc and proxies are ways
    for a request to go where nobody sent it.
    """

    def __init__(
        self, guard: Guard, wire: GuardedTransport, gate: RateGate, now: Callable[[], datetime]
    ) -> None:
        self._guard, self._wire, self._gate, self._now = guard, wire, gate, now

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._wire.aclose()

    async def get(self, path: str, params: Params | None = None) -> Reply:
        """Any status is a Reply, a redirect too.

        Raises Refused, Throttled, CallFailed; see GuardedTransport.
        """
        url = self._guard.url(path)
        return await self._ask(httpx.Request("GET", url, params=params or None))

    async def head(self, path: str) -> Reply:
        """Like `get`, of a body that is not sent."""
        return await self._ask(httpx.Request("HEAD", self._guard.url(path)))

    async def send(self, method: str, path: str, json: Any = None) -> Reply:
        """A call that changes something. Raises Ambiguous, too, once it may have arrived."""
        url = self._guard.url(path)
        return await self._ask(httpx.Request(method, url, json=json))

    async def _ask(self, request: httpx.Request) -> Reply:
        response = await self._wire.handle_async_request(request)
        reply = Reply(
            status=response.status_code,
            headers=_by_name(response.headers),
            body=response.content,
            latency_s=response.extensions["latency_s"],
            at=self._now(),
            method=request.method,
            encoded=response.extensions["encoded"],
            mislabelled=response.extensions["mislabelled"],
        )
        said = classify(reply)
        if said.answer is Answer.THROTTLED:
            wait_s = USUAL_HOLD_S if said.wait_s is None else said.wait_s
            self._gate.hold(reply.at + timedelta(seconds=wait_s))
        return reply


def vendor_client(
    watched: Watched,
    store: Store,
    now: Callable[[], datetime],
    purpose: Purpose,
    *,
    dry_run: bool = False,
    key_stage: KeyChoice = "current",
    deadline_s: float = 10.0,
    max_wait_s: float | None = None,
    max_bytes: int = MAX_BYTES,
    base: Path | None = None,
    consumer: str = "",
    heed: Callable[[Session], None] = nothing_stops,
) -> VendorClient:
    """A client for one integration; nothing is read or sent before the first call.

    `key_stage`: which key to send: one of the credential's, the `second` credential's, a `made_up`
    one, the very one that is given, None for none at all. A `current` one in a far store may be
    some seconds old; one that the vendor refuses is read anew.

    `deadline_s` bounds one exchange, `max_wait_s` the wait for our turn before it, `max_bytes` an
    answer. A relative `file:` reference counts from `base`, by default the working directory.
    `consumer`: whose requests they count as. `heed` is asked before each request and raises Stopped
    where a person stopped the work.
    """
    guard = Guard.of(watched, dry_run, f"watchkeeper/{_version()} ({purpose})")
    gate = RateGate(
        store, watched.name, watched.runbook.rate_limit, now, consumer=consumer, heed=heed
    )
    key = _key(watched, base or Path(), key_stage, deadline_s * STORE_SHARE)
    wire = GuardedTransport(guard, gate, key, purpose, Bounds(deadline_s, max_wait_s, max_bytes))
    return VendorClient(guard, wire, gate, now)


def _by_name(headers: httpx.Headers) -> dict[str, str]:
    """What is given more than once is joined. httpx's own mapping looks through all of them for each
    of them: a head of a hundred thousand bytes would take it half a minute."""
    joined: dict[str, list[str]] = {}
    for name, value in headers.multi_items():
        joined.setdefault(name, []).append(value)
    return {name: ", ".join(values) for name, values in joined.items()}


def _key(watched: Watched, base: Path, which: KeyChoice, within_s: float) -> KeyReader:
    credential = watched.integration.credential
    if which is None or isinstance(which, Secret):
        return KeyReader("", lambda: which)
    if which == "made_up":
        made_up = TEST_KEY + MADE_UP if watched.integration.sandbox else MADE_UP
        return KeyReader("", partial(Secret, made_up))
    if which == "current":
        return current_key(credential.reference, base, within_s)
    reference = credential.second or "" if which == "second" else credential.reference
    return KeyReader(reference, _explicit(reference, base, which), within_s=within_s)


def _explicit(reference: str, base: Path, which: Stage | Literal["second"]) -> Read:
    if which == "second":
        return open_source(reference, base).read
    return partial(_staged, open_rotatable(reference, base), which, reference)


def _staged(store: RotatableStore, stage: Stage, reference: str) -> Secret:
    """To send none, where one was meant, would make a missing key look like a refused one."""
    secret = store.read(stage)
    if secret is None:
        raise UserError(f"{reference} holds no {stage} key")
    return secret


@cache
def _version() -> str:
    return version("watchkeeper")
