"""Jobs' desired state, shown as paused deployments in Prefect, and pauses made there taken over.

Our row is what a job obeys. Prefect's own pause is for the eye, and is undone by every redeploy:
so it is set again from our rows after each deploy, and compared on every sweep.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import httpx
from prefect.client.orchestration import PrefectClient, get_client

from watchkeeper.errors import Transient
from watchkeeper.mitigation.job import PAUSED, RUNNING, Job
from watchkeeper.performing.side_by_side import one_by_one
from watchkeeper.performing.watch import Watch
from watchkeeper.store import jobs

LIMIT_S = 20.0
IN_THE_UI = "Prefect UI"


def paused_everywhere(rows: Iterable[Job], job: str) -> bool:
    """A deployment serves every integration with the job: it rests only when it does for all."""
    states = [row.paused for row in rows if row.name == job]
    return bool(states) and all(states)


class Mirror:
    """Remembers what it last showed, and so sees what somebody changed in the UI since."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._shown: dict[str, bool] = {}

    def deployed(self, job: str, paused: bool) -> None:
        """A deployment was just made in this state."""
        self._shown[job] = paused

    async def reflect(self) -> None:
        """Every job; one that Prefect does not know keeps no other from being shown. Raises Transient
        where Prefect cannot be asked: the next sweep tries again."""
        try:
            async with get_client() as client:
                shown = one_by_one(self._shown, partial(self._reflect, client), limit_s=LIMIT_S)
                failed = [one async for one in shown if one.error]
        except (httpx.HTTPError, RuntimeError) as error:
            raise Transient(f"Prefect's view of jobs: {type(error).__name__}") from None
        if failed:
            first = failed[0]
            raise Transient(f"{first.item} in Prefect's view: {type(first.error).__name__}")

    async def _reflect(self, client: PrefectClient, job: str) -> None:
        deployment = await client.read_deployment_by_name(f"sync/{job}")
        shown = self._shown.get(job)
        if shown is not None and deployment.paused != shown:
            self._take_over(job, deployment.paused)
        with self._watch.store.read() as session:
            wanted = paused_everywhere(jobs.everywhere(session), job)
        if deployment.paused != wanted:
            change = client.pause_deployment if wanted else client.resume_deployment
            await change(deployment.id)
        self._shown[job] = wanted

    def _take_over(self, job: str, paused: bool) -> None:
        """Somebody pressed the button: that is a person's word for every integration with it."""
        with self._watch.store.write() as session:
            for row in jobs.everywhere(session):
                if row.name == job and row.paused != paused:
                    jobs.desire(
                        session,
                        row.integration,
                        job,
                        PAUSED if paused else RUNNING,
                        by=IN_THE_UI,
                        reason="the deployment's switch",
                        now=self._watch.now(),
                    )
