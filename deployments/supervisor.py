"""`watchkeeper up`: server, deployments, schedules, runner and sweep, in one foreground process.

This module imports Prefect, which reads its settings as it is imported: the caller has set the
environment by then.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.schedules import Interval

from deployments.catalogue import MOST_RUNS, Deployed, served
from deployments.mirror import Mirror, paused_everywhere
from deployments.server import Server
from tasks.executing import PrefectExecutor
from watchkeeper.performing.sweeping import sweep
from watchkeeper.performing.watch import Watch
from watchkeeper.store import jobs

Tell = Callable[[str], None]
RESTART_PAUSE_S = 5.0


async def supervise(watch: Watch, server: Server, tell: Tell) -> None:
    """Run until SIGINT or SIGTERM; then stop all, runs first.

    A server that dies is started again, and so is a runner that lost it: the sweep goes on all
    the while.
    """
    stop = asyncio.Event()
    await server.healthy()
    mirror = Mirror(watch)
    sweeping = asyncio.create_task(_sweep_on(watch, mirror, tell))
    try:
        while not stop.is_set():
            await _serve(watch, server, mirror, stop, tell)
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        ready_file(watch.settings.home).unlink(missing_ok=True)


async def _serve(
    watch: Watch, server: Server, mirror: Mirror, stop: asyncio.Event, tell: Tell
) -> None:
    """A runner for each kind of run, until we are told to stop or one ends."""
    if not server.alive:
        tell("the Prefect server is started again")
        server.spawn()
        await server.healthy()
    entries = served(watch.settings, watch.jobs_there(tell))
    runners = [
        await _runner(watch, mirror, [e for e in entries if e.place == place], most)
        for place, most in MOST_RUNS.items()
    ]
    serving = [asyncio.create_task(runner.start()) for runner in runners]
    while not all(runner.started for runner in runners) and not _any_done(serving):
        await asyncio.wait(serving, timeout=0.02)
    # Only now: a runner takes SIGTERM for itself as it starts.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _say_ready(watch, server)
    tell(f"ready: {server.address.ui}")
    while not stop.is_set() and not _any_done(serving) and server.alive:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
    for runner, task in zip(runners, serving, strict=True):
        if runner.started and not task.done():
            await runner.astop()
        elif not task.done():
            task.cancel()
    ended = await asyncio.gather(*serving, return_exceptions=True)
    errors = [type(error).__name__ for error in ended if isinstance(error, Exception)]
    if errors and not stop.is_set():
        tell(f"the runners ended ({', '.join(errors)}) and are started again")
        await asyncio.sleep(RESTART_PAUSE_S)


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


async def _sweep_on(watch: Watch, mirror: Mirror, tell: Tell) -> None:
    """Sweep for ever. What fails is told and tried again: nothing here may end the watch."""
    executor = PrefectExecutor()
    while True:
        try:
            for said in await sweep(watch, executor):
                tell(f"sweep: {said}")
            await mirror.reflect()
        except Exception as error:
            tell(f"sweep: {type(error).__name__}: {error}")
        await asyncio.sleep(watch.settings.sweep_interval_s)


def ready_file(home: Path) -> Path:
    return home / "up.json"


def _say_ready(watch: Watch, server: Server) -> None:
    """Where other commands find this server."""
    path = ready_file(watch.settings.home)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps({"pid": os.getpid(), "api": server.address.api}))
    os.replace(draft, path)
