"""Pausing jobs and capping the rate as leases: taken with what was before, ended by giving it back."""

from __future__ import annotations

from functools import partial

from sqlmodel import Session

from watchkeeper.effects import JOB_PAUSE, JOB_RESTORE, RATE_CAP, RATE_RESTORE
from watchkeeper.mitigation import PAUSED, CapRate, Lease, LeaseKind, PauseJobs, undone_job
from watchkeeper.performing.ledger import Duty, transact
from watchkeeper.performing.watch import Watch
from watchkeeper.store import incidents, jobs, leases


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
            applied={"revision": after.revision},
            now=watch.now(),
            length=action.lease,
        )
        return f"was {before.desired}"

    for name in action.jobs:
        transact(watch, duty, JOB_PAUSE, name, partial(pause, name=name))


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

    transact(watch, duty, RATE_CAP, integration, cap)


EVERY_KIND = frozenset(LeaseKind)


def end_leases(
    watch: Watch, duty: Duty, because: str, kinds: frozenset[LeaseKind] = EVERY_KIND
) -> tuple[str, ...]:
    """Undo all of these kinds that this incident still holds; what each undo did, in words."""
    with watch.store.read() as session:
        held = leases.active(session, duty.incident_id)
    return tuple(end_lease(watch, duty, lease, because) for lease in held if lease.kind in kinds)


def end_lease(watch: Watch, duty: Duty, lease: Lease, because: str) -> str:
    """Give back what was before, unless somebody changed it meanwhile; verified by reading it."""
    kind = JOB_RESTORE if lease.kind is LeaseKind.PAUSED_JOB else RATE_RESTORE
    said: list[str] = []

    def undo(session: Session) -> str:
        now_held = leases.find(session, lease.incident_id, lease.kind, lease.target)
        if now_held is None or not now_held.same_taking(lease):
            return "undone before"
        words = _restore(session, lease, watch) if lease.kind is LeaseKind.PAUSED_JOB else "lifted"
        leases.end(session, lease.id, because, watch.now())
        incidents.note(
            session,
            lease.incident_id,
            f"{kind.says.format(target=lease.target)}: {words}",
            now=watch.now(),
        )
        said.append(words)
        return words

    # A lease may be taken and ended more than once a round: the taking names this ending.
    target = f"{lease.target}@{lease.taken_at:%H:%M:%S.%f}"
    transact(watch, duty, kind, target, undo)
    return f"{lease.target}: {said[0] if said else 'undone before'}"


def _restore(session: Session, lease: Lease, watch: Watch) -> str:
    job = jobs.get(session, lease.integration, lease.target)
    prior = undone_job(lease, job)
    if prior is None:
        return f"left as {job.changed_by} left it ({job.desired})"
    jobs.desire(
        session,
        lease.integration,
        lease.target,
        prior,
        by=str(lease.prior["changed_by"]),
        reason=f"as before INC-{lease.incident_id}",
        now=watch.now(),
    )
    return f"back to {prior}"
