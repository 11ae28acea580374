"""TCP by itself: is there anybody at this address?"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

from watchkeeper import own_clock
from watchkeeper.network.stages import Attempt, Fault

# Said by our own kernel before anything has left: there is no route, or no such protocol here.
NO_WAY = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


async def connect(address: str, port: int, ends: float) -> tuple[Attempt, socket.socket | None]:
    """One connection until the loop's time `ends`. The socket is the caller's to close."""
    began = own_clock.seconds()
    try:
        sock = await _connected(address, port, ends)
    except OSError as error:
        took_s = own_clock.seconds() - began
        return Attempt(address, took_s, fault_of(error), error.errno in NO_WAY), None
    return Attempt(address, own_clock.seconds() - began), sock


async def _connected(address: str, port: int, ends: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        async with asyncio.timeout_at(ends):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


# OpenSSL: not yet valid, and no longer.
OUT_OF_DATE = frozenset({9, 10})


def fault_of(error: OSError | ValueError) -> Fault:
    """Judge an error of a connection or a handshake by its type."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        # Its own, and out of date: the vendor has not renewed it, or a clock is wrong.
        return "expired" if error.verify_code in OUT_OF_DATE else "certificate"
    if isinstance(error, ssl.SSLError | ValueError):
        return "tls"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "reset" if isinstance(error, ConnectionError) else "unreachable"
