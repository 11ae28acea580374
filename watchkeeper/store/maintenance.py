"""Windows of maintenance: when our own people are at work on an integration."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from watchkeeper.errors import UserError
from watchkeeper.maintenance import Maintenance
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import MaintenanceRow

LONGEST = timedelta(days=30)


def add(
    session: Session,
    *,
    integration: str | None,
    since: datetime,
    until: datetime,
    by: str,
    why: str,
) -> Maintenance:
    """A window of one integration, or of all. Raises UserError where it ends before it begins, or
    lasts so long that everybody will have forgotten it."""
    if since >= until:
        raise UserError(f"a window from {since:%H:%M}Z cannot end at {until:%H:%M}Z: --until later")
    if until - since > LONGEST:
        raise UserError(f"a window lasts {LONGEST.days} days at most: nobody is paged in it")
    row = MaintenanceRow(integration=integration, since=since, until=until, by=by, why=why)
    session.add(row)
    session.flush()
    return value_of(Maintenance, row)


def end(session: Session, maintenance_id: int, now: datetime) -> Maintenance:
    """Over before its time, or called off; one that is over already is left as it is."""
    row = session.exec(
        select(MaintenanceRow).where(MaintenanceRow.id == maintenance_id).with_for_update()
    ).first()
    if row is None:
        raise UserError(f"there is no window {maintenance_id}: see `watchkeeper maintenance list`")
    if row.ended_at is None and now < row.until:
        row.ended_at = now
        session.add(row)
        session.flush()
    return value_of(Maintenance, row)


def active(session: Session, integration: str, now: datetime) -> tuple[Maintenance, ...]:
    """Those that hold for it now."""
    return tuple(w for w in since(session, integration, now) if w.holds(now))


def since(session: Session, integration: str, at: datetime) -> tuple[Maintenance, ...]:
    """Those of it that were not over at that time, whether they had begun or not."""
    query = (
        select(MaintenanceRow)
        .where(or_(col(MaintenanceRow.integration) == integration, _of_all()))
        .where(col(MaintenanceRow.until) > at)
        .order_by(col(MaintenanceRow.since), col(MaintenanceRow.id))
    )
    found = (value_of(Maintenance, row) for row in session.exec(query))
    return tuple(window for window in found if window.over_at > at)


def upcoming(session: Session, now: datetime) -> tuple[Maintenance, ...]:
    """All that hold or are still to come, of whatever integration."""
    query = (
        select(MaintenanceRow)
        .where(col(MaintenanceRow.until) > now, col(MaintenanceRow.ended_at).is_(None))
        .order_by(col(MaintenanceRow.since), col(MaintenanceRow.id))
    )
    return tuple(value_of(Maintenance, row) for row in session.exec(query))


def _of_all() -> ColumnElement[bool]:
    return col(MaintenanceRow.integration).is_(None)
