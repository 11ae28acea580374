"""A Kubernetes Deployment: restarted as `kubectl rollout restart` does, scaled, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from watchkeeper.errors import Ambiguous, Permanent
from watchkeeper.runbook.acting import KubernetesWorkload
from watchkeeper.runtimes.cluster import MERGE, STRATEGIC, Api, opened
from watchkeeper.runtimes.rollout import MARK, RESTARTED_AT, Rollout, rollout_of
from watchkeeper.runtimes.waiting import Sleep, last_seen

MOST_AUTOSCALERS = 500


@dataclass(frozen=True, slots=True)
class KubernetesDeployment:
    """The mark is kept among the annotations of the pods' template, so it survives us."""

    spec: KubernetesWorkload
    base: Path
    now: Callable[[], datetime]
    sleep: Sleep = asyncio.sleep

    async def restart(self, mark: str) -> str:
        async with opened(self.spec, self.base) as api:
            before = await self._rollout(api)
            if before.mark != mark:
                await self._begin(api, before, mark)
            return await self._rolled_out(api, mark)

    async def restarted(self, mark: str) -> str | None:
        async with opened(self.spec, self.base) as api:
            rollout = await self._rollout(api)
        return _shown(rollout) if rollout.mark == mark and rollout.done else None

    async def replicas(self) -> int:
        async with opened(self.spec, self.base) as api:
            return await self._wanted(api)

    async def scale(self, replicas: int) -> str:
        async with opened(self.spec, self.base) as api:
            if await self._wanted(api) != replicas:
                await self._refuse_if_autoscaled(api)
                await api.change(
                    f"scale {self._named}",
                    api.apps.patch_namespaced_deployment_scale,
                    *self._place,
                    {"spec": {"replicas": replicas}},
                    _content_type=MERGE,
                )
            return await self._scaled(api, replicas)

    @property
    def _named(self) -> str:
        return f"deployment {self.spec.deployment} in {self.spec.namespace}"

    @property
    def _place(self) -> tuple[str, str]:
        return self.spec.deployment, self.spec.namespace

    async def _rollout(self, api: Api) -> Rollout:
        read = api.apps.read_namespaced_deployment
        return rollout_of(await api.read(f"read {self._named}", read, *self._place))

    async def _wanted(self, api: Api) -> int:
        read = api.apps.read_namespaced_deployment_scale
        scale = await api.read(f"read the scale of {self._named}", read, *self._place)
        # None wanted is left out on the wire.
        return int((scale.spec and scale.spec.replicas) or 0)

    async def _begin(self, api: Api, before: Rollout, mark: str) -> None:
        if before.paused:
            raise Permanent(f"{self._named} is paused: resume its rollout, then restart it")
        annotations = {RESTARTED_AT: f"{self.now():%Y-%m-%dT%H:%M:%SZ}", MARK: mark}
        await api.change(
            f"restart {self._named}",
            api.apps.patch_namespaced_deployment,
            *self._place,
            {"spec": {"template": {"metadata": {"annotations": annotations}}}},
            _content_type=STRATEGIC,
        )

    async def _rolled_out(self, api: Api, mark: str) -> str:
        def over(rollout: Rollout) -> bool:
            return rollout.mark == mark and (rollout.done or rollout.stuck)

        last = await last_seen(lambda: self._rollout(api), over, self.spec.timeout, self.sleep)
        if last is None:
            raise Ambiguous(f"{self._named} was restarted, and cannot be read since")
        if last.mark != mark:
            raise Ambiguous(f"{self._named}: somebody else has changed it during its restart")
        if last.done:
            return _shown(last)
        if last.stuck:
            raise Permanent(f"{self._named}: {last.says()}")
        raise Ambiguous(f"{self._named} did not roll out in time: {last.says()}")

    async def _scaled(self, api: Api, replicas: int) -> str:
        def over(rollout: Rollout) -> bool:
            return rollout.wanted == replicas and rollout.scaled

        last = await last_seen(lambda: self._rollout(api), over, self.spec.timeout, self.sleep)
        if last is not None and over(last):
            return f"{replicas} of {replicas} replicas are available"
        seen = f"{last.available} of {last.wanted} replicas are available" if last else "not seen"
        raise Ambiguous(f"{self._named} is not scaled to {replicas} in time: {seen}")

    async def _refuse_if_autoscaled(self, api: Api) -> None:
        """Its autoscaler would take our number back within seconds. Who may not see them goes on."""
        listing = api.autoscaling.list_namespaced_horizontal_pod_autoscaler
        try:
            found = await api.read(
                "list autoscalers", listing, self.spec.namespace, limit=MOST_AUTOSCALERS
            )
        except Permanent:
            return
        for each in found.items:
            target = each.spec.scale_target_ref
            if (target.kind, target.name) == ("Deployment", self.spec.deployment):
                bounds = f"{each.spec.min_replicas or 1} to {each.spec.max_replicas}"
                raise Permanent(
                    f"{self._named} is scaled by the autoscaler {each.metadata.name}, from"
                    f" {bounds}: change its bounds instead"
                )


def _shown(rollout: Rollout) -> str:
    at = f", restarted at {rollout.at}" if rollout.at else ""
    return f"{rollout.new} of {rollout.wanted} replicas are new and available{at}"
