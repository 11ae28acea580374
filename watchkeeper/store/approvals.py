"""Questions to people about one plan each, answered once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from watchkeeper.errors import UserError
from watchkeeper.mitigation import Plan
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import ApprovalRow

APPROVE, DENY, EXPIRED = "approve", "deny", "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A plan that waits for a yes or has its answer."""

    id: int
    incident_id: int
    plan_hash: str
    plan_text: str
    needs: tuple[str, ...]
    flow_run_id: str | None
    requested_at: datetime
    expires_at: datetime
    decision: str | None
    decided_by: str | None
    reason: str | None
    decided_at: datetime | None

    @property
    def open(self) -> bool:
        return self.decision is None


def ask(
    session: Session, plan: Plan, text: str, needs: tuple[str, ...], now: datetime, ttl: timedelta
) -> Approval:
    """Ask about this very plan; asking again is the same question while it is unanswered."""
    row = _row(session, plan.incident_id, plan.hash)
    if row is None:
        row = ApprovalRow(
            incident_id=plan.incident_id,
            plan_hash=plan.hash,
            plan_text=text,
            requested_at=now,
            expires_at=now + ttl,
        )
    row.plan_text, row.needs = text, list(needs)
    session.add(row)
    session.flush()
    return value_of(Approval, row)


def waits_in(session: Session, approval_id: int, flow_run_id: str) -> None:
    """Remember which suspended run an answer wakes."""
    row = session.get(ApprovalRow, approval_id)
    if row is not None:
        row.flow_run_id = flow_run_id
        session.add(row)


def answer(
    session: Session, incident_id: int, decision: str, *, by: str, reason: str, now: datetime
) -> Approval:
    """Write the answer down, once. Raises UserError where there is nothing to answer."""
    row = session.exec(
        select(ApprovalRow)
        .where(ApprovalRow.incident_id == incident_id)
        .order_by(col(ApprovalRow.id).desc())
        .limit(1)
        .with_for_update()
    ).first()
    if row is None:
        raise UserError(f"INC-{incident_id} asks for no approval: see `watchkeeper status`")
    if row.decision is not None:
        raise UserError(
            f"INC-{incident_id} was answered already: {row.decision} by {row.decided_by}"
        )
    if row.expires_at <= now:
        raise UserError(
            f"the question of INC-{incident_id} ran out at {row.expires_at:%H:%M:%S}Z: "
            "it counts as denied; the plan is asked anew while the incident lasts"
        )
    return _decide(session, row, decision, by, reason, now)


def expire(session: Session, now: datetime) -> list[Approval]:
    """Unanswered past its time: denied by nobody."""
    rows = session.exec(
        select(ApprovalRow)
        .where(col(ApprovalRow.decision).is_(None))
        .where(col(ApprovalRow.expires_at) <= now)
    ).all()
    return [_decide(session, row, EXPIRED, "nobody", "no answer in time", now) for row in rows]


def of_plan(session: Session, plan: Plan) -> Approval | None:
    row = _row(session, plan.incident_id, plan.hash)
    return None if row is None else value_of(Approval, row)


def latest(session: Session, incident_id: int) -> Approval | None:
    row = session.exec(
        select(ApprovalRow)
        .where(ApprovalRow.incident_id == incident_id)
        .order_by(col(ApprovalRow.id).desc())
        .limit(1)
    ).first()
    return None if row is None else value_of(Approval, row)


def _decide(
    session: Session, row: ApprovalRow, decision: str, by: str, reason: str, now: datetime
) -> Approval:
    row.decision, row.decided_by, row.reason, row.decided_at = decision, by, reason, now
    session.add(row)
    session.flush()
    return value_of(Approval, row)


def _row(session: Session, incident_id: int, plan_hash: str) -> ApprovalRow | None:
    return session.exec(
        select(ApprovalRow)
        .where(ApprovalRow.incident_id == incident_id, ApprovalRow.plan_hash == plan_hash)
        .with_for_update()
    ).first()
