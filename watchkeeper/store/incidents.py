"""Incidents, their causes and their timeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, or_, select

from watchkeeper.diagnosis import Cause, Diagnosis, RuledOut, Verdict
from watchkeeper.errors import Transient, UserError
from watchkeeper.incident import Incident, Milestone, State, TimelineEntry, check_move
from watchkeeper.report import CauseEntry
from watchkeeper.store.rows import add_first, value_of
from watchkeeper.store.tables import CauseRow, IncidentRow, TimelineRow


def never(_: Incident) -> bool:
    return False


def open_or_join(
    session: Session,
    *,
    integration: str,
    diagnosis_summary: str,
    severity: int,
    opened_by: str,
    started_at: datetime,
    now: datetime,
    reopen_since: datetime,
    another: Callable[[Incident], bool] = never,
) -> tuple[Incident, bool]:
    """The integration's current incident, and whether this call opened it.

    One that was set aside, or closed at or after `reopen_since`, is opened again under its old id,
    unless this is `another` matter: then the new one follows it.
    """
    if (found := current(session, integration)) is not None:
        return found, False
    earlier = _over(session, integration, reopen_since)
    back = next((row for row in earlier if not another(value_of(Incident, row))), None)
    if back is not None:
        return _reopen(session, back, now), True
    row = IncidentRow(
        integration=integration,
        open_key=integration,
        follows=earlier[0].id if earlier else None,
        state=State.OPEN,
        verdict=Verdict.INCONCLUSIVE,
        severity=severity,
        summary=diagnosis_summary,
        opened_by=opened_by,
        started_at=started_at,
        opened_at=now,
        state_since=now,
    )
    if add_first(session, row):
        return value_of(Incident, row), True
    # Somebody else opened it between our look and our insert.
    if (joined := current(session, integration)) is None:
        raise Transient(f"{integration}: its incident was opened and closed as we looked")
    return joined, False


def _over(session: Session, integration: str, since: datetime) -> list[IncidentRow]:
    """Those whose harm had ended: set aside, or closed since then; the last to end first."""
    ended = func.coalesce(IncidentRow.recovered_at, IncidentRow.closed_at)
    aside = col(IncidentRow.open_key) != integration
    query = (
        select(IncidentRow)
        .where(IncidentRow.integration == integration)
        .where(or_(aside, col(IncidentRow.closed_at) >= since))
        .order_by(ended.desc(), col(IncidentRow.id).desc())
        .with_for_update()
    )
    return list(session.exec(query))


def _reopen(session: Session, row: IncidentRow, now: datetime) -> Incident:
    row.open_key, row.state, row.state_since = row.integration, State.OPEN, now
    row.round += 1
    # Whoever had taken it over has seen it closed.
    row.taken_by = None
    row.closed_at = row.recovered_at = row.settles_at = None
    session.add(row)
    session.flush()
    return value_of(Incident, row)


def set_aside(session: Session, incident: Incident) -> None:
    """It has recovered, and gives its place to an incident of another cause; it stays open.

    Raises Transient where it is not the current one any more.
    """
    row = _row(session, incident.id)
    if row.open_key != row.integration:
        raise Transient(f"INC-{incident.id} is not the current incident any more")
    row.open_key = f"{row.integration}#{row.id}"
    session.add(row)
    session.flush()


def current(session: Session, integration: str) -> Incident | None:
    """The open one whose place no later incident has; at most one an integration."""
    row = session.exec(select(IncidentRow).where(IncidentRow.open_key == integration)).first()
    return None if row is None else value_of(Incident, row)


def get(session: Session, incident_id: int) -> Incident:
    return value_of(Incident, _row(session, incident_id))


def last_recovery(session: Session, integration: str) -> datetime | None:
    """When the last trouble was over, as far as is known; what was seen before it is accounted for."""
    at = func.coalesce(IncidentRow.recovered_at, IncidentRow.closed_at)
    query = select(func.max(at)).where(IncidentRow.integration == integration)
    return session.exec(query).one()


def listed(session: Session, only_open: bool = False, at_most: int = 50) -> list[Incident]:
    """The newest first. `only_open`: all of them, those that were set aside as well."""
    newest = select(IncidentRow).order_by(col(IncidentRow.id).desc())
    still_open = col(IncidentRow.open_key).is_not(None)
    query = newest.where(still_open) if only_open else newest.limit(at_most)
    return [value_of(Incident, row) for row in session.exec(query)]


def numbers(session: Session, integration: str) -> tuple[int, ...]:
    """Those of every incident that an integration ever had."""
    query = select(IncidentRow.id).where(IncidentRow.integration == integration)
    return tuple(number for number in session.exec(query) if number is not None)


def followed_by(session: Session, incident_id: int) -> tuple[int, ...]:
    """The incidents of other causes that began when this one had recovered."""
    query = select(IncidentRow.id).where(IncidentRow.follows == incident_id)
    return tuple(n for n in session.exec(query.order_by(col(IncidentRow.id))) if n is not None)


def move(session: Session, incident_id: int, to: State, now: datetime) -> Incident:
    """Change the state by the incident's own rules; moving to where it is already does nothing."""
    row = _row(session, incident_id)
    incident = value_of(Incident, row)
    if incident.state is to:
        return incident
    check_move(incident, to)
    row.state, row.state_since = to, now
    if to is State.CLOSED:
        row.open_key, row.closed_at = None, now
    session.add(row)
    session.flush()
    return value_of(Incident, row)


def recovered(session: Session, incident_id: int, at: datetime, settles_at: datetime) -> None:
    row = _row(session, incident_id)
    row.recovered_at, row.settles_at = at, settles_at
    session.add(row)


def settles(session: Session, incident_id: int, at: datetime) -> None:
    row = _row(session, incident_id)
    row.settles_at = at
    session.add(row)


def relapse(session: Session, incident_id: int, now: datetime) -> Incident:
    """A repair that did not hold, or a person who wants the chain again: a new round from open."""
    row = _row(session, incident_id)
    if row.open_key is None:
        raise UserError(f"INC-{incident_id} is closed: what is wrong now is opened, not retried")
    now_current = current(session, row.integration)
    if now_current is not None and now_current.id != incident_id:
        raise UserError(
            f"INC-{incident_id} has recovered: what is wrong now is INC-{now_current.id}"
        )
    row.open_key = row.integration
    row.round += 1
    row.recovered_at = row.settles_at = None
    session.add(row)
    return move(session, incident_id, State.OPEN, now)


def take(session: Session, incident_id: int, by: str | None) -> None:
    row = _row(session, incident_id)
    row.taken_by = by
    session.add(row)


def next_epoch(session: Session, incident_id: int) -> int:
    row = _row(session, incident_id)
    row.epoch += 1
    session.add(row)
    return row.epoch


def add_diagnosis(
    session: Session, incident_id: int, diagnosis: Diagnosis, now: datetime, by: str
) -> None:
    """Write the ranked causes down, dated, and let the incident show the leading one."""
    ruled = [asdict(out) for out in diagnosis.ruled_out]
    for rank, cause in enumerate(diagnosis.causes):
        session.add(_cause_row(incident_id, rank, cause, ruled, now, by))
    if not diagnosis.causes:
        session.add(
            CauseRow(
                incident_id=incident_id,
                at=now,
                rank=0,
                verdict=diagnosis.verdict,
                severity=diagnosis.severity or 4,
                said_by=by,
                because=diagnosis.because,
                ruled_out=ruled,
            )
        )
    _show(
        session,
        incident_id,
        diagnosis.cause,
        diagnosis.verdict,
        diagnosis.severity,
        diagnosis.because,
        planned=diagnosis.planned,
    )


def correct(
    session: Session,
    incident_id: int,
    *,
    cause: str | None,
    severity: int | None,
    by: str,
    reason: str,
    now: datetime,
) -> None:
    """A person overrules: their word is the newest row of rank 0."""
    row = _row(session, incident_id)
    session.add(
        CauseRow(
            incident_id=incident_id,
            at=now,
            rank=0,
            cause=cause or row.cause,
            verdict=Verdict.CONFIRMED if cause else row.verdict,
            severity=severity or row.severity,
            said_by=by,
            because=reason,
        )
    )
    verdict = Verdict.CONFIRMED if cause else Verdict(row.verdict)
    _show(session, incident_id, cause or row.cause, verdict, severity or row.severity, reason)


def causes(session: Session, incident_id: int) -> tuple[CauseEntry, ...]:
    """Leading causes only, oldest first."""
    rows = session.exec(
        select(CauseRow)
        .where(CauseRow.incident_id == incident_id, CauseRow.rank == 0)
        .order_by(col(CauseRow.id))
    )
    return tuple(
        CauseEntry(
            at=row.at,
            cause=row.cause,
            verdict=row.verdict,
            severity=row.severity,
            said_by=row.said_by,
            because=row.because,
            evidence=tuple(row.evidence),
            counter_evidence=tuple(row.counter_evidence),
            ruled_out=tuple(RuledOut(**out) for out in row.ruled_out),
        )
        for row in rows
    )


def note(
    session: Session,
    incident_id: int,
    text: str,
    *,
    now: datetime,
    actor: str = "watchkeeper",
    milestone: Milestone | None = None,
    occurred_at: datetime | None = None,
) -> bool:
    """Append to the timeline. A milestone that is there already is kept as it was: False."""
    if milestone is not None and _has(session, incident_id, milestone):
        return False
    row = TimelineRow(
        incident_id=incident_id,
        occurred_at=occurred_at or now,
        recorded_at=now,
        milestone=milestone,
        actor=actor,
        text=text,
    )
    if milestone is not None:
        return add_first(session, row)
    session.add(row)
    return True


def timeline(session: Session, incident_id: int) -> tuple[TimelineEntry, ...]:
    rows = session.exec(
        select(TimelineRow)
        .where(TimelineRow.incident_id == incident_id)
        .order_by(col(TimelineRow.occurred_at), col(TimelineRow.id))
    )
    return tuple(value_of(TimelineEntry, row) for row in rows)


def _has(session: Session, incident_id: int, milestone: Milestone) -> bool:
    query = select(TimelineRow.id).where(
        TimelineRow.incident_id == incident_id, TimelineRow.milestone == milestone
    )
    return session.exec(query).first() is not None


def _row(session: Session, incident_id: int) -> IncidentRow:
    # Its key stays: rows that name it are written meanwhile, and wait for nobody.
    query = select(IncidentRow).where(IncidentRow.id == incident_id)
    row = session.exec(query.with_for_update(key_share=True)).first()
    if row is None:
        raise UserError(f"there is no INC-{incident_id}: see `watchkeeper incident list`")
    return row


def _cause_row(
    incident_id: int, rank: int, cause: Cause, ruled: list[dict[str, Any]], now: datetime, by: str
) -> CauseRow:
    return CauseRow(
        incident_id=incident_id,
        at=now,
        rank=rank,
        cause=cause.cause,
        verdict=cause.verdict,
        severity=cause.severity,
        said_by=by,
        because=cause.because,
        evidence=list(cause.evidence),
        counter_evidence=list(cause.counter_evidence),
        ruled_out=[dict(r) for r in ruled],
    )


def _show(
    session: Session,
    incident_id: int,
    cause: str | None,
    verdict: Verdict,
    severity: int | None,
    summary: str,
    *,
    planned: bool = False,
) -> None:
    row = _row(session, incident_id)
    row.cause, row.verdict, row.summary = cause, verdict, summary
    row.planned = planned
    row.severity = severity or row.severity
    session.add(row)
