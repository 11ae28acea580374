"""What an incident holds, what was asked and answered, how far its actions are, which keys leaked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class LeaseRow(SQLModel, table=True):
    """A mitigation in force: who owns it, what was before, when it ends by itself."""

    __tablename__ = "leases"
    __table_args__ = (UniqueConstraint("incident_id", "kind", "target"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    integration: str = Field(index=True)
    kind: str
    target: str
    prior: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    applied: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    state: str
    taken_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    heartbeat_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_because: str = ""
    # How long it was to hold, in seconds, when `expires_at` was set.
    term_s: float | None = None


class ApprovalRow(SQLModel, table=True):
    """A question to a person about one plan, by its hash; answered once."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("incident_id", "plan_hash"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    plan_hash: str
    plan_text: str
    needs: list[str] = Field(default_factory=list, sa_type=JSON)
    flow_run_id: str | None = None
    requested_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    decision: str | None = None
    decided_by: str | None = None
    reason: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    actions: list[str] = Field(default_factory=list, sa_type=JSON)
    wanted: int = 1
    waits: bool = True
    votes: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    # How long it was to hold, in seconds, when `expires_at` was set.
    term_s: float | None = None


class StepRow(SQLModel, table=True):
    """How far an action of a plan is, in one round of an incident."""

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("incident_id", "round", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    round: int
    name: str
    state: str
    by: str
    because: str = ""
    tries: int = 0
    entries: int = 0
    begun_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class ExposureRow(SQLModel, table=True):
    """A key that others may have: since when, until when it was good, and who looked at its use."""

    __tablename__ = "exposures"
    __table_args__ = (UniqueConstraint("incident_id", "fingerprint"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    integration: str
    credential: str
    fingerprint: str
    exposed_at: datetime = Field(sa_type=UtcDateTime)
    place: str
    told_by: str
    told_at: datetime = Field(sa_type=UtcDateTime)
    last_accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    refused_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    audited_by: str | None = None
    audited_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finding: str = ""
