"""Jobs' desired state: the row that each job reads before it starts."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from watchkeeper.errors import UserError
from watchkeeper.mitigation.job import RUNNING, Job
from watchkeeper.runbook.integration import Watched
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import JobRow


def register(session: Session, watched: Watched, now: datetime) -> None:
    """Make a row for each job the runbook names. A row that is there keeps its desired state: a
    redeploy or a restart resumes nothing."""
    for job in watched.runbook.jobs:
        row = _row(session, watched.name, job.name)
        if row is None:
            row = JobRow(
                integration=watched.name,
                name=job.name,
                criticality=job.criticality,
                desired=RUNNING,
                changed_by="runbook",
                reason="first registered",
                changed_at=now,
            )
        row.criticality = job.criticality
        session.add(row)


def listed(session: Session, integration: str) -> tuple[Job, ...]:
    rows = session.exec(
        select(JobRow).where(JobRow.integration == integration).order_by(col(JobRow.name))
    )
    return tuple(value_of(Job, row) for row in rows)


def everywhere(session: Session) -> tuple[Job, ...]:
    return tuple(value_of(Job, row) for row in session.exec(select(JobRow)))


def get(session: Session, integration: str, name: str) -> Job:
    row = _row(session, integration, name)
    if row is None:
        known = ", ".join(job.name for job in listed(session, integration)) or "none yet"
        raise UserError(f"{integration} has no job {name!r}; it has: {known}")
    return value_of(Job, row)


def desire(
    session: Session,
    integration: str,
    name: str,
    desired: str,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> Job:
    """Set the desired state. Each change has a revision of its own, so that a later undo can tell
    whether somebody else has been here."""
    get(session, integration, name)
    row = _row(session, integration, name)
    assert row is not None
    row.desired, row.changed_by, row.reason, row.changed_at = desired, by, reason, now
    row.revision += 1
    session.add(row)
    session.flush()
    return value_of(Job, row)


def _row(session: Session, integration: str, name: str) -> JobRow | None:
    return session.exec(
        select(JobRow)
        .where(JobRow.integration == integration, JobRow.name == name)
        .with_for_update()
    ).first()
