"""Ending a task that works beside ours, without losing a cancellation that is meant for ours."""

from __future__ import annotations

import asyncio


async def end_task(*tasks: asyncio.Task[None]) -> None:
    """Cancel each once and wait until all are over. Raises what one raised, but for its cancellation.

    `suppress(CancelledError)` around `await task` would swallow a cancellation of the caller as well:
    it would go on as though nobody had asked it to stop. A second cancellation of one that is ending
    already would cut its ending short, and leave what it had started.
    """
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
