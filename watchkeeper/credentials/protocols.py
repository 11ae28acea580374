"""What a secret store can do: be read, or be read and rotated."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from watchkeeper.credentials.secret import Secret

Stage = Literal["current", "pending", "previous"]


class Version(NamedTuple):
    """One key that a store holds, for people: which, and since when it has been that."""

    stage: Stage
    fingerprint: str
    since: datetime


class SecretSource(Protocol):
    """Holds one key."""

    def read(self) -> Secret:
        """Raises UserError naming the reference when there is none, or none that can be used."""


class RotatableStore(Protocol):
    """Holds a key in up to three stages, so that one can be replaced without a gap.

    Each change is atomic and durable before it returns. All raise UserError naming the reference
    when the store cannot be used.
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

    def versions(self) -> list[Version]:
        """Current, pending, previous: those that there are, in this order."""
