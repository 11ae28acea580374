"""Where the vendor is: the service looks its name up, and counts how often it had to."""

import socket
import threading
import time
from collections.abc import Callable

import httpx


def look_up(host: str) -> str:
    """An IPv4 address as text. Raises OSError."""
    found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    return str(found[0][4][0])


class Resolver:
    """`keep_s`: how long an address is kept; none: not at all. `looked_up` is called for each
    look-up, an address for a name included: on loopback there is little else."""

    def __init__(
        self,
        keep_s: Callable[[], float | None],
        looked_up: Callable[[], None],
        ask: Callable[[str], str] = look_up,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keep_s, self.looked_up, self.ask, self.monotonic = keep_s, looked_up, ask, monotonic
        self._known: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def address(self, host: str) -> str:
        """Raises OSError where the name means nothing."""
        with self._lock:
            asked_at, address = self._known.get(host, (float("-inf"), ""))
        if self.monotonic() - asked_at < (self.keep_s() or 0.0):
            return address
        self.looked_up()
        address = self.ask(host)
        with self._lock:
            self._known[host] = (self.monotonic(), address)
        return address


class Resolving(httpx.BaseTransport):
    """Sends each request to the address that the resolver tells; the name stays in the headers."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.inner = httpx.HTTPTransport(trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        try:
            address = self.resolver.address(host)
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()
