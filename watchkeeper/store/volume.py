"""Our own requests to a vendor, counted where they are let through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from sqlalchemy import Executable, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, func, select

from watchkeeper.store.tables import RequestCountRow

SPAN_S = 10
KEPT = timedelta(hours=2)


def count(
    session: Session, integration: str, consumer: str, at: datetime, requests: int = 1
) -> None:
    """So many more requests of this consumer, within the caller's transaction."""
    since = datetime.fromtimestamp(at.timestamp() // SPAN_S * SPAN_S, UTC)
    values = {"integration": integration, "consumer": consumer, "since": since, "count": requests}
    session.connection().execute(_counting(session.get_bind().dialect.name), values)


@cache
def _counting(dialect: str) -> Executable:
    """Made once: making it takes longer than the database takes for it."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(RequestCountRow)
    counting: Executable = insert.on_conflict_do_update(
        index_elements=["integration", "consumer", "since"],
        set_={"count": col(RequestCountRow.count) + insert.excluded.count},
    )
    return counting


def by_consumer(session: Session, integration: str, since: datetime) -> dict[str, int]:
    """Requests from `since` on, to the span's resolution of ten seconds, the most first."""
    about = {"integration": integration, "after": since - timedelta(seconds=SPAN_S)}
    rows = session.connection().execute(_BY_CONSUMER, about)
    return {consumer: int(count) for consumer, count in rows}


_TOTAL = func.sum(RequestCountRow.count)
_BY_CONSUMER = (
    select(RequestCountRow.consumer, _TOTAL)
    .where(col(RequestCountRow.integration) == bindparam("integration"))
    .where(col(RequestCountRow.since) > bindparam("after"))
    .group_by(col(RequestCountRow.consumer))
    .order_by(_TOTAL.desc(), col(RequestCountRow.consumer))
)


def forget(session: Session, now: datetime) -> None:
    session.exec(delete(RequestCountRow).where(col(RequestCountRow.since) < now - KEPT))
