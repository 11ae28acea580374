"""Connections to the vendor, kept for the next call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from watchkeeper.vendor.authorities import authorities


class Wires:
    """A wire for each call in flight; the next call takes the one that was used last.

    One pool for all would look at each of its connections for each call, and makes a hundred and
    first call wait, which a deadline then ends.
    """

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy
        self._made: list[httpx.AsyncHTTPTransport] = []
        self._idle: list[httpx.AsyncHTTPTransport] = []

    @contextmanager
    def taken(self) -> Iterator[httpx.AsyncHTTPTransport]:
        """For one exchange, until its last byte is read. One that broke opens a new connection the
        next time."""
        wire = self._idle.pop() if self._idle else self._new()
        try:
            yield wire
        finally:
            self._idle.append(wire)

    async def aclose(self) -> None:
        for wire in self._made:
            await wire.aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        wire = httpx.AsyncHTTPTransport(verify=authorities(), trust_env=False, proxy=self._proxy)
        self._made.append(wire)
        return wire
