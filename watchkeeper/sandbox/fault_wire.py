"""Faults of the connection: late, lost, or never said."""

from dataclasses import dataclass
from typing import ClassVar

from watchkeeper.sandbox.fault import Somewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Somewhere):
    """Each answer comes `delay_s` late, and up to `spread_s` later still."""

    kind: ClassVar[str] = "slow"
    delay_s: float
    spread_s: float = 0.0

    def __post_init__(self) -> None:
        Somewhere.__post_init__(self)
        if min(self.delay_s, self.spread_s) < 0:
            raise ValueError("slow: delay_s and spread_s cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class LostReply(Somewhere):
    """A write takes effect and its answer never comes: the caller cannot know."""

    kind: ClassVar[str] = "lost_reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang(Somewhere):
    """The connection is accepted, nothing is done, and nothing is answered."""

    kind: ClassVar[str] = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Somewhere):
    """The connection is closed without an answer, and nothing is done."""

    kind: ClassVar[str] = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip(Somewhere):
    """The answer's body comes a byte at a time."""

    kind: ClassVar[str] = "drip"
    bytes_per_s: float

    def __post_init__(self) -> None:
        Somewhere.__post_init__(self)
        if not 0 < self.bytes_per_s <= 1000:
            raise ValueError("drip: bytes_per_s is between 0 and 1000")
