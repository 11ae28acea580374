"""A Cloud Run service: restarted by a new revision, which must receive the traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from watchkeeper.errors import Ambiguous, Permanent
from watchkeeper.runbook.acting import CloudRunService
from watchkeeper.runtimes.cloud_run_api import Api, opened
from watchkeeper.runtimes.cloud_run_state import (
    MARK,
    ServiceState,
    Target,
    moved,
    refusal,
    scaling_of,
    state_of,
)
from watchkeeper.runtimes.waiting import Sleep, last_seen

LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"


@dataclass(frozen=True, slots=True)
class CloudRun:
    """The mark is kept among the annotations of the revisions' template, so it survives us.

    A restart makes a revision of the template as it is. A service whose traffic is pinned to
    another revision than the newest is left alone: that would put into use what does not serve.
    """

    spec: CloudRunService
    sleep: Sleep = asyncio.sleep

    async def restart(self, mark: str) -> str:
        async with opened(self.spec) as api:
            service = await api.read()
            if state_of(service).mark != mark:
                await _begin(api, service, mark)
            ready = await self._until(api, mark, lambda state: state.new_is_ready)
            if ready.pinned not in (None, ready.created):
                await _move_traffic(api, ready)
            return _shown(await self._until(api, mark, lambda state: state.new_serves))

    async def restarted(self, mark: str) -> str | None:
        async with opened(self.spec) as api:
            state = state_of(await api.read())
        return _shown(state) if state.mark == mark and state.new_serves else None

    async def replicas(self) -> int:
        """The least number of instances: how many there are beyond it is the traffic's matter."""
        async with opened(self.spec) as api:
            return scaling_of(await api.read()).least

    async def scale(self, replicas: int) -> str:
        async with opened(self.spec) as api:
            service = await api.read()
            if scaling_of(service).least != replicas:
                await _set_least(api, service, replicas)
            await self._scaled(api, replicas)
        return f"at least {replicas} instances are kept"

    async def _until(
        self, api: Api, mark: str, enough: Callable[[ServiceState], bool]
    ) -> ServiceState:
        def over(state: ServiceState) -> bool:
            return state.mark == mark and (enough(state) or (state.settled and bool(state.failed)))

        async def look() -> ServiceState:
            return state_of(await api.read())

        last = await last_seen(look, over, self.spec.timeout, self.sleep)
        if last is None:
            raise Ambiguous(f"{api.named} was restarted, and cannot be read since")
        if last.mark != mark:
            raise Ambiguous(f"{api.named}: somebody else has changed it during its restart")
        if enough(last):
            return last
        if last.settled and last.failed:
            kept = f"; {last.ready} keeps the traffic" if last.ready else ""
            raise Permanent(f"{api.named}: {last.created} is not ready: {last.failed}{kept}")
        raise Ambiguous(f"{api.named} has not restarted in time: {_standing(last)}")

    async def _scaled(self, api: Api, replicas: int) -> None:
        def over(service: Any) -> bool:
            return scaling_of(service).least == replicas and state_of(service).settled

        last = await last_seen(api.read, over, self.spec.timeout, self.sleep)
        if last is None or not over(last):
            raise Ambiguous(f"{api.named} did not take up at least {replicas} instances in time")


async def _begin(api: Api, service: Any, mark: str) -> None:
    if refused := refusal(state_of(service)):
        raise Permanent(f"{api.named}: {refused}")
    template: dict[str, Any] = {"annotations": {**service.template.annotations, MARK: mark}}
    paths = ["template.annotations"]
    if service.template.revision:
        # A name that is given can be given once only; without one Cloud Run makes one.
        template["revision"] = ""
        paths.append("template.revision")
    # The etag refuses it if somebody else has changed the service since it was read.
    await api.change("restart", {"etag": service.etag, "template": template}, *paths)


async def _move_traffic(api: Api, state: ServiceState) -> None:
    changed = {"etag": state.etag, "traffic": [_target(t) for t in moved(state)]}
    await api.change("send the traffic to the new revision of", changed, "traffic")


async def _set_least(api: Api, service: Any, replicas: int) -> None:
    scaling = scaling_of(service)
    if scaling.most is not None and replicas > scaling.most:
        raise Permanent(f"{api.named} may have {scaling.most} instances at most")
    if replicas < scaling.floor:
        raise Permanent(f"{api.named}: its revision's own settings keep {scaling.floor} instances")
    field = "manual_instance_count" if scaling.manual else "min_instance_count"
    changed = {"etag": service.etag, "scaling": {field: replicas}}
    await api.change("scale", changed, f"scaling.{field}")


def _target(target: Target) -> dict[str, Any]:
    kind = REVISION if target.revision else LATEST
    return {"type_": kind, **{k: getattr(target, k) for k in ("revision", "percent", "tag")}}


def _standing(state: ServiceState) -> str:
    if not state.new_is_ready:
        return f"{state.created} is not ready"
    return f"{state.created} is ready and does not receive all of the traffic"


def _shown(state: ServiceState) -> str:
    return f"{state.created} is ready and receives all of the traffic"
