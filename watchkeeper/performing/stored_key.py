"""What can be told of the key in a store without showing any of it: is it one, and which."""

from __future__ import annotations

from collections.abc import Mapping
from os import environ
from pathlib import Path

from watchkeeper.credentials.protocols import StoredKey
from watchkeeper.credentials.references import open_source

__all__ = ["StoredKey", "stored_key"]


def stored_key(reference: str, base: Path, environment: Mapping[str, str] = environ) -> StoredKey:
    """From one look at the store. Raises UserError, naming the reference, where there is none or
    none that can be used; Transient where asking again may help."""
    return open_source(reference, base, environment).stored()
