"""Where an incident begins: joined, opened again, or opened anew beside one that had recovered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from watchkeeper.incident import Incident
from watchkeeper.mitigation.lease import VIGILS
from watchkeeper.performing.responding import lock_name
from watchkeeper.store import incidents, leases, locks

Another = Callable[[Incident], bool]


def has_recovered(incident: Incident) -> bool:
    """What a person declares, or a leaked key, is another matter than a trouble that is over."""
    return incident.over_at is not None


def open_or_join(
    session: Session,
    *,
    integration: str,
    summary: str,
    severity: int,
    opened_by: str,
    started_at: datetime,
    now: datetime,
    reopen_since: datetime,
    another: Another,
) -> tuple[Incident, bool]:
    """The integration's current incident, and whether this call opened it, or opened it again.

    A current one that has recovered, and of which `another` says that this is another matter, is set
    aside: it stays open, waits for the new one, and the new one gives back what it still holds.
    """
    before = incidents.current(session, integration)
    aside = before if before is not None and another(before) else None
    if aside is not None:
        # The lock before the incident, as everyone takes them.
        locks.revoke(session, lock_name(aside.id), now)
        incidents.set_aside(session, aside)
    incident, opened = incidents.open_or_join(
        session,
        integration=integration,
        diagnosis_summary=summary,
        severity=severity,
        opened_by=opened_by,
        started_at=started_at,
        now=now,
        reopen_since=reopen_since,
        another=another,
    )
    if opened and incident.follows is not None:
        _link(session, incident, now)
    if aside is not None:
        _hand_over(session, aside, incident, now)
    return incident, opened


def _link(session: Session, incident: Incident, now: datetime) -> None:
    first = incidents.get(session, incident.follows or 0)
    over = f", over at {first.over_at:%H:%M:%S}Z" if first.over_at else ""
    text = f"follows INC-{first.id} ({first.cause or 'cause not known'}{over}): another matter"
    incidents.note(session, incident.id, text, now=now)
    incidents.note(session, first.id, f"INC-{incident.id} follows: another matter", now=now)


def _hand_over(session: Session, aside: Incident, to: Incident, now: datetime) -> None:
    """What is still held must not be given back while the new harm goes on."""
    for lease in leases.active(session, aside.id):
        if lease.kind in VIGILS:
            continue
        leases.hand_over(session, lease, to.id, now)
        text = f"{lease.kind.value} on {lease.target}"
        incidents.note(session, aside.id, f"{text} goes over to INC-{to.id}", now=now)
        incidents.note(session, to.id, f"{text} comes from INC-{aside.id}", now=now)
