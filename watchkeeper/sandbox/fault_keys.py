"""Faults of keys and rights."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from watchkeeper.sandbox.fault import Facts, Fault, Layer, Said, Somewhere

REFUSED = Said(401, "Invalid token")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExpired(Fault):
    """Every key made up to `since` is refused; a key made later is accepted."""

    kind: ClassVar[str] = "key_expired"
    layer: ClassVar[Layer | None] = Layer.KEY

    def strikes(self, facts: Facts) -> bool:
        return is_expired(self, facts.key_made) and Fault.strikes(self, facts)

    def said(self) -> Said:
        return REFUSED


def is_expired(fault: Fault, key_made: datetime | None) -> bool:
    return isinstance(fault, KeyExpired) and key_made is not None and key_made <= fault.since


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRefused(Somewhere):
    """A key that is known and good is refused here, whenever it was made."""

    kind: ClassVar[str] = "key_refused"
    layer: ClassVar[Layer | None] = Layer.KEY

    def said(self) -> Said:
        return REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden(Somewhere):
    """The key is accepted and may not do this."""

    kind: ClassVar[str] = "forbidden"
    layer: ClassVar[Layer | None] = Layer.RIGHTS

    def said(self) -> Said:
        return Said(403, "User don't have the right permissions")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthDown(Somewhere):
    """Whatever tells keys apart has failed: every key meets `status` (401 or 503), new and unknown
    ones too."""

    kind: ClassVar[str] = "auth_down"
    layer: ClassVar[Layer | None] = Layer.KEY_SERVICE
    status: int = 401

    def __post_init__(self) -> None:
        Somewhere.__post_init__(self)
        if self.status not in (401, 503):
            raise ValueError("auth_down: status is 401 or 503")

    def said(self) -> Said:
        return REFUSED if self.status == 401 else Said(503, "Authentication is not available")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStripped(Somewhere):
    """The key's header is lost on the way: the vendor answers as it does to no key."""

    kind: ClassVar[str] = "key_stripped"
