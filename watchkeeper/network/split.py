"""The way to the vendor in its stages, each timed by itself, all within one deadline.

No request is sent: names are looked up, connections are made and closed, hands are shaken.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from watchkeeper import own_clock
from watchkeeper.network.connecting import connect
from watchkeeper.network.handshake import shake_hands
from watchkeeper.network.stages import Attempt, Handshake, Lookup, Place, Split

MOST_ADDRESSES = 8
# Host and port to addresses. Raises socket.gaierror, UnicodeError.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def system_addresses(host: str, port: int) -> Sequence[str]:
    """As the machine's resolver has them, IPv4 and IPv6, in its order of preference."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(where[0]) for *_, where in found]


async def split_way(
    place: Place,
    trust: ssl.SSLContext,
    deadline_s: float,
    resolve: Resolve = system_addresses,
) -> Split:
    """Look the host up, connect to all its addresses at once, shake hands on the first that is
    there. Never raises for what a network does; what the deadline cut off is a `timeout`."""
    ends = asyncio.get_running_loop().time() + deadline_s
    lookup = await look_up(place, ends, resolve)
    first = _First()
    tried = await asyncio.gather(
        *(_try(place, address, trust, ends, first) for address in lookup.addresses)
    )
    handshakes = [handshake for _, handshake in tried if handshake is not None]
    attempts = tuple(attempt for attempt, _ in tried)
    return Split(place, lookup, attempts, handshakes[0] if handshakes else None)


async def look_up(place: Place, ends: float, resolve: Resolve = system_addresses) -> Lookup:
    """At most MOST_ADDRESSES, each once. `ends`: the loop's time of the deadline."""
    if _is_address(place.host):
        return Lookup((place.host,), literal=True)
    began = own_clock.seconds()
    try:
        async with asyncio.timeout_at(ends):
            found = tuple(dict.fromkeys(await resolve(place.host, place.port)))
    except TimeoutError:
        return Lookup((), own_clock.seconds() - began, "timeout", "no answer within the deadline")
    except (OSError, UnicodeError) as error:
        return Lookup((), own_clock.seconds() - began, "dns", _why(error))
    if not found:
        return Lookup((), own_clock.seconds() - began, "dns", "the name has no address")
    return Lookup(found[:MOST_ADDRESSES], own_clock.seconds() - began)


@dataclass
class _First:
    """Whether some address has taken a connection yet."""

    there: bool = False


async def _try(
    place: Place, address: str, trust: ssl.SSLContext, ends: float, first: _First
) -> tuple[Attempt, Handshake | None]:
    attempt, sock = await connect(address, place.port, ends)
    if sock is None:
        return attempt, None
    with sock:
        if first.there or not place.tls:
            return attempt, None
        first.there = True
        return attempt, await shake_hands(sock, address, place, trust, ends)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _why(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "no name that can be looked up"
    again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
    return "the resolver gives no answer" if again else "no such name"
