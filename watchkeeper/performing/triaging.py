"""Looking closely and saying what it means. Writes nothing unless it is told an incident."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.diagnosis import Diagnosis, diagnose
from watchkeeper.evidence import Evidence
from watchkeeper.incident import Incident, Milestone, State
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.probing import look
from watchkeeper.performing.responding import begin_again
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import incidents, observations
from watchkeeper.store.observations import Purpose


@dataclass(frozen=True, slots=True)
class Triage:
    """One close look and its diagnosis."""

    evidence: Evidence
    diagnosis: Diagnosis


async def triage(watch: Watch, watched: Watched, *, also: tuple[str, ...] = ()) -> Triage:
    """Read-only, but for the probes in `also`, which cost. Needs neither an incident nor Prefect."""
    evidence = await look(watch, watched, closely=True, also=also)
    return Triage(evidence, diagnose(evidence, watched.runbook))


def words(found: Triage, incident: Incident) -> str:
    """The verdict for the timeline, and what becomes of the cause the incident has."""
    said = f"{found.diagnosis.verdict}: {found.diagnosis.because}"
    if found.diagnosis.causes or incident.cause is None:
        return said
    return f"{said}; the cause stays {incident.cause} ({incident.verdict})"


def record_triage(watch: Watch, incident: Incident, found: Triage) -> Incident:
    """Write the evidence and the ranked causes down; an open incident becomes triaged.

    A look that explains nothing takes no cause away: the incident keeps the one it was opened with.
    """
    now = watch.now()
    with watch.store.write() as session:
        observations.keep(session, found.evidence, incident.id, Purpose.TRIAGE)
        if found.diagnosis.causes or incident.cause is None:
            incidents.add_diagnosis(session, incident.id, found.diagnosis, now, "watchkeeper")
        text = words(found, incident)
        if incident.state is State.OPEN:
            began = found.evidence.at
            incidents.note(session, incident.id, "triage started", now=now, occurred_at=began)
        if not incidents.note(session, incident.id, text, now=now, milestone=Milestone.DIAGNOSED):
            incidents.note(session, incident.id, f"diagnosed anew: {text}", now=now)
        if incident.state is State.OPEN:
            incidents.move(session, incident.id, State.TRIAGED, now)
        return incidents.get(session, incident.id)


def reconsider(watch: Watch, duty: Duty, incident: Incident, found: Triage) -> Incident:
    """Begin again where the evidence now names a cause that the plan was not made for."""
    if found.diagnosis.cause in (None, incident.cause):
        return incident
    with watch.store.write() as session:
        duty.check(session)
        now = watch.now()
        text = f"not {incident.cause} any more: {found.diagnosis.cause}, so it begins again"
        incidents.note(session, incident.id, text, now=now)
        return begin_again(session, incident.id, now)
