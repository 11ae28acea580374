"""What our own services told of themselves, as long as the next look needs it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Index
from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class ScrapeRow(SQLModel, table=True):
    """One look at a metrics page: canonical series -> value, of the series that are asked for."""

    __tablename__ = "scrapes"
    __table_args__ = (Index("ix_scrapes_source", "integration", "source", "at"),)

    id: int | None = Field(default=None, primary_key=True)
    integration: str
    # Which page, and which series of it: a digest.
    source: str
    at: datetime = Field(sa_type=UtcDateTime)
    samples: dict[str, float | str] = Field(default_factory=dict, sa_type=JSON)
