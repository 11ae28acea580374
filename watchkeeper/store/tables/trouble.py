"""What was wrong with the watch itself."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class TroubleRow(SQLModel, table=True):
    """`open_key` is the kind while it lasts, NULL afterwards: at most one lasts of each kind."""

    __tablename__ = "troubles"

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(index=True)
    open_key: str | None = Field(default=None, unique=True)
    text: str
    since: datetime = Field(sa_type=UtcDateTime)
    paged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
