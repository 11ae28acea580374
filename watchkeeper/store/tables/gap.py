"""What an outage may have cost, and how far it is filled."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class GapRow(SQLModel, table=True):
    """[since, until) of one resource that no completed walk has covered; until is open at first."""

    __tablename__ = "gaps"
    __table_args__ = (UniqueConstraint("incident_id", "resource"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int | None = Field(default=None, foreign_key="incidents.id", index=True)
    integration: str = Field(index=True)
    resource: str
    state: str
    since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expected: int | None = None
    present: int | None = None
    missing: int | None = None
    stale: int | None = None
    note: str = ""


class WindowRow(SQLModel, table=True):
    """A slice of a gap: one walk, checkpointed by cursor, released when its holder dies."""

    __tablename__ = "windows"
    __table_args__ = (UniqueConstraint("gap_id", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    gap_id: int = Field(foreign_key="gaps.id", index=True)
    position: int
    since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    state: str
    cursor: str | None = None
    pages: int = 0
    rows: int = 0
    holder: str | None = None
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    # How long it was to hold, in seconds, when `expires_at` was set.
    term_s: float | None = None
