"""What was changed: a table that anyone can post to, by our command or by a row of their own."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, or_, select

from watchkeeper.changes import ChangeEntry, ChangeKind
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import ChangeRow


def add(
    session: Session,
    *,
    integration: str | None,
    kind: ChangeKind,
    what: str,
    who: str,
    at: datetime,
    now: datetime,
    source: str,
) -> ChangeEntry:
    """Post one change, of one integration or of all."""
    row = ChangeRow(
        integration=integration,
        kind=kind,
        what=what,
        who=who,
        at=at,
        recorded_at=now,
        source=source,
    )
    session.add(row)
    session.flush()
    return value_of(ChangeEntry, row)


def posted(session: Session, integration: str, what: str, source: str) -> bool:
    """Whether this very change was posted before: whoever is run again posts it once."""
    query = (
        select(ChangeRow.id)
        .where(ChangeRow.integration == integration)
        .where(ChangeRow.what == what, ChangeRow.source == source)
    )
    return session.exec(query).first() is not None


def since(
    session: Session, integration: str | None, at: datetime, until: datetime, at_most: int = 50
) -> tuple[ChangeEntry, ...]:
    """The newest of an integration and of all, made in [at, until]; None: of every one."""
    query = (
        select(ChangeRow)
        .where(col(ChangeRow.at) >= at, col(ChangeRow.at) <= until)
        .order_by(col(ChangeRow.at).desc(), col(ChangeRow.id).desc())
        .limit(at_most)
    )
    if integration is not None:
        ours = or_(col(ChangeRow.integration) == integration, col(ChangeRow.integration).is_(None))
        query = query.where(ours)
    return tuple(value_of(ChangeEntry, row) for row in session.exec(query))
