"""The `store` sink's table: upserts on the hot path, guarded by version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, func, select

from watchkeeper.gaps import DIGEST, version_of
from watchkeeper.store.tables import RecordRow

_TABLE: Table = RecordRow.__table__  # type: ignore[attr-defined]  # SQLModel hides it from mypy


def upsert(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert or replace by (integration, resource, record_id); an older version never wins.

    Rows are dicts of the table's columns. One prepared statement for all rows: `.values([...])`
    would compile a statement of thousands of parameters.
    """
    if rows:
        session.connection().execute(_statement(session), list(rows))


def _statement(session: Session) -> Insert:
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert(_TABLE) if dialect == "postgresql" else sqlite.insert(_TABLE)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=["integration", "resource", "record_id"],
        set_={
            "version": new.version,
            "payload": new.payload,
            "written_at": new.written_at,
            "deleted_at": None,
        },
        # The same rule as `gaps.newer`, where the rows are.
        where=(new.version > _TABLE.c.version)
        | (
            (new.version.startswith(DIGEST) | _TABLE.c.version.startswith(DIGEST))
            & (new.version != _TABLE.c.version)
        )
        | _TABLE.c.deleted_at.is_not(None),
    )


def versions(session: Session, integration: str, resource: str) -> dict[str, str]:
    """record id -> version of everything held and not deleted."""
    rows = session.exec(
        select(RecordRow.record_id, RecordRow.version)
        .where(RecordRow.integration == integration, RecordRow.resource == resource)
        .where(col(RecordRow.deleted_at).is_(None))
    )
    return {row[0]: row[1] for row in rows}


def any_of(session: Session, integration: str, resource: str) -> bool:
    """Whether anything of a resource is held at all."""
    query = select(RecordRow.record_id).where(
        RecordRow.integration == integration, RecordRow.resource == resource
    )
    return session.exec(query.limit(1)).first() is not None


def at_least(session: Session, integration: str, resource: str, many: int) -> bool:
    """Whether so many records are held that are not known to be deleted."""
    query = select(RecordRow.record_id).where(
        RecordRow.integration == integration,
        RecordRow.resource == resource,
        col(RecordRow.deleted_at).is_(None),
    )
    return len(session.exec(query.limit(many)).all()) == many


def changed_between(
    session: Session, integration: str, resource: str, since: datetime, until: datetime
) -> int:
    """How many records were last changed in [since, until), by the vendor's own clock."""
    query = (
        select(func.count())
        .select_from(RecordRow)
        .where(RecordRow.integration == integration, RecordRow.resource == resource)
        .where(col(RecordRow.version) >= version_of(since))
        .where(col(RecordRow.version) < version_of(until))
    )
    return session.exec(query).one()


def count(session: Session, integration: str, resource: str) -> int:
    return len(versions(session, integration, resource))
