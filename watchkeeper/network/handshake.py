"""TLS by itself: a handshake, and not one byte of a request after it."""

from __future__ import annotations

import asyncio
import socket
import ssl

from watchkeeper import own_clock
from watchkeeper.network.certificates import read_certificate, refusal
from watchkeeper.network.connecting import connect, fault_of
from watchkeeper.network.stages import Handshake, Place, Presented


async def shake_hands(
    sock: socket.socket, address: str, place: Place, trust: ssl.SSLContext, ends: float
) -> Handshake:
    """On a connected socket, which is used up. `ends`: the loop's time of the deadline.

    Where the certificate is refused, a second connection looks at whose it is.
    """
    began = own_clock.seconds()
    try:
        presented = await _presented(sock, place, trust, ends)
    except (OSError, ValueError) as error:
        took_s = own_clock.seconds() - began
        seen = None
        if isinstance(error, ssl.SSLCertVerificationError):
            seen = await _look(address, place, ends)
        return Handshake(took_s, fault_of(error), _why(error), seen)
    return Handshake(own_clock.seconds() - began, presented=presented)


async def _look(address: str, place: Place, ends: float) -> Presented | None:
    """The certificate of whoever answers there, without trusting it.

    Only a context that verifies nothing gets to see what was presented: the one that verifies ends
    before it shows whom it refused. Nothing is ever sent over this connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, sock = await connect(address, place.port, ends)
    if sock is None:
        return None
    with sock:
        try:
            return await _presented(sock, place, context, ends)
        except (OSError, ValueError):
            return None


async def _presented(
    sock: socket.socket, place: Place, context: ssl.SSLContext, ends: float
) -> Presented | None:
    """Raises OSError (ssl.SSLError and TimeoutError among them), ValueError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(ends):
        transport, _ = await loop.create_connection(
            asyncio.Protocol, sock=sock, ssl=context, server_hostname=place.host
        )
    try:
        der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        transport.abort()
    return None if der is None else read_certificate(der)


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return refusal(error)
    if isinstance(error, TimeoutError):
        return "no handshake within the deadline"
    if isinstance(error, ConnectionError):
        return "the far side broke the handshake off"
    reason = getattr(error, "reason", None)
    return f"the handshake failed: {reason.replace('_', ' ').lower()}" if reason else "no handshake"
