"""The gap ledger and its windows."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from watchkeeper.errors import StaleFence, UserError
from watchkeeper.gaps import Gap, GapState, Reconciliation, Span, Window, WindowState
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import GapRow, WindowRow
from watchkeeper.terms import holds, seconds


def open_gap(
    session: Session,
    *,
    incident_id: int | None,
    integration: str,
    resource: str,
    since: datetime | None,
    now: datetime,
) -> Gap:
    """Open the gap of a resource, or keep the one this incident has: its start never moves."""
    same = select(GapRow).where(GapRow.incident_id == incident_id, GapRow.resource == resource)
    row = None if incident_id is None else session.exec(same).first()
    if row is None:
        row = GapRow(
            incident_id=incident_id,
            integration=integration,
            resource=resource,
            state=GapState.OPEN,
            since=since,
            opened_at=now,
        )
    elif GapState(row.state).over:
        # A relapse after the gap was closed: whatever is missing now lies after that.
        row.state, row.since, row.until, row.closed_at = GapState.OPEN, since, None, None
    session.add(row)
    session.flush()
    return value_of(Gap, row)


def bound(session: Session, gap_id: int, until: datetime) -> Gap:
    """Set the end of the outage. A relapse moves it on, never back, and unsets what was filled."""
    row = _row(session, gap_id)
    if row.until is None or row.until < until:
        row.until, row.state = until, GapState.BOUNDED
        for window in session.exec(select(WindowRow).where(WindowRow.gap_id == gap_id)):
            session.delete(window)
    session.add(row)
    session.flush()
    return value_of(Gap, row)


def slice_gap(session: Session, gap_id: int, spans: tuple[Span, ...]) -> tuple[Window, ...]:
    """Write the windows down once; a second caller gets the first one's windows."""
    row = _row(session, gap_id)
    there = windows(session, gap_id)
    if there:
        return there
    for position, span in enumerate(spans):
        session.add(
            WindowRow(
                gap_id=gap_id,
                position=position,
                since=span.since,
                until=span.until,
                state=WindowState.PLANNED,
            )
        )
    row.state = GapState.FILLING
    session.add(row)
    session.flush()
    return windows(session, gap_id)


def windows(session: Session, gap_id: int) -> tuple[Window, ...]:
    rows = session.exec(
        select(WindowRow).where(WindowRow.gap_id == gap_id).order_by(col(WindowRow.position))
    )
    return tuple(value_of(Window, row) for row in rows)


def claim(
    session: Session, window_id: int, holder: str, now: datetime, ttl: timedelta
) -> Window | None:
    """The window as it was left, for one holder at a time; None while another holds it."""
    row = session.exec(select(WindowRow).where(WindowRow.id == window_id).with_for_update()).first()
    if row is None or row.state == WindowState.DONE:
        return None
    if row.holder not in (None, holder) and not _over(row, now):
        return None
    row.holder, row.expires_at, row.state = holder, now + ttl, WindowState.RUNNING
    row.term_s = ttl.total_seconds()
    session.add(row)
    session.flush()
    return value_of(Window, row)


def checkpoint(
    session: Session,
    *,
    window_id: int,
    holder: str,
    cursor: str | None,
    rows: int,
    now: datetime,
    ttl: timedelta,
) -> None:
    """In the transaction of the rows it speaks of. No cursor means that the walk is complete.

    A window that was released while its holder waited for the vendor is its own again, as long as
    nobody else has taken it.
    """
    row = session.exec(select(WindowRow).where(WindowRow.id == window_id).with_for_update()).first()
    released = row is not None and row.holder is None and row.state == WindowState.PLANNED
    if row is None or (row.holder != holder and not released):
        raise StaleFence(f"backfill window {window_id} has been taken over")
    row.cursor, row.pages = cursor, row.pages + 1
    row.rows += rows
    row.state, row.holder, row.expires_at = WindowState.RUNNING, holder, now + ttl
    row.term_s = ttl.total_seconds()
    if cursor is None:
        row.state, row.holder, row.expires_at = WindowState.DONE, None, None
    session.add(row)


def let_go(session: Session, window_id: int, holder: str) -> None:
    """Its holder goes no further: anybody may go on from its checkpoint."""
    row = session.exec(select(WindowRow).where(WindowRow.id == window_id).with_for_update()).first()
    if row is not None and row.holder == holder:
        row.state, row.holder, row.expires_at = WindowState.PLANNED, None, None
        session.add(row)


def release_stuck(session: Session, now: datetime) -> int:
    """Windows whose holder gave no sign of life: back to planned, their checkpoint kept."""
    running = session.exec(select(WindowRow).where(WindowRow.state == WindowState.RUNNING)).all()
    rows = [row for row in running if _over(row, now)]
    for row in rows:
        row.state, row.holder, row.expires_at = WindowState.PLANNED, None, None
        session.add(row)
    return len(rows)


def _over(row: WindowRow, now: datetime) -> bool:
    """Nobody holds it by a sign of life that counts."""
    return row.expires_at is None or not holds(row.expires_at, seconds(row.term_s), now)


def filled(session: Session, gap_id: int) -> bool:
    """True, and written down, once every window is done; one that another run holds is not."""
    row = _row(session, gap_id)
    if any(window.state is not WindowState.DONE for window in windows(session, gap_id)):
        return False
    row.state = GapState.FILLED
    session.add(row)
    return True


def judged(session: Session, gap_id: int, result: Reconciliation, now: datetime) -> Gap:
    """Write the comparison down; only a whole one closes the gap."""
    row = _row(session, gap_id)
    row.expected, row.present = result.expected, result.present
    row.missing, row.stale = len(result.missing), len(result.stale)
    row.note = ", ".join((*result.missing, *result.stale)[:20])
    if result.whole:
        row.state, row.closed_at = GapState.RECONCILED, now
    session.add(row)
    session.flush()
    return value_of(Gap, row)


def waive(session: Session, gap_id: int, by: str, reason: str, now: datetime) -> Gap:
    row = _row(session, gap_id)
    row.state, row.closed_at, row.note = GapState.WAIVED, now, f"waived by {by}: {reason}"
    session.add(row)
    session.flush()
    return value_of(Gap, row)


def of_incident(session: Session, incident_id: int) -> tuple[Gap, ...]:
    rows = session.exec(
        select(GapRow).where(GapRow.incident_id == incident_id).order_by(col(GapRow.id))
    )
    return tuple(value_of(Gap, row) for row in rows)


def listed(session: Session, only_open: bool = False) -> tuple[Gap, ...]:
    query = select(GapRow).order_by(col(GapRow.id).desc())
    gaps = tuple(value_of(Gap, row) for row in session.exec(query))
    return tuple(gap for gap in gaps if not (only_open and gap.state.over))


def get(session: Session, gap_id: int) -> Gap:
    return value_of(Gap, _row(session, gap_id))


def _row(session: Session, gap_id: int) -> GapRow:
    row = session.exec(select(GapRow).where(GapRow.id == gap_id).with_for_update()).first()
    if row is None:
        raise UserError(f"there is no gap {gap_id}: see `watchkeeper gaps`")
    return row
