"""How long the others took: a clock that stands still while this process waits for its own turn.

On a starved machine an answer lies there long before we come to read it. What our own event loop was
late meanwhile is no latency of a vendor, of a network or of a service.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar

from watchkeeper.ending import end_task

# A timer of an idle machine is late by less than the slack.
TICK_S, SLACK_S = 0.02, 0.005


class Lateness:
    """The sum of how late this loop's timers fired, in seconds; it never goes back."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._before = 0.0
        self._due = monotonic() + TICK_S

    @property
    def seconds(self) -> float:
        return self._before + max(0.0, self._monotonic() - self._due - SLACK_S)

    async def measure(self) -> None:
        while True:
            await asyncio.sleep(max(0.0, self._due - self._monotonic()))
            self._before = self.seconds
            self._due = self._monotonic() + TICK_S


_lateness: ContextVar[Lateness | None] = ContextVar("lateness", default=None)


@asynccontextmanager
async def own_lateness_measured() -> AsyncIterator[None]:
    """Within it, and in the tasks that begin there, `seconds` leaves our own lateness out."""
    lateness = Lateness()
    before = _lateness.set(lateness)
    measuring = asyncio.create_task(lateness.measure())
    try:
        yield
    finally:
        _lateness.reset(before)
        await end_task(measuring)


def seconds() -> float:
    """Monotonic; only differences say anything."""
    lateness = _lateness.get()
    return time.monotonic() - (0.0 if lateness is None else lateness.seconds)
