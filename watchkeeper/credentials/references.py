"""Which store a reference such as `file:secrets/maintainx.json` or `env:NAME` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from os import environ
from pathlib import Path

from watchkeeper.credentials.env_source import EnvSource
from watchkeeper.credentials.file_store import FileStore
from watchkeeper.credentials.protocols import RotatableStore, SecretSource
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import UserError


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CurrentOf:
    """A rotatable store seen as a plain source: its current key."""

    store: RotatableStore
    reference: str

    def read(self) -> Secret:
        secret = self.store.read("current")
        if secret is None:
            raise UserError(
                f"{self.reference} holds no current key: watchkeeper key offer puts one in"
            )
        return secret


def open_source(
    reference: str, base: Path, environment: Mapping[str, str] = environ
) -> SecretSource:
    """The store to read from; a relative `file:` path counts from `base`. Opens nothing yet.

    Raises UserError on a kind of reference that is not known.
    """
    kind, _, rest = reference.partition(":")
    if kind == "env" and rest:
        return EnvSource(rest, environment)
    if kind == "file" and rest:
        return CurrentOf(open_rotatable(reference, base), reference)
    raise UserError(f"secret reference {reference!r} is not known; file:PATH or env:NAME")


def open_rotatable(
    reference: str, base: Path, now: Callable[[], datetime] = _utc_now
) -> RotatableStore:
    """The store to rotate in. Raises UserError where the reference names a mere source."""
    kind, _, rest = reference.partition(":")
    if kind != "file" or not rest:
        raise UserError(f"{reference} keeps one key only: rotation needs file:PATH")
    return FileStore(base / Path(rest).expanduser(), reference, now)
