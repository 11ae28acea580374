"""Faults of the connection: late, lost, or never said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from watchkeeper.sandbox.fault import Fault, Somewhere


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
class SlowModel(Fault):
    """What asks for one `model`, in the body of a POST, is answered `delay_s` late."""

    kind: ClassVar[str] = "slow_model"
    model: str
    delay_s: float

    def __post_init__(self) -> None:
        if not self.model or self.delay_s < 0:
            raise ValueError("slow_model: model is named, and delay_s is not negative")


def model_delay_s(faults: Sequence[Fault], model: str, now: datetime) -> float:
    slow = (f for f in faults if isinstance(f, SlowModel) and f.holds(now) and f.model == model)
    return max((f.delay_s for f in slow), default=0.0)


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
