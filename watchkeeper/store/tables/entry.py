"""What integrations.yaml and the runbooks said when they could last be read."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from watchkeeper.store.columns import UtcDateTime


class EntryRow(SQLModel, table=True):
    """The last known entry of an integration with its runbook, as JSON text: references to secrets,
    never a secret. `fault`: why the files do not give it any more; `gone`: it was taken out."""

    __tablename__ = "entries"

    name: str = Field(primary_key=True)
    entry: str
    runbook: str
    digest: str
    read_at: datetime = Field(sa_type=UtcDateTime)
    gone: bool = False
    fault: str = ""
    fault_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
