"""After a clock was set back: what it would keep in force for too long ends a term from now instead.

The sweep does this first, and tells it: on the timeline of the incident where there is one.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from watchkeeper.gaps import settles_at
from watchkeeper.incident import State
from watchkeeper.mitigation.lease import Lease
from watchkeeper.performing.recovering import COMPARE_AGAIN
from watchkeeper.performing.responding import lock_name
from watchkeeper.performing.watch import Watch
from watchkeeper.store import approvals, gaps, incidents, leases, locks, pages
from watchkeeper.store.approvals import Approval
from watchkeeper.terms import void

SET_BACK = "the clock was set back"


async def set_right(watch: Watch) -> list[str]:
    """What was set right, in words."""
    now = watch.now()
    with watch.store.write() as session:
        open_ones = incidents.listed(session, only_open=True)
        by_lock = {lock_name(incident.id): incident.id for incident in open_ones}
        told: list[tuple[int | None, str]] = []
        for name in locks.revoke_void(session, now):
            told.append((by_lock.get(name), f"the lock {name} is void"))
        for lease in leases.redate(session, now):
            told.append((lease.incident_id, f"{_kind(lease.kind)} {lease.target} {_until(lease)}"))
        for question in approvals.redate(session, now):
            told.append((question.incident_id, f"plan {question.plan_hash} {_until(question)}"))
        for number in pages.redate(session, now):
            told.append((number, "an unanswered page is waited for from now on"))
        for incident in open_ones:
            if incident.state is State.SETTLING and _settle(watch, session, incident.id, now):
                told.append((incident.id, "it settles from now on"))
        for number_, text in told:
            if number_ is not None:
                incidents.note(session, number_, f"{SET_BACK}: {text}", now=now)
    return [f"{SET_BACK}: {text}" for _, text in told]


def _settle(watch: Watch, session: Session, number: int, now: datetime) -> bool:
    incident = incidents.get(session, number)
    if incident.settles_at is None:
        return False
    book = watch.integration(incident.integration).runbook
    names = [gap.resource for gap in gaps.of_incident(session, number)]
    longest = max(settles_at(tuple(book.resource(n) for n in names), now) - now, COMPARE_AGAIN)
    if not void(incident.settles_at, longest, now):
        return False
    incidents.settles(session, number, now + longest)
    return True


def _kind(kind: str) -> str:
    return kind.replace("_", " ")


def _until(held: Lease | Approval) -> str:
    return f"holds until {held.expires_at:%H:%M:%S}Z instead"
