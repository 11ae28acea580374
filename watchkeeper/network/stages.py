"""What each stage of a connection did: the name, the connections, the handshake. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import httpx

Fault = Literal[
    "timeout", "dns", "refused", "unreachable", "reset", "tls", "certificate", "expired"
]
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an API is reached. `host`: as it is looked up, ASCII; an IPv6 address without brackets."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Place | None:
        """The place that a URL names, read as the client reads it; None where it names none."""
        try:
            parsed = httpx.URL(url)
            host = parsed.raw_host.decode("ascii")
        except (httpx.InvalidURL, ValueError):
            return None
        port = parsed.port or _PORTS.get(parsed.scheme, 0)
        return cls(host, port, parsed.scheme == "https") if host and 0 < port < 65_536 else None


@dataclass(frozen=True, slots=True)
class Lookup:
    """`literal`: the host is an address itself. `why`: of a fault, for people."""

    addresses: tuple[str, ...]
    took_s: float = 0.0
    fault: Fault | None = None
    why: str = ""
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One TCP connection. `no_way`: our own host has no route there, so nothing was sent."""

    address: str
    took_s: float
    fault: Fault | None = None
    no_way: bool = False


@dataclass(frozen=True, slots=True)
class Presented:
    """A certificate as it was presented, trusted or not: its texts are foreign, made harmless."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime

    def __str__(self) -> str:
        until = f"valid {self.not_before:%Y-%m-%d} to {self.not_after:%Y-%m-%d}"
        return f'"{self.subject}" issued by "{self.issuer}", {until}'


@dataclass(frozen=True, slots=True)
class Handshake:
    """TLS on the first address that took a connection."""

    took_s: float
    fault: Fault | None = None
    why: str = ""
    presented: Presented | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """All stages of one way. `handshake` None: there was no connection to try it on, or no TLS."""

    place: Place
    lookup: Lookup
    attempts: tuple[Attempt, ...] = ()
    handshake: Handshake | None = None
