"""Addresses that are read from a secret store: what may be called, without ever quoting one."""

from __future__ import annotations

from urllib.parse import urlsplit

from watchkeeper.network.proxies import on_loopback
from watchkeeper.pagers import PagerRefused


def check_address(kind: str, url: str, *, sandbox: bool) -> None:
    """Raises PagerRefused: a rehearsal calls nobody outside, and nothing goes out in clear text."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.scheme and parts.netloc) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable():
        raise PagerRefused(f"{kind}: what is kept as its address is none that can be called")
    if on_loopback(url):
        if kind == "webhook" and parts.scheme.lower() not in ("http", "https"):
            raise PagerRefused(f"{kind}: its address must begin with http:// or https://")
        return
    if sandbox:
        raise PagerRefused(f"{kind}: a sandbox stays on loopback, and its address is elsewhere")
    if kind == "webhook" and parts.scheme.lower() != "https":
        raise PagerRefused(f"{kind}: its address must begin with https://")
