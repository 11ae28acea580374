"""The last recorded result of each part of the watch. `status` reads these and probes nothing.

A result is fresh while it is younger than two of its intervals; an older one is not known any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Two intervals may pass without a result: one is on its way, and one more may be lost.
FRESH_INTERVALS = 2


class Part(StrEnum):
    """What the watch consists of. The target of `up`, `server`, `disk`, `schedule` and `lag` is
    empty; that of the others is the name of an integration."""

    UP = "up"
    SERVER = "server"
    DISK = "disk"
    CHECK = "check"
    PAGER = "pager"
    SINK = "sink"
    SCHEDULE = "schedule"
    LAG = "lag"
    RUNNER = "runner"
    DEAD_MAN = "dead_man"


class Result(StrEnum):
    WELL = "well"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Freshness(StrEnum):
    FRESH = "fresh"
    STALE = "stale"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last result of one part.

    `every`: how soon after it the next is due; None where results come only with use, as those of a
    pager do: such a result is never stale. `value`: what was measured, such as free bytes.
    `since`: from when on this result was seen without a pause. `well_at`: when it was last `well`.
    `missed_at`: when a check was due last and did not happen; `misses`: how many since `at`.
    """

    part: Part
    target: str
    at: datetime
    every: timedelta | None
    result: Result
    detail: str
    value: float | None
    since: datetime
    well_at: datetime | None
    missed_at: datetime | None
    missed_because: str
    misses: int

    def age(self, now: datetime) -> timedelta:
        """Never negative: a clock that was set back makes no result younger than now."""
        return max(now - self.at, timedelta(0))

    def freshness(self, now: datetime) -> Freshness:
        if self.every is None:
            return Freshness.FRESH
        # A result from the future says nothing of now.
        if self.at - now > self.every or now - self.at > FRESH_INTERVALS * self.every:
            return Freshness.STALE
        return Freshness.MISSED if self.misses else Freshness.FRESH
