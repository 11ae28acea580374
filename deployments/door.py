"""What stands before Prefect's own server: whom it answers at all.

Prefect asks for the password. This refuses, before any of its code runs and for web sockets as well,
what a page of another origin or a foreign name for this machine (DNS rebinding) may send.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
# Who listens on every address is reached from here by one of them.
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (not bound here)
# Prefect's V2 UI keeps the password where scripts of its page can read it: no other site may put
# that page in a frame, and it may send nothing elsewhere.
_CONTENT_POLICY = "frame-ancestors 'none'; connect-src 'self'; base-uri 'self'; form-action 'self'"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens. `public`: the origin that browsers use, where that is another one,
    such as `https://watch.example.com` of a proxy with TLS before it."""

    host: str
    port: int
    public: str | None = None

    @property
    def ui(self) -> str:
        """The UI's origin, which is the only one that is answered."""
        return self.public or self.local

    @property
    def local(self) -> str:
        """As processes on this machine reach it."""
        host = _HERE.get(self.host, self.host)
        return f"http://{bracketed(host)}:{self.port}"

    @property
    def api(self) -> str:
        return f"{self.local}/api"

    @property
    def ui_api(self) -> str:
        return f"{self.ui}/api"

    @property
    def everywhere(self) -> bool:
        return self.host in _HERE

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names in a request's Host header that are answered, without their port."""
        named = {bracketed(self.host)}
        if self.loopback or self.everywhere:
            named |= set(LOOPBACK_NAMES)
        if self.public is not None:
            named.add(bracketed(urlsplit(self.public).hostname or ""))
        return tuple(sorted(named))


def bracketed(host: str) -> str:
    """As a host stands in a URL: `[::1]`."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def closed(app: ASGIApp, address: Address, *hidden: str) -> ASGIApp:
    """`app` as it may be reached at `address`; it has no page at the `hidden` paths."""
    return TrustedHostMiddleware(
        _OwnOrigin(app, address, frozenset(hidden)), list(address.hosts), www_redirect=False
    )


class _OwnOrigin:
    def __init__(self, app: ASGIApp, address: Address, hidden: frozenset[str]) -> None:
        self._app = app
        self._address = address
        self._hidden = hidden

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if any(origin != self._address.ui for origin in headers.getlist("origin")):
            refusal = PlainTextResponse("Refused: this page is of another origin.\n", 403)
            await refusal(scope, receive, send)
        elif scope["path"] in self._hidden:
            await PlainTextResponse("Not Found\n", 404)(scope, receive, send)
        elif (elsewhere := self._elsewhere(scope, headers)) is not None:
            await RedirectResponse(elsewhere)(scope, receive, send)
        else:
            await self._app(scope, receive, _with_policy(send))

    def _elsewhere(self, scope: Scope, headers: Headers) -> str | None:
        """The UI has one origin: who types `localhost` is sent to the address."""
        page = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not page or self._address.public or scope["path"].startswith("/api"):
            return None
        ours = self._address.ui.removeprefix("http://")
        named = headers.get("host", "").lower()
        # Through another port somebody forwards it: the address would not be there.
        if named == ours or not named.endswith(f":{self._address.port}"):
            return None
        query = scope["query_string"].decode("latin-1")
        path = scope.get("raw_path", b"/").decode("latin-1").partition("?")[0].lstrip("/")
        return f"{self._address.ui}/{path}" + (f"?{query}" if query else "")


def _with_policy(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("content-security-policy", _CONTENT_POLICY)
        await send(message)

    return sending
