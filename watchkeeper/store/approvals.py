"""Questions to people about one plan each, answered once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from watchkeeper import terms
from watchkeeper.errors import UserError
from watchkeeper.mitigation.plan import Plan
from watchkeeper.people import Account, Distinct, distinct, name_of, same_account, same_name
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import ApprovalRow

APPROVE, DENY, EXPIRED = "approve", "deny", "expired"
# Not a person's no: the same plan may be asked about again.
SUPERSEDED, WITHDRAWN = "superseded", "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A plan that waits for a yes or has its answer. `wanted`: how many people must say yes.
    `waits`: the response waits for it; else it is a proposal, which stands while the incident
    lasts."""

    id: int
    incident_id: int
    plan_hash: str
    plan_text: str
    actions: tuple[str, ...]
    needs: tuple[str, ...]
    wanted: int
    waits: bool
    votes: tuple[dict[str, str], ...]
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

    @property
    def form(self) -> str:
        """Names the forms in which it is asked: another one each time that it is asked anew."""
        return f"plan-{self.plan_hash}-{int(self.requested_at.timestamp())}"

    @property
    def missing(self) -> int:
        """How many yeses are still wanted."""
        return max(self.wanted - len(self.votes), 0)

    @property
    def distinct(self) -> Distinct | None:
        """How those who said yes are told apart; None of fewer than two."""
        return distinct([vote for vote in self.votes if vote["decision"] == APPROVE])


def ask(
    session: Session,
    plan: Plan,
    text: str,
    needs: tuple[str, ...],
    now: datetime,
    ttl: timedelta,
    *,
    anew: bool = False,
) -> Approval:
    """Ask about this very plan; asking again is the same question while it is unanswered. `anew`: what
    was denied, or ran out, is asked again, too."""
    row = _row(session, plan.incident_id, plan.hash)
    over = (SUPERSEDED, WITHDRAWN, DENY, EXPIRED) if anew else (SUPERSEDED, WITHDRAWN)
    if row is None or row.decision in over:
        row = row or ApprovalRow(
            incident_id=plan.incident_id,
            plan_hash=plan.hash,
            plan_text=text,
            requested_at=now,
            expires_at=now,
        )
        row.requested_at, row.expires_at, row.votes = now, now + ttl, []
        row.term_s = ttl.total_seconds()
        row.decision = row.decided_by = row.reason = row.decided_at = row.flow_run_id = None
    if row.waits != plan.waits and row.decision is None:
        row.expires_at, row.term_s = now + ttl, ttl.total_seconds()
    row.plan_text, row.needs, row.waits = text, list(needs), plan.waits
    row.actions, row.wanted = [action.name for action in plan.actions], max(plan.approvals, 1)
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
    session: Session,
    incident_id: int,
    decision: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    plan_hash: str | None = None,
    account: Account | None = None,
    two_accounts: bool = False,
) -> Approval:
    """Write one person's answer down, once, with the account that it came from. One no is enough; a
    yes decides with the last that is wanted. `two_accounts`: two names of one account are one person.

    Raises UserError where there is nothing to answer, or another plan than was meant.
    """
    row, by = _meant(session, incident_id, plan_hash), name_of(by)
    vote = {"by": by, "decision": decision, "reason": reason, "at": _z(now)}
    vote |= account.fields() if account is not None else {}
    _check(row, incident_id, decision, by, now)
    if decision == APPROVE and two_accounts and row.wanted > 1:
        _check_account(row, incident_id, vote)
    row.votes = [*row.votes, vote]
    if decision == APPROVE and len(row.votes) < row.wanted:
        session.add(row)
        session.flush()
        return value_of(Approval, row)
    names = ", ".join(vote["by"] for vote in row.votes) if decision == APPROVE else by
    return _decide(session, row, decision, names, reason, now)


def _meant(session: Session, incident_id: int, plan_hash: str | None) -> ApprovalRow:
    """The plan named by its first characters; else the one open question, or the latest of all."""
    rows = _asked(session, incident_id)
    if not rows:
        raise UserError(f"INC-{incident_id} asks for no approval: see `watchkeeper status`")
    unanswered = [row for row in rows if row.decision is None]
    if plan_hash is not None:
        named = [row for row in rows if row.plan_hash.startswith(plan_hash.lower())]
        if len(named) != 1:
            known = ", ".join(row.plan_hash for row in unanswered) or "none"
            raise UserError(f"INC-{incident_id} does not ask about plan {plan_hash}; open: {known}")
        return named[0]
    if len(unanswered) > 1:
        known = ", ".join(row.plan_hash for row in unanswered)
        raise UserError(f"INC-{incident_id} asks about {known}: name the one that you mean, --plan")
    return unanswered[0] if unanswered else rows[0]


def _check(row: ApprovalRow, incident_id: int, decision: str, by: str, now: datetime) -> None:
    """Whoever said yes may still say no, but not yes once more."""
    if row.decision == SUPERSEDED:
        raise UserError(f"INC-{incident_id}: the world has changed since that plan was shown")
    if row.decision is not None:
        raise UserError(
            f"INC-{incident_id} was answered already: {row.decision} by {row.decided_by}"
        )
    if row.expires_at <= now:
        raise UserError(
            f"the question of INC-{incident_id} ran out at {row.expires_at:%H:%M:%S}Z: "
            "it counts as denied; to have it done all the same: watchkeeper mitigate ... --apply"
        )
    if decision == APPROVE and any(same_name(v["by"], by) for v in row.votes):
        raise UserError(
            f"{by} has answered INC-{incident_id} already: another person's yes is wanted"
        )


def _check_account(row: ApprovalRow, incident_id: int, vote: dict[str, str]) -> None:
    if "uid" not in vote:
        raise UserError(
            f"INC-{incident_id} wants the yes of two accounts, and a form knows none: "
            f"watchkeeper approve INC-{incident_id}"
        )
    if any(same_account(said, vote) for said in row.votes):
        raise UserError(
            f"the account {vote.get('login')}@{vote.get('host')} has answered INC-{incident_id} "
            "already: a yes from another account is wanted"
        )


def supersede(session: Session, approval_id: int, now: datetime) -> None:
    """The plan that was asked about is not what would be done any more."""
    _end(session, approval_id, SUPERSEDED, "the world has changed", now)


def withdraw(session: Session, approval_id: int, because: str, now: datetime) -> None:
    _end(session, approval_id, WITHDRAWN, because, now)


def _end(session: Session, approval_id: int, decision: str, because: str, now: datetime) -> None:
    row = session.get(ApprovalRow, approval_id)
    if row is not None and row.decision is None:
        _decide(session, row, decision, "nobody", because, now)


def overdue(session: Session, now: datetime) -> list[Approval]:
    """Unanswered past their time."""
    rows = session.exec(
        select(ApprovalRow)
        .where(col(ApprovalRow.decision).is_(None))
        .where(col(ApprovalRow.expires_at) <= now)
    )
    return [value_of(Approval, row) for row in rows]


def expire(session: Session, approval_id: int, now: datetime) -> Approval | None:
    """It counts as denied; None where it was answered meanwhile, or still has time."""
    row = session.get(ApprovalRow, approval_id, with_for_update=True)
    if row is None or row.decision is not None or row.expires_at > now:
        return None
    return _decide(session, row, EXPIRED, "nobody", "no answer in time", now)


def redate(session: Session, now: datetime) -> tuple[Approval, ...]:
    """Open questions that a clock that has been set back since would keep open for too long: each
    runs out a term from now instead."""
    asked = session.exec(select(ApprovalRow).where(col(ApprovalRow.decision).is_(None))).all()
    rows = [row for row in asked if terms.void(row.expires_at, terms.seconds(row.term_s), now)]
    for row in rows:
        row.expires_at = now + timedelta(seconds=row.term_s or 0)
        session.add(row)
    return tuple(value_of(Approval, row) for row in rows)


def of_plan(session: Session, plan: Plan) -> Approval | None:
    row = _row(session, plan.incident_id, plan.hash)
    return None if row is None else value_of(Approval, row)


def latest(session: Session, incident_id: int) -> Approval | None:
    row = _latest(session, incident_id)
    return None if row is None else value_of(Approval, row)


def unanswered(session: Session, incident_id: int) -> tuple[Approval, ...]:
    """What is asked or proposed and not answered yet, the newest first."""
    rows = _asked(session, incident_id)
    return tuple(value_of(Approval, row) for row in rows if row.decision is None)


def waited_for(session: Session, incident_id: int) -> Approval | None:
    """The question that a suspended run waits in, or waited in last."""
    rows = [row for row in _asked(session, incident_id) if row.flow_run_id is not None]
    return value_of(Approval, rows[0]) if rows else None


def meant(session: Session, incident_id: int, plan_hash: str | None) -> Approval:
    """The question that an answer would be to. Raises UserError where it is not clear which."""
    return value_of(Approval, _meant(session, incident_id, plan_hash))


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


def _latest(session: Session, incident_id: int) -> ApprovalRow | None:
    """What was asked last; one that was asked anew counts from then."""
    return next(iter(_asked(session, incident_id)), None)


def _asked(session: Session, incident_id: int) -> list[ApprovalRow]:
    return list(
        session.exec(
            select(ApprovalRow)
            .where(ApprovalRow.incident_id == incident_id)
            .order_by(col(ApprovalRow.requested_at).desc(), col(ApprovalRow.id).desc())
            .with_for_update()
        )
    )


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
