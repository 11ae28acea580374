"""A Kubernetes CronJob: paused by suspending it, and run by a Job made of its template.

A cluster makes up for a part of a pause by itself: where the CronJob has no deadline for starting
late, or a long one, its newest missed time is run as soon as it is resumed. Our Jobs have the names
that the cluster would give them, so that no time is run by both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watchkeeper.errors import Permanent, Transient
from watchkeeper.runbook.acting import CronJob
from watchkeeper.runtimes.answers import Conflict
from watchkeeper.runtimes.cluster import STRATEGIC, Api, opened
from watchkeeper.schedulers import Schedule
from watchkeeper.schedulers.cron_times import Unclear, times
from watchkeeper.schedulers.jobs import is_of, job_of


@dataclass(frozen=True, slots=True)
class KubernetesCronJob:
    """The mark is its generation, which grows when its spec changes, and not when it runs."""

    spec: CronJob
    base: Path
    now: Callable[[], datetime]

    async def state(self) -> Schedule:
        async with opened(self.spec, self.base) as api:
            return _schedule(await self._read(api))

    async def pause(self) -> Schedule:
        return await self._suspended(True)

    async def resume(self) -> Schedule:
        return await self._suspended(False)

    async def missed(self, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """None before it was made, and none to come. Without a time zone it is taken to be UTC:
        the cluster's own is not told."""
        async with opened(self.spec, self.base) as api:
            job = await self._read(api)
        first = max(since, job.metadata.creation_timestamp or since)
        try:
            return times(job.spec.schedule, job.spec.time_zone, first, min(until, self.now()))
        except Unclear as unclear:
            raise Permanent(f"{self._named}: {unclear}") from None

    async def run_for(self, at: datetime, key: str) -> str:
        """A time is run once, whichever key it is asked for with."""
        async with opened(self.spec, self.base) as api:
            cron_job = await self._read(api)
            job = job_of(cron_job, at, key)
            create, namespace = api.batch.create_namespaced_job, self.spec.namespace
            try:
                await api.change(f"run {self._named}", create, namespace, job)
            except Conflict:
                return await self._there_already(api, cron_job, job.metadata.name)
        return f"job {job.metadata.name} runs for {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    @property
    def _named(self) -> str:
        return f"cron job {self.spec.cron_job} in {self.spec.namespace}"

    async def _read(self, api: Api) -> Any:
        read = api.batch.read_namespaced_cron_job
        place = self.spec.cron_job, self.spec.namespace
        return await api.read(f"read {self._named}", read, *place)

    async def _suspended(self, wanted: bool) -> Schedule:
        doing = f"{'pause' if wanted else 'resume'} {self._named}"
        async with opened(self.spec, self.base) as api:
            before = _schedule(await self._read(api))
            if before.paused is wanted:
                return before
            patch, body = api.batch.patch_namespaced_cron_job, {"spec": {"suspend": wanted}}
            place = self.spec.cron_job, self.spec.namespace
            await api.change(doing, patch, *place, body, _content_type=STRATEGIC)
            after = _schedule(await self._read(api))
        if after.paused is not wanted:
            raise Transient(f"{doing}: somebody else has changed it back")
        return after

    async def _there_already(self, api: Api, cron_job: Any, name: str) -> str:
        read = api.batch.read_namespaced_job
        found = await api.read(f"read job {name}", read, name, self.spec.namespace)
        if not is_of(found, cron_job):
            raise Permanent(f"{self._named}: there is a job {name} that is not its own")
        return f"job {name} is there already"


def _schedule(cron_job: Any) -> Schedule:
    about = cron_job.metadata
    # One that was deleted and made again counts from 1 again.
    return Schedule(bool(cron_job.spec.suspend), f"{about.uid}:{about.generation}")
