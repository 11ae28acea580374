"""Planning against the world as it is now, and asking people about what they must allow."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session

from watchkeeper.effects import KEY_PROMOTE
from watchkeeper.incident import Incident, Milestone, State
from watchkeeper.mitigation import Plan, World, plan
from watchkeeper.performing.watch import Watch
from watchkeeper.plan_text import needs, plan_text
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import approvals, effects, incidents, jobs, leases
from watchkeeper.store.approvals import Approval


def make_plan(
    watch: Watch, watched: Watched, incident: Incident, only: frozenset[str] | None = None
) -> Plan:
    """The runbook's row for the incident's cause, bound to what is there now.

    While a person has taken over, only what is asked for by name is planned.
    """
    sharing = watch.on_same_key(watched)
    with watch.store.read() as session:
        world = _world(session, watch, watched, incident, sharing)
    made = plan(incident, incident.cause or "", watched, world)
    if only is not None:
        return made.only(only)
    return made if incident.taken_by is None else made.left_to(incident.taken_by)


def _world(
    session: Session,
    watch: Watch,
    watched: Watched,
    incident: Incident,
    sharing: tuple[str, ...],
) -> World:
    """A rotation of this very round is not counted against its own cap: it may be entered again."""
    key = watched.integration.credential.name
    since = watch.now() - timedelta(days=1)
    promoted = effects.others_since(session, KEY_PROMOTE.step, f"{key}:", since, incident, sharing)
    return World(
        jobs=jobs.listed(session, watched.name),
        leases=leases.active(session, incident.id),
        rotations_today=promoted,
    )


def ask(watch: Watch, watched: Watched, waiting: Plan) -> Approval:
    """One question about everything in the plan that does not act by itself."""
    ttl = watched.runbook.caps.approval_timeout
    with watch.store.write() as session:
        before = approvals.of_plan(session, waiting)
        question = approvals.ask(
            session, waiting, plan_text(waiting), needs(waiting), watch.now(), ttl
        )
        if before is None:
            names = ", ".join(a.name for a in waiting.actions)
            incidents.note(
                session, waiting.incident_id, f"asks for approval: {names}", now=watch.now()
            )
    return question


def record_answer(
    watch: Watch, incident: Incident, decision: str, by: str, reason: str
) -> Approval:
    """A person's word, written once, on the timeline."""
    with watch.store.write() as session:
        answered = approvals.answer(
            session, incident.id, decision, by=by, reason=reason, now=watch.now()
        )
        text = f"plan {answered.plan_hash}: {decision}{f', {reason}' if reason else ''}"
        incidents.note(session, incident.id, text, now=watch.now(), actor=by)
    return answered


def mitigated(watch: Watch, incident: Incident, said: str) -> Incident:
    """The harm is stopped as far as the plan goes: on to watching for recovery."""
    with watch.store.write() as session:
        now = watch.now()
        incidents.note(session, incident.id, said, now=now, milestone=Milestone.MITIGATED)
        return incidents.move(session, incident.id, State.MITIGATED, now)
