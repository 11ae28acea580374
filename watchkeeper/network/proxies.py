"""Proxies that the environment names. Loopback never goes through one; what is outside does.

Only their names are shown: their values may hold passwords.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from watchkeeper.evidence import Reading
from watchkeeper.network.stage_readings import network_reading

_EXEMPTS = "no_proxy"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def on_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address outside; none stands before loopback."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    if on_loopback(url) or proxy_bypass(host):
        return None
    named = getproxies()
    found = named.get(parts.scheme) or named.get("all")
    # As other programs take it: a proxy without a scheme is spoken to in HTTP.
    return found if not found or "://" in found else f"http://{found}"


def spare_loopback(environ: Mapping[str, str]) -> dict[str, str]:
    """What to set, so that no library of this process or its children sends what is meant for this
    machine to a proxy. Both spellings, for each program reads the one it likes."""
    said = [environ.get(name, "") for name in (_EXEMPTS, _EXEMPTS.upper())]
    kept = [host.strip() for text in said for host in text.split(",") if host.strip()]
    hosts = ",".join(dict.fromkeys([*kept, *LOOPBACK]))
    return {_EXEMPTS: hosts, _EXEMPTS.upper(): hosts}


def proxies_set(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names of all `*_proxy` variables that say something, in either case."""
    return tuple(
        sorted(name for name, said in environ.items() if name.lower().endswith("_proxy") and said)
    )


def proxy_reading(names: tuple[str, ...], at: datetime, *, stands: bool = True) -> Reading:
    """DEGRADED where a proxy stands between us and the vendor: it may be what is in the way.

    `stands`: whether one does for the vendor's own address.
    """
    used = any(name.lower() != _EXEMPTS for name in names)
    if not used:
        said = "no proxy is set"
    elif stands:
        said = f"{', '.join(names)} set: what is outside goes through it"
    else:
        said = f"{', '.join(names)} set, and not used for the vendor's address"
    return network_reading("proxy", "proxies", at, partly=used and stands, detail=said)
