"""The lag that the supervisor measured last."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from watchkeeper.heartbeat import Part
from watchkeeper.lag import FRESH, allowed
from watchkeeper.store import heartbeats


def own_lag(session: Session, now: datetime) -> timedelta:
    """What to take off an age; nothing where the last measure is old."""
    found = heartbeats.last(session, Part.LAG)
    if found is None or found.value is None or not timedelta(0) <= now - found.at <= FRESH:
        return timedelta(0)
    return allowed(found.value)
