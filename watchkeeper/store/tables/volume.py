"""How many requests left for a vendor, by who asked."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class RequestCountRow(SQLModel, table=True):
    """The requests of one consumer of ours in the ten seconds from `since`."""

    __tablename__ = "request_counts"

    integration: str = Field(primary_key=True)
    consumer: str = Field(primary_key=True)
    since: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    count: int
