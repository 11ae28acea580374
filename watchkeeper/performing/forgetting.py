"""Forgetting what probes saw long ago, once a day."""

from __future__ import annotations

from datetime import timedelta

from watchkeeper.performing.watch import Watch
from watchkeeper.store import locks, observations, volume

A_DAY = timedelta(days=1)
# What belongs to an incident is kept for its next anniversary, and a month more.
KEPT_OF_AN_INCIDENT = timedelta(days=400)
BATCHES = 200


def forget_old(watch: Watch) -> int:
    """Delete old readings, a batch a transaction; how many went. Does nothing more than once a day,
    in whatever process."""
    if not _due(watch):
        return 0
    now, total = watch.now(), 0
    with watch.store.write() as session:
        volume.forget(session, now)
    before = now - timedelta(days=watch.settings.observations_kept_days)
    for _ in range(BATCHES):
        with watch.store.write() as session:
            count = observations.forget(session, before, now - KEPT_OF_AN_INCIDENT)
        total += count
        if count < observations.BATCH:
            break
    return total


def _due(watch: Watch) -> bool:
    """A lock that is never let go: it runs out when a day is over."""
    with watch.store.read() as session:
        if locks.held(session, "forget", watch.now()):
            return False
    with watch.store.write() as session:
        return locks.acquire(session, "forget", "forget", watch.now(), A_DAY) is not None
