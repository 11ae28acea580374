"""Which store a reference such as `file:secrets/maintainx.json` or `env:NAME` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Final, NamedTuple

from watchkeeper.credentials.aws_store import open_aws
from watchkeeper.credentials.env_source import EnvSource
from watchkeeper.credentials.file_store import FileStore
from watchkeeper.credentials.gcp_store import open_gcp
from watchkeeper.credentials.protocols import RotatableStore, SecretSource, StoredKey
from watchkeeper.credentials.secret import Secret
from watchkeeper.credentials.versions import no_current
from watchkeeper.errors import UserError

ROTATABLE: Final = "file:PATH, aws:NAME or gcp:projects/PROJECT/secrets/NAME"
KINDS: Final = f"{ROTATABLE}; env:NAME or prefect-block:NAME for one that is not rotated"


class Opening(NamedTuple):
    """What a store is opened with. `name` is the reference without its kind."""

    reference: str
    name: str
    base: Path
    now: Callable[[], datetime]


def _open_file(opening: Opening) -> RotatableStore:
    path = opening.base / Path(opening.name).expanduser()
    return FileStore(path, opening.reference, opening.now)


_STORES: Final[Mapping[str, Callable[[Opening], RotatableStore]]] = {
    "file": _open_file,
    "aws": lambda opening: open_aws(opening.reference, opening.now),
    "gcp": lambda opening: open_gcp(opening.reference, opening.now),
}
# Read by packages above this one, which bring their reader along.
_ELSEWHERE: Final = ("prefect-block",)
_NEAR: Final = ("file", "env")
_registered: dict[str, Callable[[str], SecretSource]] = {}


def register_source(kind: str, opener: Callable[[str], SecretSource]) -> None:
    """From now on `opener` opens `KIND:NAME`; it is called with NAME, and opens nothing yet.

    Raises ValueError on a kind that is none, or that is opened here.
    """
    if kind not in _ELSEWHERE:
        raise ValueError(f"{kind!r} is no kind of secret that is opened elsewhere")
    _registered[kind] = opener


def is_far(reference: str) -> bool:
    """Whether reading it goes over the network, and so may take seconds."""
    kind, named, _ = reference.partition(":")
    return bool(named) and kind not in _NEAR


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
            raise no_current(self.reference)
        return secret

    def stored(self) -> StoredKey:
        return self.store.stored()


def open_source(
    reference: str, base: Path, environment: Mapping[str, str] = environ
) -> SecretSource:
    """The store to read from; a relative `file:` path counts from `base`. Opens nothing yet.

    Raises UserError on a kind of reference that is not known, or not in this process.
    """
    kind, name = _parts(reference)
    if kind == "env":
        return EnvSource(name, environment)
    if kind in _STORES:
        return CurrentOf(open_rotatable(reference, base), reference)
    if kind not in _registered:
        raise UserError(
            f"{reference} cannot be read by this process, which has no reader for {kind}: "
            f"name another store, such as {ROTATABLE}"
        )
    return _registered[kind](name)


def open_rotatable(
    reference: str, base: Path, now: Callable[[], datetime] = _utc_now
) -> RotatableStore:
    """The store to rotate in. Raises UserError where the reference names a mere source."""
    kind, name = _parts(reference)
    if kind not in _STORES:
        raise UserError(f"{reference} keeps one key only: rotation needs {ROTATABLE}")
    return _STORES[kind](Opening(reference, name, base, now))


def _parts(reference: str) -> tuple[str, str]:
    """The kind, which is one of ours, and the name, which is not empty."""
    kind, _, name = reference.partition(":")
    if not name or kind not in (*_STORES, *_ELSEWHERE, "env"):
        raise UserError(f"secret reference {reference!r} is not known; {KINDS}")
    return kind, name
