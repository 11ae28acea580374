"""The kill switch: a row or a file, whichever says stop; what cannot be read says stop."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from watchkeeper.errors import Transient
from watchkeeper.store.engine import Store
from watchkeeper.store.tables import SwitchRow

HALT = "halt"


def halted(store: Store, halt_file: Path) -> str | None:
    """Why automation must not act, or None where it may."""
    try:
        if halt_file.exists():
            return f"the file {halt_file.name} is there"
        with store.read() as session:
            row = session.get(SwitchRow, HALT)
    except (OSError, SQLAlchemyError, Transient):
        return "the kill switch cannot be read"
    return f"{row.changed_by}: {row.reason}" if row is not None and row.on else None


def set_halt(session: Session, on: bool, *, by: str, reason: str, now: datetime) -> None:
    row = session.get(SwitchRow, HALT) or SwitchRow(
        name=HALT, on=on, changed_by=by, reason=reason, changed_at=now
    )
    row.on, row.changed_by, row.reason, row.changed_at = on, by, reason, now
    session.add(row)
