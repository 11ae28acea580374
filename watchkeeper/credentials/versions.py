"""A key's three stages as a value, and the moves between them. No I/O here.

Every move gives a new value or an error; a move that was made before changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from watchkeeper.credentials.protocols import Stage, StoredKey, Version
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Permanent, UserError

STAGES: tuple[Stage, ...] = ("current", "pending", "previous")


@dataclass(frozen=True, slots=True)
class Held:
    """A key, its number in the store's history, and since when it has had its stage.

    `spaced`: the stored text has white space at its ends.
    """

    secret: Secret
    number: int
    since: datetime
    spaced: bool = False

    @property
    def fingerprint(self) -> str:
        return self.secret.fingerprint


@dataclass(frozen=True, slots=True)
class Stages:
    current: Held | None = None
    pending: Held | None = None
    previous: Held | None = None

    def at(self, stage: Stage) -> Held | None:
        return {"current": self.current, "pending": self.pending, "previous": self.previous}[stage]

    def versions(self) -> list[Version]:
        held = ((stage, self.at(stage)) for stage in STAGES)
        return [Version(stage, key.fingerprint, key.since) for stage, key in held if key]

    def stored(self, where: str) -> StoredKey:
        """The current key as it may be told. Raises UserError where there is none."""
        if self.current is None:
            raise no_current(where)
        others: dict[str, str] = {v.stage: v.fingerprint for v in self.versions()}
        del others["current"]
        secret = self.current.secret
        return StoredKey(secret.fingerprint, secret.length, self.current.spaced, others)

    def next_number(self) -> int:
        return 1 + max((key.number for stage in STAGES if (key := self.at(stage))), default=0)


def no_current(where: str) -> UserError:
    return UserError(f"{where} holds no current key; put one in: watchkeeper key offer INTEGRATION")


def missing(where: str) -> UserError:
    return UserError(f"{where} does not exist; offer a key to make it")


def offered(stages: Stages, secret: Secret, replacing: bool, now: datetime, where: str) -> Stages:
    mark = secret.fingerprint
    if stages.current is not None and stages.current.secret == secret:
        raise UserError(f"key {mark} is the current one of {where} already; offer the new one")
    if stages.pending is not None and stages.pending.secret == secret:
        return stages
    if stages.pending is not None and not replacing:
        raise UserError(
            f"{where} has key {stages.pending.fingerprint} pending since "
            f"{stages.pending.since:%Y-%m-%d %H:%M}Z; put the new one in its place with "
            "--replace, or take that one back: watchkeeper key withdraw INTEGRATION"
        )
    return replace(stages, pending=Held(secret, stages.next_number(), now))


def promoted(stages: Stages, fingerprint: str, now: datetime, where: str) -> Stages:
    if stages.current is not None and stages.current.fingerprint == fingerprint:
        return stages
    if stages.pending is None or stages.pending.fingerprint != fingerprint:
        found = stages.pending.fingerprint if stages.pending else "none"
        raise Permanent(f"key {fingerprint} is not pending at {where}: {found} is")
    return Stages(current=_from(stages.pending, now), previous=_from(stages.current, now))


def withdrawn(stages: Stages) -> Stages:
    return replace(stages, pending=None)


def rolled_back(stages: Stages, now: datetime, where: str) -> Stages:
    if stages.previous is None:
        raise Permanent(f"{where} has no previous key to go back to")
    if stages.pending is not None:
        raise Permanent(f"{where} has key {stages.pending.fingerprint} pending: withdraw it first")
    return Stages(current=_from(stages.previous, now), pending=_from(stages.current, now))


def _from(held: Held | None, now: datetime) -> Held | None:
    return held and replace(held, since=now)
