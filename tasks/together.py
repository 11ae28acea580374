"""The same for every integration, side by side: one that is broken ends no other's turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from tasks.context import current
from watchkeeper.errors import StaleFence, Stopped
from watchkeeper.performing.side_by_side import Outcome, at_once, one_by_one, said, side_by_side

Got = TypeVar("Got")


async def each_in_turn(
    resources: Iterable[str], act: Callable[[str], Awaitable[Got]]
) -> AsyncIterator[Outcome[str, Got]]:
    """Within one integration one resource after the other: they share its rate.

    Raises what ends the whole turn: a kill switch that is on, or another run that has taken over.
    """
    async for one in one_by_one(resources, act, limit_s=None):
        if isinstance(one.error, Stopped | StaleFence):
            raise one.error
        yield one


async def for_each(
    names: Iterable[str], act: Callable[[str], Awaitable[Got]], *, limit_s: float | None = None
) -> list[Outcome[str, Got]]:
    """What came of each integration, in their order; none takes longer than `limit_s` seconds."""
    return await side_by_side(names, act, at_most=at_once(current().settings), limit_s=limit_s)


def failed_line(outcome: Outcome[str, Got]) -> str:
    """`maintainx@prod: the key was refused`."""
    return f"{outcome.item}: {said(outcome.error) if outcome.error else 'done'}"
