"""What a secret store can do: be read, or be read and rotated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from watchkeeper.credentials.secret import Secret

Stage = Literal["current", "pending", "previous"]


class Version(NamedTuple):
    """One key that a store holds, for people: which, and since when it has been that."""

    stage: Stage
    fingerprint: str
    since: datetime


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What can be told of a current key without showing any of it.

    `spaced`: as it is stored it has white space at its ends, which we leave out and others may
    send. `others`: the fingerprints of the store's other keys, by stage.
    """

    fingerprint: str
    length: int
    spaced: bool
    others: Mapping[str, str]


class SecretSource(Protocol):
    """Holds one key. Reading one that is far away blocks: not for the event loop's thread."""

    def read(self) -> Secret:
        """Raises UserError naming the reference when there is none, or none that can be used;
        Transient where asking again may help."""

    def stored(self) -> StoredKey:
        """The same, told; the store is read once. Raises what `read` raises."""


class RotatableStore(Protocol):
    """Holds a key in up to three stages, so that one can be replaced without a gap.

    Each change is durable before it returns, and leaves a current key in place at every instant.
    Where it takes several calls, whoever died between two of them and makes it again completes it.
    All raise UserError naming the reference when the store cannot be used, and Transient where
    asking again may help. One that is far away blocks: not for the event loop's thread.
    """

    def read(self, stage: Stage = "current") -> Secret | None: ...

    def offer(self, secret: Secret, replace: bool = False) -> str:
        """Make it pending; returns its fingerprint. The same key offered again changes nothing.

        Raises UserError when it is the current key, or when another is pending and not `replace`.
        """

    def promote(self, fingerprint: str) -> None:
        """pending -> current, current -> previous. Nothing to do when it is current already.

        Raises Permanent when that key is not the pending one.
        """

    def withdraw(self) -> None:
        """Drop the pending key, if there is one."""

    def rollback(self) -> None:
        """Undo a promotion: previous -> current, current -> pending.

        Raises Permanent when there is no previous key, or when another key is pending.
        """

    def stored(self) -> StoredKey:
        """What can be told of the current key and of the others, from one look at the store."""

    def versions(self) -> list[Version]:
        """Current, pending, previous: those that there are, in this order."""
