"""Scheduled runs that come long after their time.

While the server or the runner is away its schedules pile up, and all of it starts at once on
return: one look now is worth as much as thirty.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect.runtime import flow_run

GRACE = timedelta(minutes=2)


def too_late(now: datetime | None = None) -> str | None:
    """Why this run should end at once, or None."""
    due = flow_run.scheduled_start_time
    if flow_run.id is None or due is None:
        return None
    late = (now or datetime.now(UTC)) - due
    return (
        f"due {late.total_seconds():.0f} s ago: the next run sees to it" if late > GRACE else None
    )
