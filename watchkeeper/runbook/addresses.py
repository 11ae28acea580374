"""Whether an address can be called at all: what a client would refuse at its first use."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

UNUSABLE = "is not a URL that can be called"
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE | re.ASCII)
LONGEST_HOST = 253


def parts_of(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts


def url_fault(url: str, *, path_follows: bool = False) -> str | None:
    """Why it cannot be called. Never repeats it: somebody may have put a password in it.

    `path_follows`: a path is put behind it, so it has no query of its own.
    """
    parts = parts_of(url)
    if parts is None:
        return UNUSABLE
    if not parts.hostname:
        return f"{UNUSABLE}: it names no host"
    if parts.username is not None or parts.password is not None:
        return "a URL holds no user or password: name a secret by reference"
    if not _is_host(parts.hostname):
        return f"{UNUSABLE}: its host is no name and no address"
    if parts.port == 0:
        return f"{UNUSABLE}: its port is 1 to 65535"
    if parts.fragment:
        return "a URL that is called has no part behind a #"
    if path_follows and parts.query:
        return "a path is put behind it: it has no query of its own"
    return None


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return True
    try:
        plain = host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    labels = plain.removesuffix(".").split(".")
    # Digits alone at the end are an address that is none.
    whole = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return whole and len(plain) <= LONGEST_HOST
