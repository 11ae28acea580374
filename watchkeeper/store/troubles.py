"""The record of what was wrong with the watch itself: one open row a kind."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from watchkeeper.store.rows import add_first
from watchkeeper.store.tables import TroubleRow
from watchkeeper.trouble import Condition, Trouble, TroubleKind

TEXT_CHARS = 500


def keep(session: Session, seen: Condition) -> Trouble:
    """Open it, or give the open one its present text; `since` stays what it was."""
    row = _open(session, seen.kind)
    if row is None:
        row = TroubleRow(kind=seen.kind, open_key=seen.kind, text="", since=seen.since)
        if not add_first(session, row):
            row = _open(session, seen.kind) or row
    row.text = seen.text[:TEXT_CHARS]
    session.add(row)
    session.flush()
    return _value(row)


def ended(session: Session, kind: TroubleKind, now: datetime) -> Trouble | None:
    """Close the open one; None where none is."""
    row = _open(session, kind)
    if row is None:
        return None
    row.open_key, row.ended_at = None, now
    session.add(row)
    session.flush()
    return _value(row)


def paged(session: Session, trouble_id: int, at: datetime) -> None:
    row = session.get_one(TroubleRow, trouble_id)
    row.paged_at = row.paged_at or at
    session.add(row)


def resolved(session: Session, trouble_id: int, at: datetime) -> None:
    row = session.get_one(TroubleRow, trouble_id)
    row.resolved_at = row.resolved_at or at
    session.add(row)


def open_now(session: Session) -> tuple[Trouble, ...]:
    return _listed(session, col(TroubleRow.open_key).is_not(None))


def owing_resolve(session: Session) -> tuple[Trouble, ...]:
    """Those that are over, whose alert is still up."""
    return _listed(
        session,
        col(TroubleRow.open_key).is_(None),
        col(TroubleRow.paged_at).is_not(None),
        col(TroubleRow.resolved_at).is_(None),
    )


def recent(session: Session, most: int = 20) -> tuple[Trouble, ...]:
    """The newest first."""
    rows = session.exec(select(TroubleRow).order_by(col(TroubleRow.id).desc()).limit(most))
    return tuple(_value(row) for row in rows)


def _listed(session: Session, *where: object) -> tuple[Trouble, ...]:
    rows = session.exec(
        select(TroubleRow).where(*where).order_by(col(TroubleRow.id))  # type: ignore[arg-type]
    )
    return tuple(_value(row) for row in rows)


def _open(session: Session, kind: TroubleKind) -> TroubleRow | None:
    return session.exec(
        select(TroubleRow).where(TroubleRow.open_key == kind).with_for_update()
    ).first()


def _value(row: TroubleRow) -> Trouble:
    assert row.id is not None
    return Trouble(
        id=row.id,
        kind=TroubleKind(row.kind),
        text=row.text,
        since=row.since,
        paged_at=row.paged_at,
        ended_at=row.ended_at,
        resolved_at=row.resolved_at,
    )
