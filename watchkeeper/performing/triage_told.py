"""Putting beside a triage what our record knows: the open incident and the endpoints' last looks."""

from __future__ import annotations

from watchkeeper.latency_picture import MOST_LOOKS
from watchkeeper.performing.standing import next_step
from watchkeeper.performing.triaging import Triage
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import approvals, incidents, latencies
from watchkeeper.told import Told


def told_of(watch: Watch, watched: Watched, found: Triage) -> Told:
    """Writes nothing."""
    evidence = found.evidence
    probes = [reading.probe for reading in evidence.endpoints]
    with watch.store.read() as session:
        incident = incidents.current(session, watched.name)
        question = None
        if incident is not None:
            waiting = approvals.unanswered(session, incident.id)
            question = next_step(session, watch, incident, waiting) if waiting else None
        past = latencies.last_looks(
            session, watched.name, probes, before=evidence.at, at_most=MOST_LOOKS - 1
        )
    return Told(
        runbook=watched.runbook,
        evidence=evidence,
        diagnosis=found.diagnosis,
        incident=incident,
        question=question,
        past=past,
    )
