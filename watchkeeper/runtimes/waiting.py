"""Looking at something until it is as it should be, or the time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from watchkeeper.errors import Transient

POLL_S = 2.0
Sleep = Callable[[float], Awaitable[None]]
T = TypeVar("T")


async def last_seen(
    look: Callable[[], Awaitable[T]],
    enough: Callable[[T], bool],
    within: timedelta,
    sleep: Sleep,
) -> T | None:
    """What was seen last, enough or not; None where nothing could be seen.

    A look that failed and may not fail again is just made again: what is waited for goes on.
    """
    seen: T | None = None
    limit_s = within.total_seconds()
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            for _ in range(1 + int(limit_s / POLL_S)):
                with suppress(Transient):
                    seen = await look()
                    if enough(seen):
                        break
                await sleep(POLL_S)
    return seen
