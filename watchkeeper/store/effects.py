"""The effects ledger: what was planned, what was sent, what is known to have happened."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlmodel import Session, col, select

from watchkeeper.effects import REGISTRY, Effect, EffectState
from watchkeeper.incident import Incident
from watchkeeper.report import EffectEntry
from watchkeeper.store.tables import EffectRow, IncidentRow


def state_of(session: Session, effect: Effect) -> EffectState:
    row = _row(session, effect)
    return EffectState.PLANNED if row is None else EffectState(row.state)


def known_state_of(session: Session, effect: Effect) -> EffectState | None:
    """None where it was never written down."""
    row = _row(session, effect)
    return None if row is None else EffectState(row.state)


def planned(session: Session, effect: Effect, fence: int, now: datetime) -> None:
    """Written down before it is begun; one that is there already stays as it is, but for one that
    was rejected: it may be tried again."""
    row = _row(session, effect)
    if row is None:
        session.add(_planned(effect, fence, now))
    elif row.state == EffectState.REJECTED:
        row.state = EffectState.PLANNED
        session.add(row)
    session.flush()


def sending(session: Session, effect: Effect, fence: int, now: datetime) -> None:
    """Written and committed before the call, so that a death in it leaves a trace."""
    row = _row(session, effect) or _planned(effect, fence, now)
    row.state, row.sent_at, row.fence = EffectState.SENDING, now, fence
    row.attempts += 1
    session.add(row)
    session.flush()


def settle(
    session: Session, effect: Effect, state: EffectState, outcome: str, fence: int, now: datetime
) -> None:
    row = _row(session, effect) or _planned(effect, fence, now)
    row.state, row.outcome, row.settled_at, row.fence = state, outcome[:500], now, fence
    session.add(row)
    session.flush()


def unsettled(session: Session, incident_id: int) -> list[tuple[str, str, EffectState]]:
    """(step, target, state) of every effect whose outcome is not final."""
    rows = session.exec(select(EffectRow).where(EffectRow.incident_id == incident_id))
    return [
        (row.step, row.target, EffectState(row.state))
        for row in rows
        if not EffectState(row.state).settled
    ]


def end_all(
    session: Session,
    incident_id: int,
    step: str,
    target: str,
    state: EffectState,
    outcome: str,
    now: datetime,
    *,
    also: bool = False,
) -> None:
    """Give every effect of that step and target an end, in whatever round it was begun. `also`: of
    every target that begins so."""
    named = col(EffectRow.target)
    meant = named.startswith(target, autoescape=True) if also else named == target
    rows = session.exec(
        select(EffectRow)
        .where(EffectRow.incident_id == incident_id, EffectRow.step == step)
        .where(meant)
        .with_for_update()
    )
    for row in rows:
        if not EffectState(row.state).settled and row.state != EffectState.REJECTED:
            row.state, row.outcome, row.settled_at = state, outcome[:500], now
            session.add(row)


def entries(session: Session, incident_id: int) -> tuple[EffectEntry, ...]:
    rows = session.exec(
        select(EffectRow).where(EffectRow.incident_id == incident_id).order_by(col(EffectRow.id))
    )
    return tuple(
        EffectEntry(
            says=REGISTRY[row.step].said(row.target),
            state=row.state,
            outcome=row.outcome,
            at=row.settled_at,
        )
        for row in rows
    )


def begun_targets(session: Session, incident: Incident, step: str) -> tuple[str, ...]:
    """The targets on which a step of this round was begun, neither rejected nor set aside since."""
    rows = session.exec(
        select(EffectRow)
        .where(EffectRow.incident_id == incident.id, EffectRow.round == incident.round)
        .where(EffectRow.step == step)
    )
    over = (EffectState.REJECTED, EffectState.ESCALATED)
    return tuple(row.target for row in rows if row.state not in over)


def others_since(
    session: Session,
    step: str,
    target: str,
    since: datetime,
    incident: Incident,
    among: Collection[str],
) -> int:
    """How often a step was done on targets that begin so, outside this round and for incidents of
    these integrations: what a cap counts. A target's name says nothing across integrations."""
    rows = session.exec(
        select(EffectRow)
        .join(IncidentRow, col(IncidentRow.id) == col(EffectRow.incident_id))
        .where(col(IncidentRow.integration).in_(among))
        .where(EffectRow.step == step)
        .where(col(EffectRow.target).startswith(target, autoescape=True))
        .where(col(EffectRow.settled_at) >= since)
    )
    ours = (incident.id, incident.round)
    return sum(
        1
        for row in rows
        if row.state != EffectState.REJECTED and (row.incident_id, row.round) != ours
    )


def _row(session: Session, effect: Effect) -> EffectRow | None:
    return session.exec(
        select(EffectRow)
        .where(EffectRow.incident_id == effect.incident_id)
        .where(EffectRow.round == effect.round)
        .where(EffectRow.step == effect.kind.step)
        .where(EffectRow.target == effect.target)
        .with_for_update()
    ).first()


def _planned(effect: Effect, fence: int, now: datetime) -> EffectRow:
    return EffectRow(
        incident_id=effect.incident_id,
        round=effect.round,
        step=effect.kind.step,
        target=effect.target,
        promise=effect.kind.promise,
        dedup_key=effect.dedup_key,
        state=EffectState.PLANNED,
        fence=fence,
        planned_at=now,
    )
