"""Keys that others may have: since when, until when they were good, and who looked at their use."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from watchkeeper.errors import UserError
from watchkeeper.exposure import Exposure
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import ExposureRow


def tell(
    session: Session,
    incident_id: int,
    integration: str,
    credential: str,
    fingerprint: str,
    *,
    exposed_at: datetime,
    place: str,
    by: str,
    now: datetime,
) -> Exposure:
    """Write it down, or correct what was said of it; the earlier time counts."""
    row = _row(session, incident_id, fingerprint) or ExposureRow(
        incident_id=incident_id,
        integration=integration,
        credential=credential,
        fingerprint=fingerprint,
        exposed_at=exposed_at,
        place=place,
        told_by=by,
        told_at=now,
    )
    row.exposed_at, row.place = min(row.exposed_at, exposed_at), place
    session.add(row)
    session.flush()
    return value_of(Exposure, row)


def of_incident(session: Session, incident_id: int) -> tuple[Exposure, ...]:
    rows = session.exec(
        select(ExposureRow)
        .where(ExposureRow.incident_id == incident_id)
        .order_by(col(ExposureRow.id))
    )
    return tuple(value_of(Exposure, row) for row in rows)


def unaudited(session: Session) -> tuple[Exposure, ...]:
    """Those whose use nobody has looked at yet, of closed incidents too."""
    rows = session.exec(
        select(ExposureRow)
        .where(col(ExposureRow.audited_at).is_(None))
        .order_by(col(ExposureRow.id))
    )
    return tuple(value_of(Exposure, row) for row in rows)


def accepted(session: Session, incident_id: int, fingerprint: str, at: datetime) -> None:
    row = _row(session, incident_id, fingerprint)
    if row is not None:
        row.last_accepted_at = at
        session.add(row)


def refused(session: Session, incident_id: int, fingerprint: str, at: datetime) -> None:
    row = _row(session, incident_id, fingerprint)
    if row is not None and row.refused_at is None:
        row.refused_at = at
        session.add(row)


def audited(
    session: Session, incident_id: int, by: str, finding: str, now: datetime
) -> tuple[Exposure, ...]:
    """A person looked at how the key was used. Raises UserError where none leaked."""
    rows = session.exec(select(ExposureRow).where(ExposureRow.incident_id == incident_id)).all()
    if not rows:
        raise UserError(f"no key of INC-{incident_id} was told to have leaked: nothing to audit")
    for row in rows:
        row.audited_by, row.audited_at, row.finding = by, now, finding
        session.add(row)
    session.flush()
    return tuple(value_of(Exposure, row) for row in rows)


def _row(session: Session, incident_id: int, fingerprint: str) -> ExposureRow | None:
    return session.exec(
        select(ExposureRow)
        .where(ExposureRow.incident_id == incident_id, ExposureRow.fingerprint == fingerprint)
        .with_for_update()
    ).first()
