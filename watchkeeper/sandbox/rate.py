"""How many requests fit a sliding window, and what a caller is told about it."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    limit: int
    window_s: float

    def __post_init__(self) -> None:
        if self.limit < 0 or self.window_s <= 0:
            raise ValueError("a rate needs limit >= 0 and window_s > 0")


@dataclass(frozen=True, slots=True)
class Allowance:
    """`wait_s`: whole seconds until one more would pass if nobody sent anything meanwhile."""

    rate: Rate
    refused: bool
    remaining: int
    wait_s: int


def judge(arrivals: Sequence[float], rate: Rate, at: float) -> Allowance:
    """`arrivals`: epoch seconds in order, this request included; refused ones count too.

    Hammering on therefore keeps the door shut: the count must fall, not just time pass.
    """
    start = bisect_right(arrivals, at - rate.window_s)
    end = bisect_right(arrivals, at)
    count = end - start
    # The request after this one passes when `spare` of those in the window have left it.
    spare = max(count - rate.limit, 0) if rate.limit else count - 1
    blocker = arrivals[start + spare] if start + spare < end else at
    wait = math.ceil(blocker + rate.window_s - at)
    return Allowance(rate, count > rate.limit, max(rate.limit - count, 0), max(wait, 1))


def headers(prefix: str, allowance: Allowance, since_epoch: float = 0.0) -> dict[str, str]:
    """Reset counts from `since_epoch`: from now (0), or from the epoch where that is given now."""
    return {
        f"{prefix}-Limit": str(allowance.rate.limit),
        f"{prefix}-Remaining": str(allowance.remaining),
        f"{prefix}-Reset": str(math.ceil(since_epoch) + allowance.wait_s),
    }
