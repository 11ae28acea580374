"""Faults of limits: how many requests pass, and what is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from watchkeeper.sandbox.fault import Fault, Layer
from watchkeeper.sandbox.rate import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled(Fault):
    """Past `limit` requests in the window, from everybody together, each request is refused."""

    kind: ClassVar[str] = "throttled"
    layer: ClassVar[Layer | None] = Layer.LIMIT
    limit: int
    window_s: float

    def __post_init__(self) -> None:
        Rate(self.limit, self.window_s)

    @property
    def rate(self) -> Rate:
        return Rate(self.limit, self.window_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLowered(Fault):
    """Each key may send `limit` requests in the window, and no longer what was agreed."""

    kind: ClassVar[str] = "limit_lowered"
    limit: int
    window_s: float

    def __post_init__(self) -> None:
        Rate(self.limit, self.window_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCaller(Fault):
    """Somebody else sends `per_s` requests with the keys made up to `since`. They count against
    those keys' limits and are in no log of requests."""

    kind: ClassVar[str] = "other_caller"
    per_s: float

    def __post_init__(self) -> None:
        if not 0 < self.per_s <= 1000:
            raise ValueError("other_caller: per_s is between 0 and 1000")

    def times(self, start: float, now: float) -> list[float]:
        """Epoch seconds of its requests in (start, now]: an even pace from `since` on."""
        began, step = self.since.timestamp(), 1 / self.per_s
        first = max(0, int((start - began) // step) + 1)
        last = int((now - began) // step)
        return [began + n * step for n in range(first, last + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRateHeaders(Fault):
    """Answers say nothing of the allowance."""

    kind: ClassVar[str] = "no_rate_headers"


def own_rate(held: Sequence[Fault], agreed: Rate | None) -> Rate | None:
    """What one key may send now; None is without bound."""
    lowered = [Rate(f.limit, f.window_s) for f in held if isinstance(f, LimitLowered)]
    return min(lowered, key=lambda r: r.limit / r.window_s, default=agreed)


def own_arrivals(
    held: Sequence[Fault], sent: Sequence[float], made: datetime | None, rate: Rate, now: datetime
) -> Sequence[float]:
    """What counts against a key: its own requests, this one's last, and other callers' with it."""
    others = [f for f in held if isinstance(f, OtherCaller) and made and made <= f.since]
    if not others:
        return sent
    at = now.timestamp()
    start = at - rate.window_s
    theirs = [time for f in others for time in f.times(start, at)]
    return sorted([*(time for time in sent if time > start), *theirs])
