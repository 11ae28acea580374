"""One scheduled job: move what changed since the watermark, unless the job is paused."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.incidents import chosen
from tasks.lateness import needless_sync
from tasks.syncing import alone, resources_of, stopped_before, sync_resource
from tasks.together import each_in_turn, failed_line, for_each
from watchkeeper.performing.stopping import Interrupted


@dataclass(frozen=True, slots=True)
class Synced:
    """What one integration's turn came to, in words. `stopped`: a person stopped it on its way."""

    moved: tuple[str, ...] = ()
    rested: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    stopped: bool = False


@flow(name="sync", flow_run_name="{job}", persist_result=False)
async def sync(job: str, integration: str | None = None) -> State[None]:
    """Run a job of the runbook for one integration, or for each that has it, side by side.

    Args:
        job: a job's name in the runbook, such as workorder-sync
        integration: such as maintainx@prod; every integration with this job when empty
    """
    outcomes = await for_each(chosen(integration), lambda name: sync_integration(name, job))
    turns = [one.got for one in outcomes if one.got]
    moved = [text for turn in turns for text in turn.moved]
    rested = [text for turn in turns for text in turn.rested]
    failed = [failed_line(one) for one in outcomes if one.error]
    failed += [text for turn in turns for text in turn.failed]
    if failed:
        # The others were synced all the same: a broken one ends no other's turn.
        return Failed(message="; ".join((*failed, *moved, *rested)))
    if any(turn.stopped for turn in turns) or (rested and not moved):
        return Completed(name="Paused", message="; ".join(moved + rested))
    return Completed(name="Synced", message="; ".join(moved + rested) or "no integration has it")


async def sync_integration(name: str, job: str) -> Synced:
    """One integration, its resources one after the other; one that fails stops no other."""
    resources = resources_of(name, job)
    if not resources:
        return Synced()
    if why := await stopped_before(name, job):
        return Synced(rested=(f"{name}: {why}",))
    if late := needless_sync(name, resources):
        return Synced(rested=(f"{name}: {late}",))
    moved: list[str] = []
    failed: list[str] = []
    async with alone(name, job) as first:
        if not first:
            return Synced(rested=(f"{name}: another run is at it",))
        async for one in each_in_turn(resources, lambda r: sync_resource(name, r, job)):
            if isinstance(one.got, Interrupted):
                rested = (f"{name} {one.item}: {one.got.why}",)
                return Synced(tuple(moved), rested, tuple(failed), stopped=True)
            if one.got is None:
                failed.append(f"{name} {failed_line(one)}")
            else:
                moved.append(f"{name} {one.got.says()}")
    return Synced(tuple(moved), (), tuple(failed))
