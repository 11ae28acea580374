"""One scheduled job: move what changed since the watermark, unless the job is paused."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.incidents import chosen
from tasks.syncing import gate, resources_of, sync_resource


@flow(name="sync", flow_run_name="{job}", persist_result=False)
async def sync(job: str, integration: str | None = None) -> State[None]:
    """Run a job of the runbook for one integration, or for each that has it.

    Args:
        job: a job's name in the runbook, such as workorder-sync
        integration: such as maintainx@prod; every integration with this job when empty
    """
    paused, moved = [], []
    for name in chosen(integration):
        resources = resources_of(name, job)
        if resources and (desired := gate(name, job)).paused:
            paused.append(f"{name}: paused by {desired.changed_by} ({desired.reason})")
            continue
        for resource in resources:
            walked = await sync_resource(name, resource)
            moved.append(f"{name} {walked.says()}")
    if paused and not moved:
        return Completed(name="Paused", message="; ".join(paused))
    return Completed(name="Synced", message="; ".join(moved + paused) or "no integration has it")
