"""A list that answers well and shows nothing, held against what our own record holds of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import records

# Fewer may all have been deleted since the last walk.
HELD = 10


def with_emptied(watch: Watch, watched: Watched, readings: Sequence[Reading]) -> list[Reading]:
    """The same readings; a list without rows of which we hold records says so. Its answer stays the
    good one that it is."""
    lists = {p.name: p.resource for p in watched.runbook.probes if p.resource and not p.record}
    empty = {
        resource
        for r in readings
        if _shows_nothing(r) and (resource := lists.get(r.probe)) is not None
    }
    if not empty:
        return list(readings)
    with watch.store.read() as session:
        held = {name for name in empty if records.at_least(session, watched.name, name, HELD)}
    said = f"it shows no row, and we hold {HELD} or more"
    return [
        replace(r, fault="emptied", detail=said)
        if _shows_nothing(r) and lists.get(r.probe) in held
        else r
        for r in readings
    ]


def _shows_nothing(reading: Reading) -> bool:
    good = reading.outcome in (Outcome.OK, Outcome.DEGRADED)
    return reading.kind is Kind.ENDPOINT and good and reading.value == 0 and not reading.fault
