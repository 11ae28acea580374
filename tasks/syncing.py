"""The live sync of one resource, and the gate that each job passes first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect import task
from prefect.runtime import flow_run

from tasks.context import current
from tasks.retrying import STEP
from watchkeeper.mitigation.job import Job
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import releasing, responding, walking
from watchkeeper.performing.walking import Walked
from watchkeeper.store import jobs


@task(name="sync a resource", task_run_name="sync {integration} {resource}", **STEP)
async def sync_resource(integration: str, resource: str) -> Walked:
    watch = current()
    return await walking.sync(watch, watch.integration(integration), resource)


@asynccontextmanager
async def alone(integration: str, job: str) -> AsyncIterator[bool]:
    """A slow run and the next one on its heels would walk the same pages twice."""
    holder = flow_run.id or "process"
    name = f"job:{integration}:{job}"
    async with responding.alone(current(), name, holder, "syncing") as first:
        yield first


async def gate(integration: str, job: str) -> Job:
    """The job's desired state, from our own row: a schedule that fires does not overrule it. A pause
    whose lease is over ends here, if nobody ended it: no sweep need be alive for that."""
    watch = current()
    watch.registered(integration)
    await releasing.end_if_over(watch, integration, LeaseKind.PAUSED_JOB, job)
    with watch.store.read() as session:
        return jobs.get(session, integration, job)


def resources_of(integration: str, job: str) -> tuple[str, ...]:
    """What a job moves for an integration; nothing where its runbook has no such job."""
    jobs_there = current().integration(integration).runbook.jobs
    return next((j.resources for j in jobs_there if j.name == job), ())
