"""When each part of the watch last gave a sign of life, and which."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class HeartbeatRow(SQLModel, table=True):
    """The last result of one part of the watch, and the checks that were missed since."""

    __tablename__ = "heartbeats"

    part: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    every_s: float | None = None
    result: str
    detail: str = ""
    value: float | None = None
    since: datetime = Field(sa_type=UtcDateTime)
    well_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    missed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    missed_because: str = ""
    misses: int = 0
