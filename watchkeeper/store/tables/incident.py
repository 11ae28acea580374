"""An incident and all that is told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class IncidentRow(SQLModel, table=True):
    """`open_key` is the integration's name while its harm is being stopped, `name#id` while a later
    incident has that place, NULL once it is closed: its unique index keeps an integration to one
    current incident, on every database. `follows`: the incident that had recovered before it."""

    __tablename__ = "incidents"

    id: int | None = Field(default=None, primary_key=True)
    integration: str = Field(index=True)
    open_key: str | None = Field(default=None, unique=True)
    follows: int | None = None
    state: str
    cause: str | None = None
    verdict: str
    severity: int
    # All that is wrong was announced by the vendor.
    planned: bool = False
    summary: str
    opened_by: str
    taken_by: str | None = None
    epoch: int = 0
    round: int = 1
    started_at: datetime = Field(sa_type=UtcDateTime)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    state_since: datetime = Field(sa_type=UtcDateTime)
    recovered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settles_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class CauseRow(SQLModel, table=True):
    """One dated verdict; the newest row of the highest rank is what the incident shows."""

    __tablename__ = "causes"

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    rank: int
    cause: str | None = None
    verdict: str
    severity: int
    said_by: str
    because: str
    evidence: list[str] = Field(default_factory=list, sa_type=JSON)
    counter_evidence: list[str] = Field(default_factory=list, sa_type=JSON)
    ruled_out: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)


class TimelineRow(SQLModel, table=True):
    """Append-only. A milestone is written once an incident: the first writer wins."""

    __tablename__ = "timeline"
    __table_args__ = (UniqueConstraint("incident_id", "milestone"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    milestone: str | None = None
    actor: str
    text: str


class ObservationRow(SQLModel, table=True):
    """What one probe saw. The rows of one `look_id` are one look, whole: it can be judged anew. Rows
    of before there were looks have none."""

    __tablename__ = "observations"
    # What was seen last is asked for at each look.
    __table_args__ = (Index("ix_observations_last", "integration", "kind", "at"),)

    id: int | None = Field(default=None, primary_key=True)
    integration: str
    incident_id: int | None = Field(default=None, index=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    probe: str
    kind: str
    target: str
    outcome: str
    status: int | None = None
    latency_s: float
    detail: str = ""
    look_id: str | None = None
    purpose: str | None = None
    looked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    slow_s: float | None = None
    tells_missing_key: bool | None = None
    fault: str | None = None
    critical: bool | None = None
    wait_s: float | None = None
    skew_s: float | None = None
    value: float | None = None
    bound: float | None = None
    unit: str | None = None
    signature: str | None = None
    of: str | None = None
    answer: str | None = None
    speaker: str | None = None
    behind_gateway: bool | None = None


class PageRow(SQLModel, table=True):
    """One rung that is to be called, under one dedup key from trigger to resolve. `triggered_at` is when
    a channel took it, `reason` why none did."""

    __tablename__ = "pages"
    __table_args__ = (UniqueConstraint("incident_id", "level"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    level: int
    who: str
    dedup_key: str
    state: str
    reason: str = ""
    wanted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    triggered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class DeliveryRow(SQLModel, table=True):
    """What became of one page at one channel. `round` is that of the last attempt."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("incident_id", "level", "channel"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    level: int
    channel: str
    round: int
    state: str
    reason: str = ""
    attempts: int = 0
    tried_at: datetime = Field(sa_type=UtcDateTime)
    taken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
