"""The ledger of side effects, what they leased, who may act, and who said yes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class EffectRow(SQLModel, table=True):
    """One side effect, keyed by (incident, round, step, target); SENDING is committed before the
    call. A relapse begins a new round, in which the same step may be taken again."""

    __tablename__ = "effects"
    __table_args__ = (UniqueConstraint("incident_id", "round", "step", "target"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    round: int
    step: str
    target: str
    promise: str
    dedup_key: str
    state: str
    attempts: int = 0
    fence: int
    outcome: str = ""
    planned_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


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
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_because: str = ""


class LockRow(SQLModel, table=True):
    """A fenced lease on a piece of work. The fence grows with each holder and never goes back."""

    __tablename__ = "locks"

    name: str = Field(primary_key=True)
    holder: str | None = None
    fence: int
    expires_at: datetime = Field(sa_type=UtcDateTime)
    note: str = ""


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
