"""Giving back all that an incident holds: jobs one after the other, with the runs that they missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from watchkeeper.effects import MISSED_RUN
from watchkeeper.errors import StaleFence, WatchkeeperError
from watchkeeper.mitigation.job import RUNNING
from watchkeeper.mitigation.lease import Lease, LeaseKind
from watchkeeper.performing.connectors import scheduler_of
from watchkeeper.performing.ledger import Duty, perform
from watchkeeper.performing.pulling import RESTORING
from watchkeeper.performing.releasing import UNDOABLE, end_lease, held
from watchkeeper.performing.responding import Executor
from watchkeeper.performing.watch import Watch
from watchkeeper.store import incidents, jobs, leases

Sleep = Callable[[float], Awaitable[None]]
JOBS = frozenset({LeaseKind.PAUSED_JOB, LeaseKind.PAUSED_SCHEDULE})
_FIRST = {"critical": 0, "normal": 1, "deferrable": 2}


async def give_back(
    watch: Watch, duty: Duty, executor: Executor, because: str, sleep: Sleep = asyncio.sleep
) -> tuple[str, ...]:
    """Everything but vigils; the critical jobs first, each a while after the one before."""
    said = [
        await end_lease(watch, duty, lease, because)
        for lease in held(watch, duty.incident_id, UNDOABLE - JOBS)
    ]
    waiting = _in_order(watch, held(watch, duty.incident_id, JOBS))
    for number, lease in enumerate(waiting):
        if number:
            await sleep(float(str(lease.applied.get("stagger_s", 0))))
        said.append(await resume(watch, duty, executor, lease, because))
    return tuple(said)


async def resume(watch: Watch, duty: Duty, executor: Executor, lease: Lease, because: str) -> str:
    """End the lease on a job, and run it for what it missed where its policy says so."""

    async def make_up(words: str) -> None:
        if lease.kind not in JOBS or words != f"back to {RUNNING}":
            return
        try:
            await _make_up(watch, duty, executor, lease)
        except StaleFence:
            # Whoever has taken over does it, and ends the lease.
            raise
        except WatchkeeperError as error:
            # The job runs again, and its next run comes by the clock: that is told, and no more.
            with watch.store.write() as session:
                text = f"what {lease.target} missed is not made up for: {error}"
                incidents.note(session, lease.incident_id, text, now=watch.now())

    return await end_lease(watch, duty, lease, because, make_up)


async def _make_up(watch: Watch, duty: Duty, executor: Executor, lease: Lease) -> None:
    policy = lease.applied.get("missed_runs", "skip")
    if policy == "skip":
        return
    if lease.kind is LeaseKind.PAUSED_JOB:
        await _walk_on(watch, duty, executor, lease)
        return
    watched = watch.integration(lease.integration)
    scheduler = scheduler_of(watch, watched, lease.target)
    missed = await scheduler.missed(lease.taken_at, _resumed(watch, lease))
    for at in missed if policy == "all" else missed[-1:]:
        key = f"missed:{lease.integration}:{lease.id}:{_z(at)}"

        async def run(at: datetime = at, key: str = key) -> str:
            return await scheduler.run_for(at, key)

        await perform(watch, duty, MISSED_RUN, f"{lease.target}#{_z(at)}", run)


def _resumed(watch: Watch, lease: Lease) -> datetime:
    """When it was: since then it runs by the clock, whenever we come to this."""
    with watch.store.read() as session:
        at = leases.get(session, lease.id).applied.get(RESTORING)
    return watch.now() if at is None else datetime.fromisoformat(str(at))


async def _walk_on(watch: Watch, duty: Duty, executor: Executor, lease: Lease) -> None:
    """One run makes up for all: a sync of ours goes on from its watermark."""
    key = f"missed:{lease.integration}:{lease.id}:{_z(lease.taken_at)}"
    asked: dict[str, object] = {"job": lease.target, "integration": lease.integration}

    async def run() -> str:
        await executor.start(f"sync/{lease.target}", asked, key)
        return "started once, from its watermark"

    await perform(watch, duty, MISSED_RUN, lease.taking, run)


def _in_order(watch: Watch, waiting: tuple[Lease, ...]) -> list[Lease]:
    """By how much each job matters."""
    if not waiting:
        return []
    name = waiting[0].integration
    with watch.store.read() as session:
        weight = {job.name: job.criticality for job in jobs.listed(session, name)}
    elsewhere = watch.integration(name).integration.jobs
    known = weight | {job.name: job.criticality for job in elsewhere}
    return sorted(waiting, key=lambda lease: _FIRST.get(known.get(lease.target, ""), 3))


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
