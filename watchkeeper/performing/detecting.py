"""From a first failure to one open incident: confirm, open or join, know what may be missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session

from watchkeeper.diagnosis import Diagnosis, diagnose
from watchkeeper.evidence import Evidence
from watchkeeper.gaps import walk_since
from watchkeeper.heartbeat import Part, Result
from watchkeeper.incident import Incident, Milestone, State
from watchkeeper.performing.opening import open_or_join
from watchkeeper.performing.probing import look
from watchkeeper.performing.responding import begin_again
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import approvals, gaps, heartbeats, incidents, observations, watermarks
from watchkeeper.store.observations import Purpose
from watchkeeper.verification import unproven

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Check:
    """One health check: its last telling evidence, what it says, and when failure was first seen."""

    watched: Watched
    evidence: Evidence
    diagnosis: Diagnosis
    first_failure_at: datetime | None
    looks: int
    bad_looks: int

    @property
    def healthy(self) -> bool:
        """Fewer bad looks than the runbook needs: a single failed probe wakes nobody."""
        needed = min(self.watched.runbook.detection.needed, self.looks)
        return self.diagnosis.healthy or self.bad_looks < needed

    def says(self) -> str:
        return f"{self.bad_looks} of {self.looks} looks failed: {self.diagnosis.because}"


async def check(watch: Watch, watched: Watched, sleep: Sleep = asyncio.sleep) -> Check:
    """One look, and on a first failure the runbook's confirming ones, spread over its seconds.

    A failure that an open incident is being seen to needs no confirming: the vendor may have
    enough to bear. One that looks graver does, or a single look would begin it all anew.
    """
    rule = watched.runbook.detection
    evidence = await look(watch, watched)
    diagnosis = diagnose(evidence, watched.runbook)
    first = None if diagnosis.healthy else evidence.at
    _keep(watch, evidence, Purpose.HEALTH)
    looks, bad = 1, 0 if diagnosis.healthy else 1
    pause_s = rule.confirm_within.total_seconds() / rule.confirming_probes
    confirm = first is not None and not _seen_to(watch, watched, diagnosis)
    while confirm and looks <= rule.confirming_probes:
        await sleep(pause_s)
        again = await look(watch, watched, status_page=True)
        found = diagnose(again, watched.runbook)
        _keep(watch, again, Purpose.CONFIRMING)
        looks += 1
        if not found.healthy:
            bad, evidence, diagnosis = bad + 1, again, found
    checked = Check(watched, evidence, diagnosis, first, looks, bad)
    _record(watch, watched.name, checked)
    return checked


def _record(watch: Watch, name: str, checked: Check) -> None:
    """For `status`: when this integration was last checked, and what that said."""
    result = Result.WELL if checked.healthy else Result.FAILED
    detail = "" if checked.diagnosis.healthy else checked.says()
    with watch.store.write() as session:
        heartbeats.beat(
            session, Part.CHECK, watch.now(), result, detail, every=_every(watch), target=name
        )


def not_checked(watch: Watch, name: str, because: str) -> None:
    """It was tried, and no result came: what is true of the integration is not known."""
    with watch.store.write() as session:
        heartbeats.beat(
            session,
            Part.CHECK,
            watch.now(),
            Result.UNKNOWN,
            because,
            every=_every(watch),
            target=name,
        )


def missed_check(watch: Watch, name: str, because: str) -> None:
    """A check was due and did not happen: its last result is not fresh any more."""
    with watch.store.write() as session:
        heartbeats.missed(
            session, Part.CHECK, watch.now(), because, every=_every(watch), target=name
        )


def _every(watch: Watch) -> timedelta:
    return timedelta(seconds=watch.settings.health_interval_s)


async def well_again(watch: Watch, found: Check, sleep: Sleep = asyncio.sleep) -> bool:
    """Whether an outage has ended by itself while its incident waits for a person's answer: as many
    good looks in a row as prove a repair. False at the first bad one, and where nobody waits."""
    rule, name = found.watched.runbook.verification, found.watched.name
    with watch.store.read() as session:
        incident = incidents.current(session, name)
        asked = approvals.unanswered(session, incident.id) if incident else ()
        unwell = observations.unwell_services(session, incident.id) if incident else frozenset()
    if found.bad_looks or not any(question.waits for question in asked):
        return False
    if unproven(found.evidence, unwell):
        return False
    for _ in range(rule.probes_in_a_row - 1):
        await sleep(rule.interval.total_seconds())
        evidence = await look(watch, found.watched)
        _keep(watch, evidence, Purpose.CONFIRMING)
        if not diagnose(evidence, found.watched.runbook).healthy or unproven(evidence, unwell):
            return False
    return True


def _seen_to(watch: Watch, watched: Watched, found: Diagnosis) -> bool:
    with watch.store.read() as session:
        incident = incidents.current(session, watched.name)
    if incident is None or incident.has_reached(State.RESOLVED):
        return False
    return not _is_graver(incident, found)


def _keep(watch: Watch, evidence: Evidence, purpose: Purpose) -> None:
    """A look at what is broken already is evidence of that incident."""
    with watch.store.write() as session:
        found = incidents.current(session, evidence.integration)
        observations.keep(session, evidence, found.id if found else None, purpose)


def open_incident(watch: Watch, found: Check) -> tuple[Incident, bool]:
    """The integration's open incident and whether this check opened it; its gaps begin with it.

    One whose repair did not hold, or that got graver, begins again, and people are called again. A
    failure of another cause after a proven recovery is an incident of its own.
    """
    watched, now = found.watched, watch.now()
    with watch.store.write() as session:
        good = observations.last_good(session, watched.name, found.first_failure_at or now)
        started = good or found.first_failure_at or now
        incident, opened = open_or_join(
            session,
            integration=watched.name,
            summary=found.diagnosis.because,
            severity=found.diagnosis.severity or 4,
            opened_by="health",
            started_at=started,
            now=now,
            reopen_since=now - watched.runbook.detection.reopen_within,
            another=partial(_is_another, found),
        )
        if not opened and (_came_back(incident, found) or _is_graver(incident, found.diagnosis)):
            incident, opened = begin_again(session, incident.id, now), True
        if opened:
            _note_opening(session, incident, found, started, now)
            open_gaps(session, watched, incident, now)
            observations.tie(session, watched.name, incident.id, found.first_failure_at or now)
            incidents.add_diagnosis(session, incident.id, found.diagnosis, now, "health")
        return incidents.get(session, incident.id), opened


def _is_another(found: Check, incident: Incident) -> bool:
    """A failure after the incident was over, with a cause of its own: the new diagnosis names one, and
    does not count the incident's own among those that are possible."""
    if incident.over_at is None or found.evidence.at <= incident.over_at:
        return False
    possible = {cause.cause for cause in found.diagnosis.causes}
    return bool(possible) and incident.cause is not None and incident.cause not in possible


def _came_back(incident: Incident, found: Check) -> bool:
    """A failure seen after the recovery; one seen before it was only told late."""
    return incident.recovered_at is not None and found.evidence.at > incident.recovered_at


def _is_graver(incident: Incident, found: Diagnosis) -> bool:
    """A graver cause than the one that is being seen to: slow has become down."""
    return found.leading is not None and found.leading.severity < incident.severity


def _note_opening(
    session: Session, incident: Incident, found: Check, started: datetime, now: datetime
) -> None:
    incidents.note(
        session,
        incident.id,
        "last good answer before the failure",
        now=now,
        actor="health",
        milestone=Milestone.STARTED,
        occurred_at=started,
    )
    written = incidents.note(
        session,
        incident.id,
        found.says(),
        now=now,
        actor="health",
        milestone=Milestone.DETECTED,
        occurred_at=found.first_failure_at,
    )
    if not written:
        incidents.note(session, incident.id, f"came back: {found.says()}", now=now, actor="health")


def open_gaps(session: Session, watched: Watched, incident: Incident, now: datetime) -> None:
    """From the last good watermark of each resource that a job moves: what may be missing."""
    for name in sorted({r for job in watched.runbook.jobs for r in job.resources}):
        mark = watermarks.get(session, watched.name, name)
        since = walk_since(watched.runbook.resource(name), mark.at if mark else None)
        gaps.open_gap(
            session,
            incident_id=incident.id,
            integration=watched.name,
            resource=name,
            since=since,
            now=now,
        )
