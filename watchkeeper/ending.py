"""Ending a task that works beside ours, without losing a cancellation that is meant for ours."""

from __future__ import annotations

import asyncio


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel it and wait until it is over. Raises what it raised, but for its own cancellation.

    `suppress(CancelledError)` around `await task` would swallow a cancellation of the caller as well:
    it would go on as though nobody had asked it to stop.
    """
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
