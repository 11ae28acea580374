"""How late this machine is with everything, and what that takes off the ages that are judged.

An age says that somebody is dead, or that data stands still. On a starved machine it says only that
nothing had its turn: that much is taken off, up to a bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# A thread sleeps so long, again and again; what counts is how much later it wakes.
SAMPLE_S, WINDOW_S = 0.1, 60.0
# Scheduled runs are few: their starts are remembered longer.
STARTS_WITHIN = timedelta(minutes=10)
# More than this is no busy machine any more, and excuses nothing.
MOST_S = 60.0
# A measure that is older says nothing of now.
FRESH = timedelta(minutes=2)
PART = 0.95


@dataclass(frozen=True, slots=True)
class Lag:
    """`timers_s`: how late a sleeping thread wakes, p95. `starts_s`: how late scheduled runs begin, p95,
    or how long the next one has been due."""

    timers_s: float = 0.0
    starts_s: float = 0.0

    @property
    def seconds(self) -> float:
        return self.timers_s + self.starts_s

    @property
    def allowance(self) -> timedelta:
        """What is taken off an age."""
        return allowed(self.seconds)

    def says(self) -> str:
        return f"timers p95 {self.timers_s:.2f} s, starts of runs p95 {self.starts_s:.1f} s late"


def allowed(lag_s: float) -> timedelta:
    """Never negative, never more than the bound; nothing where it is no number."""
    if not math.isfinite(lag_s):
        return timedelta(0)
    return timedelta(seconds=min(max(lag_s, 0.0), MOST_S))


def p95(values: Iterable[float]) -> float:
    """The value that 95 of 100 do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[math.ceil(PART * len(ordered)) - 1] if ordered else 0.0


def lag_of(
    late_timers_s: Iterable[float],
    starts: Sequence[tuple[datetime, float]],
    now: datetime,
    waiting: timedelta = timedelta(0),
) -> Lag:
    """`starts`: when a run began, and how many seconds after its time. `waiting`: for how long a run
    is due that has not begun; a starved machine begins none, and has no other sample."""
    recent = [late_s for at, late_s in starts if timedelta(0) <= now - at <= STARTS_WITHIN]
    late_s = max(p95(recent), waiting.total_seconds())
    # What is later than the bound was away, not slow.
    return Lag(p95(late_timers_s), min(max(late_s, 0.0), MOST_S))
