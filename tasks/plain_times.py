"""Prefect's times are of a class of their own."""

from __future__ import annotations

from datetime import UTC, datetime


def plain_utc(at: datetime) -> datetime:
    """A plain one, aware: once its zone was changed, Prefect's class forgets it in any sum."""
    there = at.astimezone(UTC)
    return datetime.combine(there.date(), there.time(), UTC)
