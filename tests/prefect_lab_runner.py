"""The process that serves the lab's flows as our supervisor will; the tests run it as a script."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import prefect_lab
from prefect import Flow
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

TICK_S = 4
NAMES = (
    "approval",
    "expiring",
    "nested",
    "sleeper",
    "quick",
    "caller",
    "whereabouts",
)


async def serve(ready: Path) -> None:
    runner = Runner(
        name="lab", query_seconds=1, prefetch_seconds=3, pause_on_shutdown=False, limit=None
    )
    for name in NAMES:
        await runner.aadd_deployment(await _deployment(name))
    ticking = await prefect_lab.quick.ato_deployment(
        "ticking",
        interval=TICK_S,
        paused=True,
        parameters={"diary": os.environ["LAB_TICKS"]},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await runner.aadd_deployment(ticking)
    serving = asyncio.create_task(runner.start())
    while not runner.started:  # noqa: ASYNC110 (the runner has no event to wait for)
        await asyncio.sleep(0.02)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    ready.touch()  # noqa: ASYNC240 (once)
    stopped = asyncio.create_task(stop.wait())
    # A runner gives up when its server stays away: then serving ends by itself, with an error.
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not serving.done():
        await runner.astop()
    await serving


async def _deployment(name: str) -> RunnerDeployment:
    flow: Flow[..., object] = getattr(prefect_lab, name)
    return await flow.ato_deployment("lab", entrypoint_type=EntrypointType.MODULE_PATH)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
