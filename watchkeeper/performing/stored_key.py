"""What can be told of the key in a store without showing any of it: is it one, and which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any

from watchkeeper.credentials.references import open_rotatable, open_source
from watchkeeper.credentials.secret import clean
from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.vendor.strict_json import loads


@dataclass(frozen=True, slots=True)
class StoredKey:
    """`spaced`: as it is stored it has white space at its ends, which we leave out and others may
    send. `others`: the fingerprints of the store's other keys, by stage."""

    fingerprint: str
    length: int
    spaced: bool
    others: Mapping[str, str]


def stored_key(reference: str, base: Path, environment: Mapping[str, str] = environ) -> StoredKey:
    """Raises UserError, naming the reference, where there is none or none that can be used."""
    secret = open_source(reference, base, environment).read()
    raw = _raw(reference, base, environment)
    if clean(raw, reference) != secret:
        raise UserError(f"{reference} was changed while it was read; look again")
    length = len(raw.strip(" \t\r\n"))
    return StoredKey(secret.fingerprint, length, length < len(raw), _others(reference, base))


def _raw(reference: str, base: Path, environment: Mapping[str, str]) -> str:
    """The text as it is stored, which every other reader takes in without its ends."""
    kind, _, rest = reference.partition(":")
    if kind == "env":
        return environment.get(rest, "")
    try:
        value = _current(loads((base / Path(rest).expanduser()).read_bytes()))
    except OSError as error:
        raise UserError(f"{reference} cannot be read: {error.strerror}") from None
    except WatchkeeperError as error:
        raise UserError(f"{reference}: {error}; restore it") from None
    return value if isinstance(value, str) else ""


def _current(body: Any) -> Any:
    current = body.get("current") if isinstance(body, dict) else None
    return current.get("value") if isinstance(current, dict) else None


def _others(reference: str, base: Path) -> dict[str, str]:
    if not reference.startswith("file:"):
        return {}
    versions = open_rotatable(reference, base).versions()
    return {v.stage: v.fingerprint for v in versions if v.stage != "current"}
