"""What people are shown beside a plan, and the command that asks an expired question again."""

from __future__ import annotations

import logging

from watchkeeper.credentials.references import is_far
from watchkeeper.errors import WatchkeeperError
from watchkeeper.incident import Incident, State
from watchkeeper.performing.connectors import keys_of
from watchkeeper.performing.watch import Watch
from watchkeeper.plan_text import Asking, question_text
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import incidents
from watchkeeper.store.approvals import EXPIRED, Approval

logger = logging.getLogger(__name__)


def build_question_text(watch: Watch, question: Approval) -> str:
    with watch.store.read() as session:
        incident = incidents.get(session, question.incident_id)
        said = incidents.causes(session, incident.id)
    watched = watch.integration(incident.integration)
    because = said[-1].because if said else incident.summary
    rotates = needs_key(watched, question.actions)
    asking = Asking(
        plan=question.plan_text,
        until=question.expires_at,
        evidence=f"{incident.cause or 'no cause'} ({incident.verdict}): {because}",
        key=offered_key(watch, watched) if rotates else None,
        offer=f"watchkeeper key offer {watched.name}" if rotates else None,
    )
    return question_text(asking, watch.now())


def needs_key(watched: Watched, names: tuple[str, ...]) -> bool:
    """Whether one of these mitigations waits for a key that a person offers."""
    known = {m.name: m.action for m in watched.runbook.mitigations}
    return any(known.get(name) == "rotate_key" for name in names)


def offered_key(watch: Watch, watched: Watched) -> str | None:
    """Fingerprint of the key that was offered and is not current yet; None where none was, or the store
    cannot be read."""
    try:
        pending = keys_of(watch, watched).read("pending")
    except (WatchkeeperError, OSError):
        logger.exception("the offered key of %s cannot be read", watched.name)
        return None
    return None if pending is None else pending.fingerprint


def first_command(watch: Watch, watched: Watched, question: Approval) -> str | None:
    """What must be done before a yes; None where nothing must. A store beyond the network is not asked
    for this: there the question's own word stands."""
    if not needs_key(watched, question.actions):
        return None
    if not is_far(watched.integration.credential.reference):
        return None if offered_key(watch, watched) else f"watchkeeper key offer {watched.name}"
    return f"watchkeeper key offer {watched.name}" if question.needs else None


def ask_again(watch: Watch, incident: Incident, question: Approval | None) -> str | None:
    """The command that carries out a plan whose question ran out; None where none did, or the harm is
    over."""
    if question is None or question.decision != EXPIRED or incident.has_reached(State.RESOLVED):
        return None
    again = f"watchkeeper mitigate {incident.integration} --apply"
    first = first_command(watch, watch.integration(incident.integration), question)
    return f"{first} && {again}" if first else again
