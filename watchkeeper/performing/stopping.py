"""What stops a walk: the kill switch, and the pause of a job. Read before each request.

A stop is a row or a file, so it reaches every process at its next request. Probes are not stopped:
without them nobody sees whether the vendor is well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import Session

from watchkeeper.errors import Halted, Paused, Stopped
from watchkeeper.gaps import Gap
from watchkeeper.mitigation.job import Job
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing.watch import Watch
from watchkeeper.store import jobs, leases
from watchkeeper.store.switches import halt_file_says, halt_row_says, halted

T = TypeVar("T")
# Raises Stopped where the next request must not be sent.
Heed = Callable[[Session], None]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A piece of work that a person stopped: what there is instead of its result."""

    why: str


async def unless_stopped(work: Awaitable[T]) -> T | Interrupted:
    """The work's result, or that it was stopped. A stop is no failure of the work."""
    try:
        return await work
    except Stopped as stop:
        return Interrupted(str(stop))


def heed_halt(watch: Watch) -> None:
    """Raises Halted while the kill switch is on, or cannot be read."""
    why = halted(watch.store, watch.settings.halt_file)
    if why is not None:
        raise Halted(f"the kill switch is on ({why})")


def halt_of(watch: Watch) -> Heed:
    """For work of no job."""

    def heed(session: Session) -> None:
        why = halt_file_says(watch.settings.halt_file) or halt_row_says(session)
        if why is not None:
            raise Halted(f"the kill switch is on ({why})")

    return heed


def job_of(watch: Watch, integration: str, name: str) -> Heed:
    """For the live walk of a job: whoever paused it."""
    halt = halt_of(watch)

    def heed(session: Session) -> None:
        halt(session)
        for job in jobs.listed(session, integration):
            if job.name == name and job.paused:
                raise Paused(_says(job))

    return heed


def gap_of(watch: Watch, gap: Gap, movers: frozenset[str]) -> Heed:
    """For what fills and compares a gap: a person's pause of one of the jobs that move its resource.

    An incident's own pause lasts until its gaps are filled, so it does not count. Nor does a pause
    of before the gap: whoever asks for the gap to be filled knows of it.
    """
    halt = halt_of(watch)

    def heed(session: Session) -> None:
        halt(session)
        paused = [
            job
            for job in jobs.listed(session, gap.integration)
            if job.name in movers and job.paused and job.changed_at >= gap.opened_at
        ]
        if not paused:
            return
        ours = {
            (lease.target, lease.applied.get("revision"))
            for lease in leases.active(session)
            if lease.kind is LeaseKind.PAUSED_JOB and lease.integration == gap.integration
        }
        for job in paused:
            if (job.name, job.revision) not in ours:
                raise Paused(_says(job))

    return heed


def _says(job: Job) -> str:
    why = f" ({job.reason})" if job.reason else ""
    return f"{job.name} is paused by {job.changed_by}{why}"
