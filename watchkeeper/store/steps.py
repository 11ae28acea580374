"""How far each action of a round is: begun, done, failed, or skipped by a person."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, select

from watchkeeper.incident import Incident
from watchkeeper.mitigation.world import Step, StepState
from watchkeeper.store.tables import StepRow


def mark(
    session: Session,
    incident_id: int,
    round: int,
    name: str,
    state: StepState,
    *,
    now: datetime,
    by: str = "watchkeeper",
    because: str = "",
) -> None:
    row = _row(session, incident_id, round, name) or StepRow(
        incident_id=incident_id,
        round=round,
        name=name,
        state=state,
        by=by,
        begun_at=now,
        changed_at=now,
    )
    row.entries += state is StepState.BEGUN
    row.state, row.by, row.because, row.changed_at = state, by, because[:500], now
    session.add(row)
    session.flush()


def left(session: Session, incident_id: int, round: int, name: str) -> None:
    """It was held back before it did anything: as if it had not been begun this time."""
    row = _row(session, incident_id, round, name)
    if row is not None and row.entries:
        row.entries -= 1
        session.add(row)


def again(
    session: Session, incident: Incident, name: str, by: str, because: str, now: datetime
) -> None:
    """A person wants it tried once more; what it did before counts as another try."""
    row = _row(session, incident.id, incident.round, name)
    if row is not None:
        row.state, row.by, row.because, row.changed_at = StepState.WANTED, by, because[:500], now
        row.tries, row.entries = row.tries + 1, 0
        session.add(row)
        session.flush()


def of_round(session: Session, incident: Incident) -> tuple[Step, ...]:
    rows = session.exec(
        select(StepRow)
        .where(StepRow.incident_id == incident.id, StepRow.round == incident.round)
        .order_by(col(StepRow.id))
    )
    return tuple(
        Step(row.name, StepState(row.state), row.by, row.because, row.tries, row.entries)
        for row in rows
    )


def begun_since(session: Session, incident_id: int, since: datetime) -> int:
    """How many actions of an incident were begun since then, in any round."""
    skipped = StepState.SKIPPED
    query = (
        select(func.count())
        .select_from(StepRow)
        .where(StepRow.incident_id == incident_id, StepRow.state != skipped)
        .where(col(StepRow.begun_at) >= since)
    )
    return session.exec(query).one()


def _row(session: Session, incident_id: int, round: int, name: str) -> StepRow | None:
    return session.exec(
        select(StepRow)
        .where(StepRow.incident_id == incident_id, StepRow.round == round)
        .where(StepRow.name == name)
        .with_for_update()
    ).first()
