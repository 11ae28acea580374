"""Pages: one a rung and incident, under one dedup key from trigger to resolve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import IncidentRow, PageRow

TRIGGERED, RESOLVED = "triggered", "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEntry:
    """One alert at the pager as we know it."""

    incident_id: int
    level: int
    who: str
    dedup_key: str
    state: str
    triggered_at: datetime | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None


def triggered(
    session: Session, incident_id: int, level: int, who: str, dedup_key: str, now: datetime
) -> None:
    """Kept as it was while it is up; after a resolve it is a new alert, acknowledged by nobody."""
    row = _row(session, incident_id, level) or PageRow(
        incident_id=incident_id, level=level, who=who, dedup_key=dedup_key, state=RESOLVED
    )
    if row.state == RESOLVED:
        row.triggered_at, row.acknowledged_at, row.resolved_at = now, None, None
    row.state = TRIGGERED
    session.add(row)


def resolved(session: Session, incident_id: int, level: int, now: datetime) -> None:
    row = _row(session, incident_id, level)
    if row is not None:
        row.state, row.resolved_at = RESOLVED, now
        session.add(row)


def acknowledge(session: Session, incident_id: int, now: datetime) -> None:
    for row in session.exec(select(PageRow).where(PageRow.incident_id == incident_id)):
        row.acknowledged_at = row.acknowledged_at or now
        session.add(row)


def of_incident(session: Session, incident_id: int) -> tuple[PageEntry, ...]:
    rows = session.exec(
        select(PageRow).where(PageRow.incident_id == incident_id).order_by(col(PageRow.level))
    )
    return tuple(value_of(PageEntry, row) for row in rows)


def up_of_closed(session: Session) -> tuple[int, ...]:
    """The closed incidents that have an alert up."""
    found = session.exec(
        select(PageRow.incident_id)
        .join(IncidentRow, col(IncidentRow.id) == PageRow.incident_id)
        .where(PageRow.state == TRIGGERED, col(IncidentRow.closed_at).is_not(None))
        .distinct()
    )
    return tuple(found)


def _row(session: Session, incident_id: int, level: int) -> PageRow | None:
    return session.exec(
        select(PageRow).where(PageRow.incident_id == incident_id, PageRow.level == level)
    ).first()
