"""What people and rotations do with a key, on the timeline of the open incident: by fingerprint only."""

from __future__ import annotations

from datetime import datetime

from watchkeeper.credentials.protocols import RotatableStore
from watchkeeper.performing.watch import Watch
from watchkeeper.store import incidents


def note_offered(
    watch: Watch, integration: str, store: RotatableStore, fingerprint: str, by: str
) -> None:
    """Dated by the store, so that the same offer made again is told once. Reads the store only where an
    incident is open. Raises what the store and the database raise."""
    with watch.store.read() as session:
        if incidents.current(session, integration) is None:
            return
    held = next((v for v in store.versions() if v.fingerprint == fingerprint), None)
    if held is not None:
        first = held.stage == "current"
        text = f"stored the first key, {fingerprint}" if first else f"offered key {fingerprint}"
        note_key(watch, integration, text, by, at=held.since)


def note_key(
    watch: Watch, integration: str, text: str, by: str, at: datetime | None = None
) -> None:
    """`at`: when it happened, where that was before now; what stands there with this time is not told
    again."""
    with watch.store.write() as session:
        incident = incidents.current(session, integration)
        if incident is None:
            return
        lines = incidents.timeline(session, incident.id)
        if at is None or (text, at) not in {(line.text, line.occurred_at) for line in lines}:
            incidents.note(session, incident.id, text, now=watch.now(), actor=by, occurred_at=at)
