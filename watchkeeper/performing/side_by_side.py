"""The same for each of many, side by side within limits: one that raises or hangs stops no other."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from watchkeeper.errors import Transient, WatchkeeperError
from watchkeeper.runbook.problems import first_problem
from watchkeeper.settings import Settings

Item = TypeVar("Item")
Got = TypeVar("Got")
log = logging.getLogger(__name__)

# Mostly waits for others: so many at once for each core keep it busy, and leave it able to measure.
AT_ONCE_EACH_CORE = 4
# One that takes longer waits for someone who does not answer: it goes on, and the next one begins.
GIVES_WAY_AFTER_S = 3.0


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Got]):
    """What came of one: a result, or the error that ended it."""

    item: Item
    got: Got | None = None
    error: Exception | None = None


def at_once(settings: Settings) -> int:
    """How many begin together."""
    return settings.at_once or AT_ONCE_EACH_CORE * _cores()


async def side_by_side(
    items: Iterable[Item],
    act: Callable[[Item], Awaitable[Got]],
    *,
    at_most: int,
    limit_s: float | None,
    gives_way_after_s: float = GIVES_WAY_AFTER_S,
) -> list[Outcome[Item, Got]]:
    """Do `act` for each item; the outcomes in the order of the items.

    `at_most` begin together; one that takes longer than `gives_way_after_s` seconds keeps no other
    waiting. After `limit_s` seconds it is ended, and its error is Transient; None: it
    may take as long as it does.
    """
    places = asyncio.Semaphore(at_most)

    async def one(item: Item) -> Outcome[Item, Got]:
        await places.acquire()
        loop = asyncio.get_running_loop()
        gives_way = loop.call_later(gives_way_after_s, places.release)
        try:
            return await _tried(item, act, limit_s)
        finally:
            # Past its time the timer gives the place up, even if it has not come to that yet.
            if loop.time() < gives_way.when():
                gives_way.cancel()
                places.release()

    return await asyncio.gather(*map(one, items))


async def one_by_one(
    items: Iterable[Item], act: Callable[[Item], Awaitable[Got]], *, limit_s: float | None
) -> AsyncIterator[Outcome[Item, Got]]:
    """The same, each after the one before has ended, well or not."""
    for item in items:
        yield await _tried(item, act, limit_s)


async def _tried(
    item: Item, act: Callable[[Item], Awaitable[Got]], limit_s: float | None
) -> Outcome[Item, Got]:
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            return Outcome(item, await act(item))
    except Exception as error:
        log.warning("%s", said(error), exc_info=True)
        if limit.expired():
            return Outcome(item, error=Transient(f"took longer than {limit_s:g} s"))
        return Outcome(item, error=error)


def said(error: Exception) -> str:
    """An error in one line: ours in its own words, any other with its kind."""
    if isinstance(error, WatchkeeperError):
        return first_problem(error)
    kind, text = type(error).__name__, first_problem(error)
    return kind if text == kind else f"{kind}: {text}"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
