"""Carrying an action out as a step of its round: begun, done or failed, skipped or tried again."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session

from watchkeeper.errors import Permanent, UserError
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.plan import PlannedAction
from watchkeeper.mitigation.world import Step, StepState
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.responding import lock_name
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import approvals, incidents, locks, steps

# Of one step, in one try: after them a process that dies in it is no accident any more.
MOST_ENTRIES = 3


def begin(watch: Watch, duty: Duty, planned: PlannedAction) -> Duty | None:
    """The duty to carry it out under; None where it is done, or a person skipped it meanwhile. Raises
    Permanent where whoever was at it died again and again: it may be what kills them."""
    with watch.store.write() as session:
        duty.check(session)
        incident = incidents.get(session, duty.incident_id)
        found = _found(steps.of_round(session, incident), planned.name)
        if found is not None and found.state in (StepState.DONE, StepState.SKIPPED):
            return None
        if found is not None and found.state is StepState.BEGUN and found.entries >= MOST_ENTRIES:
            raise Permanent(f"it was begun {found.entries} times, and never came to an end")
        steps.mark(
            session, duty.incident_id, duty.round, planned.name, StepState.BEGUN, now=watch.now()
        )
    return replace(duty, tries=found.tries if found else 0)


def held_back(watch: Watch, duty: Duty, planned: PlannedAction) -> None:
    """By the kill switch, which is nobody's death: it is begun again when that is off."""
    with watch.store.write() as session:
        steps.left(session, duty.incident_id, duty.round, planned.name)


def done(watch: Watch, duty: Duty, planned: PlannedAction) -> None:
    with watch.store.write() as session:
        steps.mark(
            session, duty.incident_id, duty.round, planned.name, StepState.DONE, now=watch.now()
        )


def failed(watch: Watch, duty: Duty, planned: PlannedAction, why: str) -> None:
    """On the timeline: nothing more is done until a person says so. Where it was to call people the plan
    goes on, and so does the calling."""
    name = planned.name
    with watch.store.write() as session:
        now = watch.now()
        steps.mark(
            session, duty.incident_id, duty.round, name, StepState.FAILED, now=now, because=why
        )
        so = "" if planned.calls_people else ", and automation stops"
        text = f"{name} failed{so}: {why}"
        incidents.note(session, duty.incident_id, text, now=now)


def check_name(watched: Watched, name: str) -> None:
    """Raises UserError for what is no mitigation of the integration, or none that anything does."""
    known = {m.name for m in watched.runbook.performed}
    if name in known:
        return
    if name in {m.name for m in watched.runbook.mitigations}:
        raise UserError(f"{name!r} is not available yet: nothing carries it out in this version")
    raise UserError(f"{name!r} is no mitigation of {watched.name}: {', '.join(sorted(known))}")


def want(watch: Watch, incident: Incident, name: str, by: str, reason: str) -> None:
    """A person asks for a mitigation by name, whatever the cause calls for. Raises UserError where
    the harm is over. What is done or under way already is not begun again by this."""
    if incident.has_reached(State.RESOLVED):
        raise UserError(f"INC-{incident.id} is {incident.state}: there is no harm left to stop")
    check_name(watch.integration(incident.integration), name)
    with watch.store.write() as session:
        found = _found(steps.of_round(session, incident), name)
        if found is not None and found.state in (StepState.BEGUN, StepState.DONE):
            return
        now = watch.now()
        steps.mark(
            session,
            incident.id,
            incident.round,
            name,
            StepState.WANTED,
            now=now,
            by=by,
            because=reason,
        )
        incidents.note(session, incident.id, f"asks for {name}: {reason}", now=now, actor=by)


def skip(watch: Watch, incident: Incident, name: str, by: str, reason: str) -> None:
    """A person has it left out of this round; what was begun of it stays as it is."""
    with watch.store.write() as session:
        now = watch.now()
        steps.mark(
            session,
            incident.id,
            incident.round,
            name,
            StepState.SKIPPED,
            now=now,
            by=by,
            because=reason,
        )
        incidents.note(session, incident.id, f"skips {name}: {reason}", now=now, actor=by)
        _no_longer_asked(session, watch, incident, name)
        _plan_again(session, watch, incident)


def retry(watch: Watch, incident: Incident, name: str, by: str, reason: str) -> None:
    """The next responder does it anew, its effects as well. Raises UserError where it was never begun
    in this round, or the harm is over."""
    if incident.has_reached(State.RESOLVED):
        raise UserError(f"INC-{incident.id} is {incident.state}: there is no harm left to stop")
    with watch.store.write() as session:
        found = steps.of_round(session, incident)
        if _found(found, name) is None:
            begun = ", ".join(step.name for step in found) or "none"
            raise UserError(
                f"INC-{incident.id} has not begun {name!r} in this round; begun or skipped: {begun}"
            )
        steps.again(session, incident, name, by, reason, watch.now())
        incidents.note(
            session, incident.id, f"tries {name} again: {reason}", now=watch.now(), actor=by
        )
        _no_longer_asked(session, watch, incident, name)
        _plan_again(session, watch, incident)


def plan_again(watch: Watch, incident: Incident) -> None:
    """A plan that was left standing is to be carried out: back to where plans are made."""
    with watch.store.write() as session:
        _plan_again(session, watch, incident)


def _plan_again(session: Session, watch: Watch, incident: Incident) -> None:
    """Whoever watches for recovery is fenced off: the next responder begins at the plan. A run that
    waits for an answer is let go on."""
    if incident.state is State.MITIGATED:
        locks.revoke(session, lock_name(incident.id), watch.now())
        incidents.move(session, incident.id, State.TRIAGED, watch.now())


def _no_longer_asked(session: Session, watch: Watch, incident: Incident, name: str) -> None:
    """What was asked about with this action in it is another plan now."""
    for question in approvals.unanswered(session, incident.id):
        if name in question.actions:
            approvals.supersede(session, question.id, watch.now())


def _found(found: tuple[Step, ...], name: str) -> Step | None:
    return next((step for step in found if step.name == name), None)
