"""One scheduled job: move what changed since the watermark, unless the job is paused."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.incidents import chosen
from tasks.lateness import needless_sync
from tasks.syncing import alone, resources_of, stopped_before, sync_resource
from watchkeeper.performing.stopping import Interrupted


@flow(name="sync", flow_run_name="{job}", persist_result=False)
async def sync(job: str, integration: str | None = None) -> State[None]:
    """Run a job of the runbook for one integration, or for each that has it.

    Args:
        job: a job's name in the runbook, such as workorder-sync
        integration: such as maintainx@prod; every integration with this job when empty
    """
    rested, moved, stopped = [], [], False
    for name in chosen(integration):
        resources = resources_of(name, job)
        if resources and (why := await stopped_before(name, job)):
            rested.append(f"{name}: {why}")
            continue
        if resources and (late := needless_sync(name, resources)):
            rested.append(f"{name}: {late}")
            continue
        async with alone(name, job) as first:
            if not first:
                rested.append(f"{name}: another run is at it")
                continue
            for resource in resources:
                walked = await sync_resource(name, resource, job)
                if isinstance(walked, Interrupted):
                    rested.append(f"{name} {resource}: {walked.why}")
                    stopped = True
                    break
                moved.append(f"{name} {walked.says()}")
    if stopped or (rested and not moved):
        said = "; ".join(moved + rested)
        return Completed(name="Paused", message=said)
    return Completed(name="Synced", message="; ".join(moved + rested) or "no integration has it")
