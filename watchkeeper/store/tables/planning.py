"""What people tell of before it is seen: what was changed, and when not to wake anybody."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class ChangeRow(SQLModel, table=True):
    """Something that was changed: a table that anyone can post to. No integration means all."""

    __tablename__ = "changes"

    id: int | None = Field(default=None, primary_key=True)
    integration: str | None = Field(default=None, index=True)
    kind: str
    what: str
    who: str
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    source: str


class MaintenanceRow(SQLModel, table=True):
    """[since, until) in which we break things ourselves; ended early where `ended_at` is set. No
    integration means all."""

    __tablename__ = "maintenance"

    id: int | None = Field(default=None, primary_key=True)
    integration: str | None = Field(default=None, index=True)
    since: datetime = Field(sa_type=UtcDateTime)
    until: datetime = Field(sa_type=UtcDateTime, index=True)
    by: str
    why: str
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
