"""Leases that wait for something: a vendor that is to be well again, an old key that is to be dead.

They end with what they wait for. When their time is over people are called, and the waiting goes
on: nothing is undone by its end.
"""

from __future__ import annotations

from watchkeeper.incident import Incident
from watchkeeper.mitigation.lease import Lease, LeaseKind
from watchkeeper.performing import old_keys
from watchkeeper.performing.paging import call_next
from watchkeeper.performing.watch import Watch
from watchkeeper.store import incidents, leases


async def mind_vigil(watch: Watch, incident: Incident, lease: Lease) -> list[str]:
    """What came of it, in words; nothing where nothing did."""
    said: list[str] = []
    if lease.kind is LeaseKind.OLD_KEY and old_keys.due(lease, watch.now()):
        watched = watch.integration(lease.integration)
        if (await old_keys.mind(watch, watched, lease)).accepted is False:
            return [f"INC-{incident.id}: the old key {lease.target} is dead"]
    if lease.over(watch.now()):
        said.append(await _overdue(watch, incident, lease))
    return said


async def _overdue(watch: Watch, incident: Incident, lease: Lease) -> str:
    what = _what(lease)
    with watch.store.write() as session:
        now = watch.now()
        leases.extend(session, lease, now + (lease.expires_at - lease.taken_at), now)
        incidents.note(session, incident.id, f"{what}, and the time for it is over", now=now)
    await call_next(watch, watch.integration(lease.integration), incident)
    return f"INC-{incident.id}: {what}"


def _what(lease: Lease) -> str:
    if lease.kind is LeaseKind.WAIT:
        return "the vendor is still not well"
    if not lease.asked:
        return f"the rotation away from {lease.target} is not finished"
    return f"the old key {lease.target} is still accepted"


def good_looks_wanted(watch: Watch, incident: Incident | None) -> int | None:
    """How many good looks in a row end the wait for the vendor; None where nobody waits."""
    lease = _wait(watch, incident)
    return None if lease is None else int(str(lease.applied.get("needed", 1)))


def looked(watch: Watch, incident: Incident, good: int, page: str, enough: bool) -> None:
    """What the newest look found of a vendor that is waited for: how many good ones in a row, and
    its own word. Enough of them end the wait."""
    lease, now = _wait(watch, incident), watch.now()
    if lease is None:
        return
    with watch.store.write() as session:
        seen: dict[str, object] = {"good": good, "page": page, "looked_at": now.isoformat()}
        leases.applied(session, lease, seen)
        if enough:
            said = f"{good} good looks in a row"
            leases.end(session, lease.id, said, now)
            incidents.note(session, incident.id, f"waited for the vendor: {said}", now=now)


def _wait(watch: Watch, incident: Incident | None) -> Lease | None:
    if incident is None:
        return None
    with watch.store.read() as session:
        held = leases.active(session, incident.id)
    return next((lease for lease in held if lease.kind is LeaseKind.WAIT), None)
