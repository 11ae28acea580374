"""What is kept of an integration while all is well: its jobs, watermarks, records and budget."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class IntegrationRow(SQLModel, table=True):
    __tablename__ = "integrations"

    name: str = Field(primary_key=True)
    vendor: str
    environment: str
    first_seen_at: datetime = Field(sa_type=UtcDateTime)


class JobRow(SQLModel, table=True):
    """A job's desired state: what the job itself obeys, whatever the scheduler says."""

    __tablename__ = "jobs"

    integration: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    criticality: str
    desired: str
    changed_by: str
    reason: str
    changed_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = 0


class WatermarkRow(SQLModel, table=True):
    """All records up to `at` were seen in a completed walk; `walked_at` is when that was.

    `zero_walks`: so many walks in a row found nothing where earlier ones found something.
    """

    __tablename__ = "watermarks"

    integration: str = Field(primary_key=True)
    resource: str = Field(primary_key=True)
    at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    walked_at: datetime = Field(sa_type=UtcDateTime)
    rows: int = 0
    zero_walks: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class RecordRow(SQLModel, table=True):
    """The `store` sink: one row a vendor record, in the version we last saw."""

    __tablename__ = "records"

    integration: str = Field(primary_key=True)
    resource: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    version: str = Field(index=True)
    payload: str
    written_at: datetime = Field(sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RateBucketRow(SQLModel, table=True):
    """The shared pace of an integration: next free slot, and a hold that the vendor asked for."""

    __tablename__ = "rate_buckets"

    integration: str = Field(primary_key=True)
    next_at: datetime = Field(sa_type=UtcDateTime)
    hold_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    # How long the hold was to last, in seconds, when it was set.
    hold_s: float | None = None


class SwitchRow(SQLModel, table=True):
    """The kill switch: while it is on, automation changes nothing new."""

    __tablename__ = "switches"

    name: str = Field(primary_key=True)
    on: bool
    changed_by: str
    reason: str
    changed_at: datetime = Field(sa_type=UtcDateTime)
