"""`python -m deployments.serving FD`: Prefect's runners, in a process of their own.

The supervisor starts it, reads its lines of JSON on the descriptor FD, and starts another when it ends:
whatever Prefect does in here ends no sweep. It imports Prefect, which reads its settings as it is
imported: the environment is the supervisor's choice.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from contextlib import suppress

from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.schedules import Interval

from deployments.catalogue import Deployed, cores, most_runs, served
from deployments.mirror import Mirror, paused_everywhere
from deployments.tied import end_with_parent
from tasks.context import current
from watchkeeper.errors import WatchkeeperError
from watchkeeper.performing.watch import Watch
from watchkeeper.store import jobs

logger = logging.getLogger(__name__)


class Line:
    """To the supervisor. One that does not read any more has ended, and so do we."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def said(self, text: str) -> None:
        self._write({"said": text})

    def ready(self) -> None:
        self._write({"ready": True})

    def _write(self, line: dict[str, object]) -> None:
        with suppress(OSError):
            os.write(self._descriptor, json.dumps(line).encode() + b"\n")


async def serve(watch: Watch, line: Line) -> None:
    """A runner for each kind of run, until SIGTERM comes or one of them ends; then all end."""
    stop = asyncio.Event()
    mirror = Mirror(watch)
    entries = served(watch.settings, watch.jobs_there(line.said))
    runners = [
        await _runner(watch, mirror, [e for e in entries if e.place == place], most)
        for place, most in most_runs(cores()).items()
    ]
    serving = [asyncio.create_task(runner.start()) for runner in runners]
    while not all(runner.started for runner in runners) and not _any_done(serving):
        await asyncio.wait(serving, timeout=0.02)
    # Only now: a runner takes SIGTERM for itself as it starts.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    reflecting = asyncio.create_task(_reflect_on(watch, mirror, line))
    line.ready()
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([*serving, reflecting, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (reflecting, stopping):
        task.cancel()
    for runner, task in zip(runners, serving, strict=True):
        if runner.started and not task.done():
            await runner.astop()
        elif not task.done():
            task.cancel()
    ended = await asyncio.gather(*serving, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception) and not stop.is_set():
            raise error


async def _runner(watch: Watch, mirror: Mirror, entries: list[Deployed], most: int) -> Runner:
    runner = Runner(
        name="watchkeeper",
        query_seconds=1,
        prefetch_seconds=3,
        pause_on_shutdown=False,
        limit=most,
    )
    for entry in entries:
        await runner.aadd_deployment(_deployment(watch, entry, mirror))
    return runner


def _any_done(tasks: list[asyncio.Task[None]]) -> bool:
    return any(task.done() for task in tasks)


def _deployment(watch: Watch, entry: Deployed, mirror: Mirror) -> RunnerDeployment:
    """Made paused where the job is: a redeploy in the middle of an incident resumes nothing."""
    paused = False
    if entry.job is not None:
        with watch.store.read() as session:
            paused = paused_everywhere(jobs.everywhere(session), entry.job)
        mirror.deployed(entry.job, paused)
    return RunnerDeployment.from_entrypoint(
        entry.entrypoint,
        name=entry.name,
        # Without its slug a redeployed schedule is refused.
        schedules=[Interval(entry.interval_s, slug=entry.name)] if entry.interval_s else [],
        parameters=entry.parameters,
        description=entry.description,
        tags=list(entry.tags),
        paused=paused,
    )


async def _reflect_on(watch: Watch, mirror: Mirror, line: Line) -> None:
    """Jobs' desired state in Prefect's view, again and again; what fails is tried again."""
    while True:
        try:
            await mirror.reflect()
        except WatchkeeperError as error:
            logger.warning("jobs are not shown in Prefect", exc_info=True)
            line.said(f"jobs in Prefect's view: {error}")
        except Exception as error:
            logger.exception("a fault of ours while jobs were shown in Prefect")
            line.said(f"jobs in Prefect's view: {type(error).__name__}: {error}")
        await asyncio.sleep(watch.settings.sweep_interval_s)


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(serve(current(), Line(int(sys.argv[1]))))
