"""What was changed of late, as readings: nobody's proof, and the first thing to look at."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchkeeper.changes import ChangeEntry, ChangeKind
from watchkeeper.errors import Transient
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import changes

OF_LATE = timedelta(hours=24)
AT_MOST = 20


def change_readings(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    """The changes of the last 24 hours, the newest first. Each is unknown by itself: a change
    speaks for a cause only beside what is seen to fail."""
    now = watch.now()
    try:
        with watch.store.read() as session:
            # One of the future has changed nothing yet.
            found = changes.since(session, watched.name, now - OF_LATE, now, AT_MOST)
    except (Transient, ValueError):
        # Anyone can post to it, also what is no time: nothing is known of changes then.
        return ()
    return tuple(_reading(change, now) for change in found)


def _reading(change: ChangeEntry, now: datetime) -> Reading:
    kind = change.kind if change.kind in set(ChangeKind) else ChangeKind.OTHER
    return Reading(
        probe=str(kind),
        kind=Kind.CHANGE,
        target=str(kind),
        at=now,
        outcome=Outcome.UNKNOWN,
        latency_s=0.0,
        detail=change.says(now),
        value=(now - change.at).total_seconds(),
        unit="s",
    )
