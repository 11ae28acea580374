"""Mitigation leases: what an incident holds, and what was there before."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from watchkeeper import terms
from watchkeeper.errors import UserError
from watchkeeper.mitigation.lease import Lease, LeaseKind, LeaseState
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
    row.taken_at = row.heartbeat_at = now
    row.expires_at, row.term_s = now + length, length.total_seconds()
    row.ended_at, row.ended_because = None, ""
    session.add(row)
    session.flush()
    return _value(row)


def hand_over(session: Session, lease: Lease, incident_id: int, now: datetime) -> None:
    """Another incident holds it from now on: what was before it, and its end, stay as they are."""
    row = _in_force(session, lease)
    if row is None:
        return
    to = _row(session, incident_id, lease.kind, lease.target) or LeaseRow(
        incident_id=incident_id,
        integration=row.integration,
        kind=row.kind,
        target=row.target,
        state=row.state,
        taken_at=row.taken_at,
        expires_at=row.expires_at,
    )
    for name in ("prior", "applied", "state", "taken_at", "heartbeat_at", "expires_at", "term_s"):
        setattr(to, name, getattr(row, name))
    to.ended_at, to.ended_because = None, ""
    session.add(to)
    end(session, lease.id, f"INC-{incident_id} holds it", now)
    session.flush()


def end(session: Session, lease_id: int, because: str, now: datetime) -> None:
    row = session.get(LeaseRow, lease_id)
    if row is None:
        raise UserError(f"there is no lease {lease_id}")
    row.state, row.ended_at, row.ended_because = LeaseState.ENDED, now, because
    session.add(row)


def applied(session: Session, lease: Lease, more: dict[str, object]) -> None:
    """Remember what was seen of it since it was taken."""
    row = _in_force(session, lease)
    if row is not None:
        row.applied = {**row.applied, **more}
        session.add(row)


def extend(session: Session, lease: Lease, until: datetime, now: datetime) -> None:
    row = _in_force(session, lease)
    if row is not None:
        row.expires_at, row.term_s = until, (until - now).total_seconds()
        session.add(row)


def redate(session: Session, now: datetime) -> tuple[Lease, ...]:
    """Those that a clock that has been set back since would hold for too long: each ends a term from
    now instead."""
    rows = [
        row
        for row in session.exec(_held())
        if terms.void(row.expires_at, terms.seconds(row.term_s), now)
    ]
    for row in rows:
        row.expires_at = now + timedelta(seconds=row.term_s or 0)
        session.add(row)
    return tuple(_value(row) for row in rows)


def beat(session: Session, lease: Lease, now: datetime) -> None:
    """Somebody minds it."""
    row = _in_force(session, lease)
    if row is not None:
        row.heartbeat_at = now
        session.add(row)


def get(session: Session, lease_id: int) -> Lease:
    row = session.get(LeaseRow, lease_id)
    if row is None:
        raise UserError(f"there is no lease {lease_id}: see `watchkeeper lease list`")
    return _value(row)


def active(session: Session, incident_id: int | None = None) -> tuple[Lease, ...]:
    query = _held()
    if incident_id is not None:
        query = query.where(LeaseRow.incident_id == incident_id)
    return tuple(_value(row) for row in session.exec(query))


def of_incident(session: Session, incident_id: int) -> tuple[Lease, ...]:
    query = select(LeaseRow).where(LeaseRow.incident_id == incident_id).order_by(col(LeaseRow.id))
    return tuple(_value(row) for row in session.exec(query))


def find(session: Session, incident_id: int, kind: LeaseKind, target: str) -> Lease | None:
    row = _row(session, incident_id, kind, target)
    return None if row is None else _value(row)


def _held() -> SelectOfScalar[LeaseRow]:
    return select(LeaseRow).where(LeaseRow.state == LeaseState.ACTIVE).order_by(col(LeaseRow.id))


def _in_force(session: Session, lease: Lease) -> LeaseRow | None:
    """The row, if it is still of this taking."""
    row = _row(session, lease.incident_id, lease.kind, lease.target)
    return row if row is not None and _value(row).same_taking(lease) else None


def _value(row: LeaseRow) -> Lease:
    # A lease of before heartbeats was last seen to when it was taken.
    row.heartbeat_at = row.heartbeat_at or row.taken_at
    return value_of(Lease, row)


def _row(session: Session, incident_id: int, kind: LeaseKind, target: str) -> LeaseRow | None:
    return session.exec(
        select(LeaseRow)
        .where(LeaseRow.incident_id == incident_id)
        .where(LeaseRow.kind == kind, LeaseRow.target == target)
        .with_for_update()
    ).first()
