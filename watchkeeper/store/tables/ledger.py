"""The ledger of side effects, and who may act."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class EffectRow(SQLModel, table=True):
    """One side effect, keyed by (incident, round, step, target); SENDING is committed before the
    call. A relapse begins a new round, in which the same step may be taken again. What the watch does
    on its own behalf has no incident."""

    __tablename__ = "effects"
    __table_args__ = (UniqueConstraint("incident_id", "round", "step", "target"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int | None = Field(default=None, foreign_key="incidents.id", index=True)
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


class LockRow(SQLModel, table=True):
    """A fenced lease on a piece of work. The fence grows with each holder and never goes back.
    `lost`: how many holders in a row let it run out instead of letting it go."""

    __tablename__ = "locks"

    name: str = Field(primary_key=True)
    holder: str | None = None
    fence: int
    expires_at: datetime = Field(sa_type=UtcDateTime)
    # How long it was to hold, in seconds, when `expires_at` was set.
    term_s: float | None = None
    note: str = ""
    lost: int = 0
