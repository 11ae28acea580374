"""The live sync of one resource, and the gate that each job passes first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect import task
from prefect.runtime import flow_run

from tasks.context import current
from tasks.retrying import STEP
from watchkeeper.errors import Stopped
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import releasing, responding, walking
from watchkeeper.performing.stopping import Interrupted, heed_halt, unless_stopped
from watchkeeper.performing.walking import Walked
from watchkeeper.store import jobs


@task(name="sync a resource", task_run_name="sync {integration} {resource}", **STEP)
async def sync_resource(
    integration: str, resource: str, job: str | None = None
) -> Walked | Interrupted:
    watch = current()
    walk = walking.sync(watch, watch.integration(integration), resource, job)
    return await unless_stopped(walk)


@asynccontextmanager
async def alone(integration: str, job: str) -> AsyncIterator[bool]:
    """A slow run and the next one on its heels would walk the same pages twice."""
    holder = flow_run.id or "process"
    name = f"job:{integration}:{job}"
    async with responding.alone(current(), name, holder, "syncing") as first:
        yield first


async def stopped_before(integration: str, job: str) -> str | None:
    """Why the job must not begin, from our own rows and file: a schedule that fires does not overrule
    them. A pause whose lease is over ends here, if nobody ended it: no sweep need be alive for that.
    """
    watch = current()
    watch.registered(integration)
    await releasing.end_if_over(watch, integration, LeaseKind.PAUSED_JOB, job)
    try:
        heed_halt(watch)
    except Stopped as stop:
        return str(stop)
    with watch.store.read() as session:
        desired = jobs.get(session, integration, job)
    return f"paused by {desired.changed_by} ({desired.reason})" if desired.paused else None


def resources_of(integration: str, job: str) -> tuple[str, ...]:
    """What a job moves for an integration; nothing where its runbook has no such job."""
    jobs_there = current().integration(integration).runbook.jobs
    return next((j.resources for j in jobs_there if j.name == job), ())
