"""`aws:` and `gcp:` references: a name, then options as in a URL's query."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from watchkeeper.errors import UserError


class RemoteReference(NamedTuple):
    name: str
    options: Mapping[str, str]


def read_reference(reference: str, allowed: Collection[str], stand_in: str) -> RemoteReference:
    """Its parts. `stand_in` is the option that names another address than the provider's own.

    Raises UserError on an option that is not `allowed`, given twice or empty, and on a stand-in
    that is not on loopback: keys go to nobody else.
    """
    name, _, query = reference.partition(":")[2].partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    wrong = [option for option, value in pairs if option not in allowed or not value]
    if not name or wrong or len(options) != len(pairs):
        known = ", ".join(f"{option}=…" for option in allowed)
        raise UserError(f"{reference}: after its name and a ? stand, each once, only {known}")
    if stand_in in options and not _on_loopback(options[stand_in]):
        raise UserError(f"{reference}: {stand_in} is for a stand-in, such as http://127.0.0.1:PORT")
    return RemoteReference(name, options)


def _on_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        bare = (parts.scheme, parts.path, parts.query, parts.username) == ("http", "", "", None)
        return bare and parts.port is not None and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
