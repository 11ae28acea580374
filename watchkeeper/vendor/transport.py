"""The guarded wire: no request leaves but by `GuardedTransport`, whatever client is above it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import cast

import httpx

from watchkeeper import own_clock
from watchkeeper.credentials.reading import KeyReader
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Ambiguous, WatchkeeperError
from watchkeeper.network.proxies import proxy_for
from watchkeeper.vendor.bounded import TooLarge, bounded
from watchkeeper.vendor.encoding import TooLargeInside, decoded, mislabelled
from watchkeeper.vendor.failures import WORDS, CallFailed, Kind, kind_of
from watchkeeper.vendor.guard import Bounds, Guard
from watchkeeper.vendor.pacing import RateGate
from watchkeeper.vendor.purpose import Purpose
from watchkeeper.vendor.reply import SAFE_METHODS
from watchkeeper.vendor.wires import Wires

MASK = b"***"
# A shorter key might be part of an ordinary word.
SHORTEST_MASKED = 8
# They describe the bytes on the wire, or are nobody's to keep.
NOT_KEPT = frozenset(
    {"transfer-encoding", "content-encoding", "content-length", "set-cookie", "set-cookie2"}
)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Refuses, waits for its turn, adds the key, sends, and reads no further than its bounds.

    `key` is read just before sending; None sends no key. The deadline is for the whole exchange,
    from connecting to the last byte, however slowly it drips; waiting for our turn comes before.
    Of the response's extensions `latency_s` is the exchange's length, `encoded` the coding of a body
    that we cannot undo, and `mislabelled` the coding that is declared of a plain one.

    Raises Refused (nothing was sent), Throttled (our turn did not come), CallFailed (no usable
    answer), Ambiguous (the same, of a write that the vendor may have seen), and what reading the
    key raises: UserError, or Transient.
    """

    def __init__(
        self,
        guard: Guard,
        gate: RateGate,
        key: KeyReader,
        purpose: Purpose,
        bounds: Bounds,
    ) -> None:
        self._guard, self._gate, self._key = guard, gate, key
        self._purpose, self._bounds = purpose, bounds
        self._wires = Wires(proxy_for(guard.base_url))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._guard.check_origin(request.url)
        self._guard.check_method(request.method)
        await self._gate.admit(self._purpose, self._bounds.max_wait_s)
        secret = await self._key.read()
        self._guard.check_key(secret)
        sent = _Sent()
        started = own_clock.seconds()
        try:
            async with asyncio.timeout(self._bounds.deadline_s):
                sealed = self._sealed(request, secret, sent)
                response = await self._exchange(sealed, secret, started)
        except (_Unusable, httpx.TransportError, OSError, UnicodeError) as error:
            failure = self._failure(request, error, sent)
        else:
            if secret is not None and response.status_code == httpx.codes.UNAUTHORIZED:
                self._key.refused(secret)
            return response
        # Raised out here, so that it carries nothing of the error that led to it.
        raise failure

    async def aclose(self) -> None:
        await self._wires.aclose()

    def _sealed(self, request: httpx.Request, secret: Secret | None, sent: _Sent) -> httpx.Request:
        """A copy of the request with the key in it: the caller's own never holds one."""
        sealed = httpx.Request(
            request.method,
            request.url,
            headers=self._guard.headers(request.headers, request.url),
            stream=request.stream,
            extensions={"trace": sent.trace},
        )
        if secret is not None:
            name, value = self._guard.key_header(secret)
            sealed.headers[name] = value
        return sealed

    async def _exchange(
        self, sealed: httpx.Request, secret: Secret | None, started: float
    ) -> httpx.Response:
        with self._wires.taken() as wire:
            response = await wire.handle_async_request(sealed)
            body, encoded, label = await self._body(response)
        return httpx.Response(
            response.status_code,
            headers=_kept(response.headers, secret),
            content=_masked(body, secret),
            extensions={
                "latency_s": own_clock.seconds() - started,
                "encoded": encoded,
                "mislabelled": label,
            },
        )

    async def _body(self, response: httpx.Response) -> tuple[bytes, str | None, str | None]:
        most = self._bounds.max_bytes
        try:
            raw = await bounded(cast(AsyncIterable[bytes], response.stream), most)
            label = response.headers.get("content-encoding", "")
            return *decoded(raw, label, most), mislabelled(raw, label)
        except (TooLarge, TooLargeInside):
            raise _Unusable("too_large", response.status_code) from None
        except httpx.TransportError as error:
            if isinstance(error, httpx.TimeoutException):
                raise
            raise _Unusable("cut") from None
        finally:
            await response.aclose()

    def _failure(self, request: httpx.Request, error: Exception, sent: _Sent) -> WatchkeeperError:
        kind = error.kind if isinstance(error, _Unusable) else kind_of(error)
        call = f"{self._guard.integration} {request.method} {request.url.path[:120]!r}"
        if sent.begun and request.method not in SAFE_METHODS:
            return Ambiguous(f"{call}: {WORDS[kind]}; the vendor may have done it")
        return CallFailed(kind, call, error.status if isinstance(error, _Unusable) else None)


class _Unusable(Exception):
    """An answer that is not read to its end. `status`: where it was ours to stop."""

    def __init__(self, kind: Kind, status: int | None = None) -> None:
        super().__init__(kind)
        self.kind, self.status = kind, status


class _Sent:
    """Whether a byte of the request may have left."""

    def __init__(self) -> None:
        self.begun = False

    async def trace(self, event: str, _info: object) -> None:
        if event.endswith("send_request_headers.started"):
            self.begun = True


def _kept(headers: httpx.Headers, secret: Secret | None) -> list[tuple[bytes, bytes]]:
    return [
        (name, _masked(value, secret))
        for name, value in headers.raw
        if name.lower().decode("latin-1") not in NOT_KEPT
    ]


def _masked(text: bytes, secret: Secret | None) -> bytes:
    """Vendors echo keys in their errors; ours ends here."""
    if secret is None or len(secret.reveal()) < SHORTEST_MASKED:
        return text
    return text.replace(secret.reveal().encode("ascii"), MASK)
