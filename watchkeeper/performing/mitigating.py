"""Planning against the world as it is now, and asking people about what they must allow."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from watchkeeper.errors import UserError
from watchkeeper.incident import Incident, Milestone, State
from watchkeeper.mitigation.plan import Plan
from watchkeeper.mitigation.planning import plan, rows_for
from watchkeeper.mitigation.world import Step, StepState
from watchkeeper.people import Account, Distinct, name_of
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.surveying import survey
from watchkeeper.performing.watch import Watch
from watchkeeper.plan_text import asked_text, needs
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import approvals, incidents, steps
from watchkeeper.store.approvals import Approval

# A proposal that nothing waits for stands as long as its incident: an end that never comes first.
WHILE_IT_LASTS = timedelta(days=365)


async def make_plan(watch: Watch, watched: Watched, incident: Incident) -> Plan:
    """The runbook's row for the incident's cause, and what people asked for by name, bound to what
    is there now. While a person has taken over, only the latter."""
    cause = incident.cause or ""
    with watch.store.read() as session:
        begun = steps.of_round(session, incident)
    world = await survey(watch, watched, incident, rows_for(watched, cause, begun))
    made = plan(incident, cause, watched, world)
    return made if incident.taken_by is None else made.left_to(incident.taken_by)


async def plan_of(
    watch: Watch, watched: Watched, incident: Incident, names: frozenset[str]
) -> Plan:
    """What these mitigations would do now, whatever the cause: a person asks for them by name."""
    rows = tuple(m for m in watched.runbook.performed if m.name in names)
    world = await survey(watch, watched, incident, rows)
    fresh = names - {step.name for step in world.steps}
    asked = tuple(Step(name, StepState.WANTED) for name in sorted(fresh))
    world = replace(world, steps=(*world.steps, *asked))
    return plan(incident, incident.cause or "", watched, world, rows)


def ask(watch: Watch, watched: Watched, waiting: Plan, *, anew: bool = False) -> Approval:
    """One question about everything in the plan that does not act by itself. `anew`: although it was
    denied, or ran out: a person asks for it."""
    ttl = watched.runbook.caps.approval_timeout if waiting.waits else WHILE_IT_LASTS
    with watch.store.write() as session:
        before = approvals.of_plan(session, waiting)
        question = approvals.ask(
            session, waiting, asked_text(waiting), needs(waiting), watch.now(), ttl, anew=anew
        )
        if before is None or (question.open and not before.open):
            names = ", ".join(a.name for a in waiting.actions)
            said = f"asks for approval: {names}" if waiting.waits else f"proposes: {names}"
            said = f"{said} (plan {waiting.hash})"
            incidents.note(session, waiting.incident_id, said, now=watch.now())
    return question


def record_answer(
    watch: Watch,
    incident: Incident,
    decision: str,
    by: str,
    reason: str,
    plan_hash: str | None = None,
    account: Account | None = None,
    at: datetime | None = None,
) -> Approval:
    """A person's word, written once, on the timeline, and the account that it came from beside it.
    Where two people are wanted, the first yes leaves the question open. `at`: when it was given, where
    that was before now."""
    two_accounts = watch.integration(incident.integration).runbook.caps.approvers == "accounts"
    with watch.store.write() as session:
        answered = approvals.answer(
            session,
            incident.id,
            decision,
            by=by,
            reason=reason,
            now=at or watch.now(),
            plan_hash=plan_hash,
            account=account,
            two_accounts=two_accounts,
        )
        more = f" ({answered.missing} more wanted)" if answered.open else ""
        if answered.distinct is Distinct.BY_NAME_ONLY:
            more += " (two people by their names only: one account could have typed both)"
        text = f"plan {answered.plan_hash}: {decision}{more}{f', {reason}' if reason else ''}"
        now, who = watch.now(), name_of(by)
        incidents.note(session, incident.id, text, now=now, actor=who, occurred_at=at)
    return answered


async def still_the_plan(watch: Watch, watched: Watched, question: Approval) -> None:
    """Raises UserError where the world has changed since: the plan that was read is no longer what
    would be done. What it is now is asked about, in the same words as by a responder."""
    with watch.store.read() as session:
        incident = incidents.get(session, question.incident_id)
    made = await plan_of(watch, watched, incident, frozenset(question.actions))
    asked = made.asked
    if asked.hash == question.plan_hash:
        return
    with watch.store.write() as session:
        approvals.supersede(session, question.id, watch.now())
    told = list(made.refused)
    if asked.actions:
        ask(watch, watched, asked)
        told.append(f"it is now plan {asked.hash}")
    raise UserError(
        f"the world has changed since plan {question.plan_hash} was shown, and it was not approved: "
        f"{'; '.join(told) or 'nothing of it is left to allow'}. "
        f"Read it again: watchkeeper mitigate {watched.name}"
    )


def withdraw_questions(watch: Watch, incident: Incident, because: str) -> bool:
    """Nobody need answer any more. False where nothing was asked."""
    with watch.store.write() as session:
        waiting = approvals.unanswered(session, incident.id)
        for question in waiting:
            approvals.withdraw(session, question.id, because, watch.now())
        if waiting:
            text = f"no answer is needed any more: {because}"
            incidents.note(session, incident.id, text, now=watch.now())
    return bool(waiting)


def mitigated(watch: Watch, duty: Duty, incident: Incident, said: str) -> Incident:
    """The harm is stopped as far as the plan goes: on to watching for recovery."""
    with watch.store.write() as session:
        duty.check(session)
        now = watch.now()
        incidents.note(session, incident.id, said, now=now, milestone=Milestone.MITIGATED)
        return incidents.move(session, incident.id, State.MITIGATED, now)
