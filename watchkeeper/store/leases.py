"""Mitigation leases: what an incident holds, and what was there before."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from watchkeeper.errors import UserError
from watchkeeper.mitigation import Lease, LeaseKind, LeaseState
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import LeaseRow


def take(
    session: Session,
    *,
    incident_id: int,
    integration: str,
    kind: LeaseKind,
    target: str,
    prior: dict[str, object],
    applied: dict[str, object],
    now: datetime,
    length: timedelta,
) -> Lease:
    """Take it, or take it again after it had ended (a relapse): what is prior is what is now."""
    row = _row(session, incident_id, kind, target) or LeaseRow(
        incident_id=incident_id,
        integration=integration,
        kind=kind,
        target=target,
        state=LeaseState.ACTIVE,
        taken_at=now,
        expires_at=now,
    )
    row.prior, row.applied, row.state = prior, applied, LeaseState.ACTIVE
    row.taken_at, row.expires_at = now, now + length
    row.ended_at, row.ended_because = None, ""
    session.add(row)
    session.flush()
    return value_of(Lease, row)


def end(session: Session, lease_id: int, because: str, now: datetime) -> None:
    row = session.get(LeaseRow, lease_id)
    if row is None:
        raise UserError(f"there is no lease {lease_id}")
    row.state, row.ended_at, row.ended_because = LeaseState.ENDED, now, because
    session.add(row)


def active(session: Session, incident_id: int | None = None) -> tuple[Lease, ...]:
    query = select(LeaseRow).where(LeaseRow.state == LeaseState.ACTIVE).order_by(col(LeaseRow.id))
    if incident_id is not None:
        query = query.where(LeaseRow.incident_id == incident_id)
    return tuple(value_of(Lease, row) for row in session.exec(query))


def of_incident(session: Session, incident_id: int) -> tuple[Lease, ...]:
    query = select(LeaseRow).where(LeaseRow.incident_id == incident_id).order_by(col(LeaseRow.id))
    return tuple(value_of(Lease, row) for row in session.exec(query))


def find(session: Session, incident_id: int, kind: LeaseKind, target: str) -> Lease | None:
    row = _row(session, incident_id, kind, target)
    return None if row is None else value_of(Lease, row)


def _row(session: Session, incident_id: int, kind: LeaseKind, target: str) -> LeaseRow | None:
    return session.exec(
        select(LeaseRow)
        .where(LeaseRow.incident_id == incident_id)
        .where(LeaseRow.kind == kind, LeaseRow.target == target)
        .with_for_update()
    ).first()
