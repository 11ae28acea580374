"""Taking leases on rows of our own: jobs are paused, the rate is capped, a vigil is kept."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlmodel import Session

from watchkeeper.effects import JOB_PAUSE, LEASE_HOLD, RATE_CAP
from watchkeeper.mitigation.actions import CapRate, PauseJobs
from watchkeeper.mitigation.job import PAUSED
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing.ledger import Duty, transact
from watchkeeper.performing.watch import Watch
from watchkeeper.store import jobs, leases


def pause_jobs(watch: Watch, duty: Duty, integration: str, action: PauseJobs) -> None:
    """Each job's desired state becomes paused, under a lease that remembers what it was."""

    def pause(session: Session, name: str) -> str:
        before = jobs.get(session, integration, name)
        if before.paused:
            return f"left alone: already paused by {before.changed_by}"
        after = jobs.desire(
            session,
            integration,
            name,
            PAUSED,
            by=f"INC-{duty.incident_id}",
            reason="paused while the incident lasts",
            now=watch.now(),
        )
        leases.take(
            session,
            incident_id=duty.incident_id,
            integration=integration,
            kind=LeaseKind.PAUSED_JOB,
            target=name,
            prior={"desired": before.desired, "changed_by": before.changed_by},
            applied={"revision": after.revision, **how_to_resume(action)},
            now=watch.now(),
            length=action.lease,
        )
        return f"was {before.desired}"

    for name in action.jobs:
        transact(watch, duty, JOB_PAUSE, name, partial(pause, name=name))


def how_to_resume(action: PauseJobs) -> dict[str, object]:
    """What ending the lease must know: kept in it, for whoever ends it."""
    return {"missed_runs": action.missed_runs, "stagger_s": action.stagger.total_seconds()}


def cap_rate(watch: Watch, duty: Duty, integration: str, action: CapRate) -> None:
    """A cap that the guarded client of every process obeys from its next request on."""

    def cap(session: Session) -> str:
        leases.take(
            session,
            incident_id=duty.incident_id,
            integration=integration,
            kind=LeaseKind.RATE_CAP,
            target=integration,
            prior={},
            applied={"max_requests_per_s": action.max_requests_per_s},
            now=watch.now(),
            length=action.lease,
        )
        return f"{action.max_requests_per_s:g} requests per second"

    # Another rate is another cap: it must not count as done with the one before.
    transact(watch, duty, RATE_CAP, f"{integration}#{action.max_requests_per_s:g}", cap)


def hold(
    watch: Watch,
    duty: Duty,
    integration: str,
    kind: LeaseKind,
    target: str,
    applied: dict[str, object],
    length: timedelta,
) -> None:
    """A lease that others act by, or that is ended by what it waits for. One that is in force already
    is left as it is."""

    def take(session: Session) -> str:
        held = leases.find(session, duty.incident_id, kind, target)
        if held is None or not held.active:
            leases.take(
                session,
                incident_id=duty.incident_id,
                integration=integration,
                kind=kind,
                target=target,
                prior={},
                applied=applied,
                now=watch.now(),
                length=length,
            )
        return kind.value.replace("_", " ")

    transact(watch, duty, LEASE_HOLD, f"{kind.value} {target}", take)
