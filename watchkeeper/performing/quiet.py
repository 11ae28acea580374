"""Whether anybody may be woken now: our windows of maintenance, and the vendor's announced one."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchkeeper.evidence import Kind
from watchkeeper.maintenance import is_announced, muted, waiting_since
from watchkeeper.performing.watch import Watch
from watchkeeper.store import incidents, maintenance, observations

# An announcement is believed for so long after it was last read: a page that nobody reads any more
# must not keep people asleep.
BELIEVED = timedelta(minutes=30)


def quiet_now(watch: Watch, integration: str) -> str | None:
    """Why nobody is paged for an integration now, or None where people are.

    The vendor's announcement counts where it explains all that its incident is about, and no longer
    than it holds.
    """
    now = watch.now()
    with watch.store.read() as session:
        windows = maintenance.active(session, integration, now)
        found = incidents.current(session, integration)
        page = observations.last_of_kind(
            session, integration, Kind.STATUS_PAGE, now - BELIEVED, now
        )
    return muted(windows, found is not None and found.planned and is_announced(page), now)


def waited_from(watch: Watch, integration: str, paged_at: datetime | None) -> datetime | None:
    """Since when an unanswered page has been waited for, windows of maintenance left out."""
    if paged_at is None:
        return None
    with watch.store.read() as session:
        windows = maintenance.since(session, integration, paged_at)
    return waiting_since(windows, paged_at, watch.now())
