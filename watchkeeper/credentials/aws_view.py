"""A secret's staging labels, as AWS leaves them between any two of our calls, read as stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchkeeper.credentials.aws_secret import CURRENT, PENDING, PREVIOUS, AwsVersion, Label
from watchkeeper.credentials.key_text import key_in
from watchkeeper.credentials.protocols import Stage
from watchkeeper.credentials.versions import Held, Stages
from watchkeeper.errors import UserError

LABELS: Final[Mapping[Stage, Label]] = {
    "current": CURRENT,
    "pending": PENDING,
    "previous": PREVIOUS,
}


@dataclass(frozen=True, slots=True)
class AwsView:
    """`at`: who has which label. `stages`: what that means."""

    at: Mapping[Label, AwsVersion]
    stages: Stages

    def id(self, label: Label) -> str | None:
        return self.at[label].id if label in self.at else None

    @property
    def rolling_back(self) -> bool:
        """A rollback has moved the key back, and not yet cleared the label that AWS then moved."""
        return self.id(PENDING) is not None and self.id(PENDING) == self.id(PREVIOUS)

    @property
    def promoting(self) -> bool:
        """A promotion has moved the key on, and not yet cleared its first label; so has a
        rollback that has only begun."""
        return self.id(PENDING) is not None and self.id(PENDING) == self.id(CURRENT)


def view(at: Mapping[Label, AwsVersion], field: str | None, where: str) -> AwsView:
    """A version with two labels is in the stage that whoever gave it the second meant.

    The first version of all is current by AWS's own rule, and pending too until it is promoted.
    Raises UserError where the current or the pending version holds no usable key.
    """
    current, pending = (_held(at.get(label), field, where) for label in (CURRENT, PENDING))
    previous = _way_back(at.get(PREVIOUS), field, where)
    plain = AwsView(at, Stages())
    if plain.promoting and previous is not None:
        pending = None
    if plain.rolling_back or _same(previous, current):
        previous = None
    return AwsView(at, Stages(current, pending, previous))


def _same(one: Held | None, other: Held | None) -> bool:
    """The other members of a JSON object were changed between them, not the key."""
    return one is not None and other is not None and one.secret == other.secret


def _way_back(version: AwsVersion | None, field: str | None, where: str) -> Held | None:
    """What is no key is none: it must not stand in the way of a new one."""
    try:
        return _held(version, field, where)
    except UserError:
        return None


def _held(version: AwsVersion | None, field: str | None, where: str) -> Held | None:
    if version is None:
        return None
    secret, spaced = key_in(version.text, field, f"{where} (version {version.id})")
    return Held(secret, 0, version.created, spaced)
