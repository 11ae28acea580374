"""When a late run is still needed, and when scheduled checks count as not running."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# A run that starts this long after its time asks first whether it is still needed.
GRACE = timedelta(minutes=2)
# So many intervals without a scheduled check, and the supervisor checks in its own process.
MISSED_INTERVALS = 2


def is_late(after: timedelta) -> bool:
    """Whether a run that begins so long after its time asks first whether it is still needed."""
    return after > GRACE


def still_due(last: datetime | None, now: datetime, interval: timedelta) -> bool:
    """Whether there is no result newer than one interval. One from the future is none."""
    return last is None or not timedelta(0) <= now - last < interval


@dataclass(frozen=True, slots=True)
class Seen:
    """`scheduled_at`: the last scheduled check, or since when one could have come. `checked_at`: the
    last check of any kind."""

    name: str
    scheduled_at: datetime
    checked_at: datetime | None


def missing(
    seen: Iterable[Seen], now: datetime, interval: timedelta, lag: timedelta = timedelta(0)
) -> tuple[Seen, ...]:
    """The integrations whose scheduled checks are not running. `lag`: how late this machine is with
    everything; that much age is its own."""
    patience = MISSED_INTERVALS * interval
    return tuple(one for one in seen if now - one.scheduled_at - lag > patience)


def says(missed: Iterable[Seen], now: datetime) -> str:
    """For a page and for `status`."""
    return "; ".join(
        f"{one.name}: no scheduled check for {(now - one.scheduled_at).total_seconds():.0f} s"
        for one in missed
    )
