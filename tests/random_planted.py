"""Faults to plant in a random schedule's world: each is what the shipped code must never become."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from watchkeeper.mitigation.job import RUNNING
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.levers import lever_of
from watchkeeper.performing.releasing import end_lease, held
from watchkeeper.performing.responding import Executor, dispatch, wake
from watchkeeper.performing.sweeping import wants_responder
from watchkeeper.performing.watch import Watch
from watchkeeper.store import approvals, incidents, jobs, leases


async def resumes_always(
    watch: Watch, duty: Duty, executor: Executor, because: str, sleep: object
) -> None:
    """Whoever paused it meanwhile."""
    for lease in held(watch, duty.incident_id):
        if lease.kind is not LeaseKind.PAUSED_JOB:
            await end_lease(watch, duty, lease, because)
            continue
        with watch.store.write() as session:
            now = watch.now()
            jobs.desire(
                session, lease.integration, lease.target, RUNNING, by="-", reason="-", now=now
            )
            leases.end(session, lease.id, because, now)


async def forgets_prior(
    watch: Watch, duty: Duty, executor: Executor, because: str, sleep: object
) -> None:
    """Whatever was there before, it goes back to what is usual."""
    for lease in held(watch, duty.incident_id):
        if lease.kind in (LeaseKind.SETTING, LeaseKind.REPLICAS):
            watched = watch.integration(lease.integration)
            usual = None if lease.kind is LeaseKind.SETTING else "1"
            await lever_of(watch, watched, lease.kind, lease.target).write(usual)
        await end_lease(watch, duty, lease, because)


async def forgets_leases(watch: Watch, executor: Executor) -> tuple[str, ...]:
    """Wakes and starts responders, and looks at no lease."""
    with watch.store.write() as session:
        for question in approvals.overdue(session, watch.now()):
            approvals.expire(session, question.id, watch.now())
        there = incidents.listed(session, only_open=True)
    for incident in there:
        await wake(watch, incident, executor)
        if wants_responder(incident, watch.now()):
            await dispatch(watch, incident, executor)
    return ()


# What is planted, and in which words the judge tells of it.
PLANTED: Mapping[str, tuple[dict[str, Any], str]] = MappingProxyType(
    {
        "a job is resumed always": ({"give_back": resumes_always}, "runs, and a person had paused"),
        "what was before is forgotten": ({"give_back": forgets_prior}, "under no lease"),
        "the sweep forgets leases": ({"sweep": forgets_leases}, "over, swept, and in force"),
        "nobody hears the kill switch": ({"deaf": True}, "while halted"),
    }
)
