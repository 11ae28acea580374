"""A deployment of the user's on a Prefect server, as a scheduler of jobs.

Pausing is what the switch in the UI does: runs that are scheduled for later are deleted, one that
is due already, or runs, goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.plain_times import plain_utc
from tasks.prefect_server import PrefectServer
from tasks.schedule_times import parameters_at, times_of
from watchkeeper.errors import Transient
from watchkeeper.runbook.acting import PrefectDeployment
from watchkeeper.schedulers import Schedule

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

MOST_MISSED = 100
# How often a pause is repeated while Prefect's scheduler writes against it.
MOST_SWITCHES = 5
SCHEDULER_WRITES_WITHIN_S = 0.5
TAG = "watchkeeper"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PrefectScheduler:
    """A JobScheduler. `base`: a relative path of the auth string's reference counts from it."""

    spec: PrefectDeployment
    base: Path = Path()
    now: Callable[[], datetime] = utc_now

    async def state(self) -> Schedule:
        return shown(await self._deployment())

    async def pause(self) -> Schedule:
        return await self._switched(paused=True)

    async def resume(self) -> Schedule:
        return await self._switched(paused=False)

    async def missed(self, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """By the schedules as they are now; none before the deployment was made, none to come."""
        found = await self._deployment()
        made = plain_utc(found.created) if found.created else since
        first, end = max(since, made), min(until, self.now())
        reckoned = times_of(found.schedules, first, end, MOST_MISSED)
        return await asyncio.to_thread(asyncio.run, reckoned)

    async def run_for(self, at: datetime, key: str) -> str:
        """Its scheduled time is the one that it missed, so that a flow that goes by
        its scheduled time does that time's work; a flow that ends when it is late does nothing.
        Keys are shared by all deployments of a flow."""
        from prefect.states import Scheduled

        found = await self._deployment()
        given = await asyncio.to_thread(asyncio.run, parameters_at(found.schedules, at))
        time = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

        async def create(client: PrefectClient) -> UUID:
            run = await client.create_flow_run_from_deployment(
                found.id,
                parameters=given,
                state=Scheduled(scheduled_time=at),
                name=f"{found.name} for {time}",
                tags=[TAG, f"for {time}"],
                idempotency_key=key,
            )
            return run.id

        run = await self._server().ask(create, changes=True)
        return f"flow run {run} runs for {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    async def _switched(self, *, paused: bool) -> Schedule:
        """Not touched where it is so already: Prefect would note a change."""
        found = await self._deployment()
        if found.paused == paused:
            return shown(found)

        async def switch(client: PrefectClient) -> None:
            change = client.pause_deployment if paused else client.resume_deployment
            await change(found.id)

        for _ in range(MOST_SWITCHES):
            await self._server().ask(switch, changes=True)
            after = await self._deployment()
            if after.paused != paused:
                raise Transient(f"prefect: {self.spec.deployment}: somebody has changed it back")
            if not paused or not await self._comes_all_the_same(found.id):
                return shown(after)
        raise Transient(
            f"prefect: {self.spec.deployment}: is paused, and runs are scheduled all the same"
        )

    async def _comes_all_the_same(self, deployment_id: UUID) -> bool:
        """Whether a run is still to come by the schedule. Prefect's scheduler may have read the
        deployment before it was paused, and schedule runs after the pause has deleted them."""
        from prefect.client.schemas.filters import (
            DeploymentFilter,
            DeploymentFilterId,
            FlowRunFilter,
            FlowRunFilterExpectedStartTime,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )
        from prefect.client.schemas.objects import StateType

        await asyncio.sleep(SCHEDULER_WRITES_WITHIN_S)
        scheduled = FlowRunFilterStateType(any_=[StateType.SCHEDULED])
        to_come = FlowRunFilter(
            state=FlowRunFilterState(type=scheduled),
            expected_start_time=FlowRunFilterExpectedStartTime(after_=self.now()),
        )
        this = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        runs = await self._server().ask(
            lambda client: client.read_flow_runs(flow_run_filter=to_come, deployment_filter=this)
        )
        return any(run.auto_scheduled for run in runs)

    async def _deployment(self) -> DeploymentResponse:
        name = self.spec.deployment
        return await self._server().ask(lambda client: client.read_deployment_by_name(name))

    def _server(self) -> PrefectServer:
        return PrefectServer(self.spec, self.base)


def shown(found: DeploymentResponse) -> Schedule:
    """The mark is of which deployment it is and which of its schedules are on. Prefect's own
    `updated` is left out on purpose: a redeploy moves it and keeps the pause, and a job that was
    redeployed in the midst of an incident would never be resumed. That a person resumed it meanwhile
    is seen by looking every minute."""
    on = sorted(f"{one.schedule!r} {one.active}" for one in found.schedules)
    digest = hashlib.sha256("\n".join([str(found.id), *on]).encode()).hexdigest()[:12]
    return Schedule(found.paused, digest)
