"""Ending leases: what was before is given back, unless somebody changed it meanwhile, and seen so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlmodel import Session

from watchkeeper.effects import (
    JOB_RESTORE,
    LEASE_RELEASE,
    RATE_RESTORE,
    REPLICAS_RESTORE,
    SCHEDULE_RESTORE,
    SETTING_RESTORE,
    EffectKind,
)
from watchkeeper.failpoints import failpoint
from watchkeeper.incident import Incident
from watchkeeper.mitigation.lease import LEVERS, VIGILS, Lease, LeaseKind, said, undone_job
from watchkeeper.performing.ledger import Duty, transact
from watchkeeper.performing.levers import lever_of
from watchkeeper.performing.pulling import put_back
from watchkeeper.performing.watch import Watch
from watchkeeper.store import incidents, jobs, leases

# What is held until the harm is over; a vigil ends with what it waits for.
UNDOABLE = frozenset(LeaseKind) - VIGILS
# Kept in the lease on a job: how it was given back.
UNDONE = "undone"
Then = Callable[[str], Awaitable[None]]
_KINDS: dict[LeaseKind, EffectKind] = {
    LeaseKind.PAUSED_JOB: JOB_RESTORE,
    LeaseKind.RATE_CAP: RATE_RESTORE,
    LeaseKind.SETTING: SETTING_RESTORE,
    LeaseKind.REPLICAS: REPLICAS_RESTORE,
    LeaseKind.PAUSED_SCHEDULE: SCHEDULE_RESTORE,
}


def held(
    watch: Watch, incident_id: int, kinds: frozenset[LeaseKind] = UNDOABLE
) -> tuple[Lease, ...]:
    """Those of these kinds that an incident still holds, the oldest first."""
    with watch.store.read() as session:
        found = leases.active(session, incident_id)
    return tuple(lease for lease in found if lease.kind in kinds)


async def end_leases(
    watch: Watch, duty: Duty, because: str, kinds: frozenset[LeaseKind] = UNDOABLE
) -> tuple[str, ...]:
    """Undo all of these kinds that this incident still holds; what each undo did, in words."""
    mine = held(watch, duty.incident_id, kinds)
    return tuple([await end_lease(watch, duty, lease, because) for lease in mine])


async def end_lease(
    watch: Watch, duty: Duty, lease: Lease, because: str, then: Then | None = None
) -> str:
    """Give back what was before, unless somebody changed it meanwhile; verified by reading it.

    Where a lever cannot be set back the lease stays in force, and the sweep tries again. `then`:
    what goes with giving a job back, told what was done: a process that dies before its end leaves
    the lease in force, and whoever ends it does both again.
    """
    if lease.kind not in LEVERS and lease.kind is not LeaseKind.PAUSED_JOB:
        return _release(watch, duty, lease, because)
    words = await _given_back(watch, duty, lease)
    failpoint(f"lease.{lease.kind}.undone")
    if then is not None and words is not None:
        await then(words)
    with watch.store.write() as session:
        ended = words is not None and _end(session, watch, lease, words, because)
    failpoint(f"lease.{lease.kind}.ended")
    return f"{lease.target}: {words if ended else 'undone before'}"


async def _given_back(watch: Watch, duty: Duty, lease: Lease) -> str | None:
    """What was done, in words; None for a taking that is over: what it shows now is not its own."""
    if lease.kind is LeaseKind.PAUSED_JOB:
        return _job_back(watch, duty, lease)
    with watch.store.read() as session:
        if _held(session, lease) is None:
            return None
    lever = lever_of(watch, watch.integration(lease.integration), lease.kind, lease.target)
    return await put_back(watch, duty, lever, lease)


def _job_back(watch: Watch, duty: Duty, lease: Lease) -> str | None:
    def undo(session: Session) -> str:
        now_held = _held(session, lease)
        if now_held is None:
            return "undone before"
        words = now_held.applied.get(UNDONE) or _restore(session, lease, watch)
        leases.applied(session, lease, {UNDONE: words})
        return str(words)

    transact(watch, duty, JOB_RESTORE, lease.taking, undo)
    with watch.store.read() as session:
        found = _held(session, lease)
    return None if found is None else str(found.applied[UNDONE])


async def taken_over(watch: Watch, incident: Incident, lease: Lease) -> list[str]:
    """Whether somebody set a lever otherwise since we did: then it is theirs from now on, and is not
    set back later. What is still being set has no mark yet, and is left alone."""
    if "mark" not in lease.applied:
        return []
    watched = watch.integration(lease.integration)
    shown = await lever_of(watch, watched, lease.kind, lease.target).read()
    if shown.value == lease.applied.get("value"):
        return []
    words = f"left as somebody set it ({said(shown.value)})"
    with watch.store.write() as session:
        _end(session, watch, lease, words, "a person changed it")
    return [f"INC-{incident.id}: {lease.target} {words}"]


def abandon(watch: Watch, lease: Lease, because: str) -> str:
    """Let go of what cannot be set back any more, as it is; a person takes it from here."""
    with watch.store.write() as session:
        _end(session, watch, lease, "left as it is", because)
    return f"{lease.target}: left as it is"


async def end_if_over(watch: Watch, integration: str, kind: LeaseKind, target: str) -> None:
    """What held it is over: whoever comes by gives it back."""
    with watch.store.read() as session:
        found = [
            lease
            for lease in leases.active(session)
            if (lease.integration, lease.kind, lease.target) == (integration, kind, target)
        ]
    for lease in found:
        if lease.over(watch.now()):
            with watch.store.read() as session:
                incident = incidents.get(session, lease.incident_id)
            await end_lease(watch, Duty.unfenced(incident), lease, "its time was over")


def _release(watch: Watch, duty: Duty, lease: Lease, because: str) -> str:
    told: list[str] = []

    def undo(session: Session) -> str:
        if _held(session, lease) is None:
            return "undone before"
        words = "lifted" if lease.kind is LeaseKind.RATE_CAP else "let go"
        _end(session, watch, lease, words, because)
        told.append(words)
        return words

    # A lease may be taken and ended more than once a round: the taking names this ending. Those of
    # one effect may be taken at one moment: there the kind does, too.
    effect = _KINDS.get(lease.kind, LEASE_RELEASE)
    one = lease.taking if lease.kind in _KINDS else f"{lease.kind.value} {lease.taking}"
    transact(watch, duty, effect, one, undo)
    return f"{lease.target}: {told[0] if told else 'undone before'}"


def _held(session: Session, lease: Lease) -> Lease | None:
    """As it is now, if it is still of this taking."""
    found = leases.find(session, lease.incident_id, lease.kind, lease.target)
    return found if found is not None and found.same_taking(lease) else None


def _end(session: Session, watch: Watch, lease: Lease, words: str, because: str) -> bool:
    """False where another process ended this taking first."""
    if _held(session, lease) is None:
        return False
    leases.end(session, lease.id, because, watch.now())
    what = _KINDS.get(lease.kind, LEASE_RELEASE).said(lease.target)
    incidents.note(session, lease.incident_id, f"{what}: {words}", now=watch.now())
    return True


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
