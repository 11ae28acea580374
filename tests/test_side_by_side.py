"""The same for each of many: one that raises or hangs stops no other, and few begin together."""

from __future__ import annotations

import asyncio

import pytest

from watchkeeper.errors import Permanent, Transient
from watchkeeper.performing.side_by_side import (
    Outcome,
    at_once,
    one_by_one,
    said,
    side_by_side,
)
from watchkeeper.settings import Settings


class Acts:
    """Acts that wait until they are let go; who began and ended, in order."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    def let_go(self, *names: str) -> None:
        for name in names:
            self.gates.setdefault(name, asyncio.Event()).set()

    async def __call__(self, name: str) -> str:
        self.begun.append(name)
        if name == "raises":
            raise ValueError("of our own")
        await self.gates.setdefault(name, asyncio.Event()).wait()
        return name.upper()

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(20):
            while not set(names) <= set(self.begun):  # noqa: ASYNC110 - the acts are under test
                await asyncio.sleep(0)


def results(outcomes: list[Outcome[str, str]]) -> list[str]:
    return [said(one.error) if one.error else str(one.got) for one in outcomes]


def test_what_fails_ends_no_others_turn() -> None:
    """W5: the outcomes come in the items' order, errors among them."""

    async def run() -> list[Outcome[str, str]]:
        acts = Acts()
        acts.let_go("a", "b")
        return await side_by_side(("a", "raises", "b"), acts, at_most=1, limit_s=20)

    assert results(asyncio.run(run())) == ["A", "ValueError: of our own", "B"]


def test_what_hangs_gives_way_and_is_ended() -> None:
    """W9: with one place, one that never answers keeps the next from nothing, and ends at its limit."""

    async def run() -> list[str]:
        acts = Acts()
        acts.let_go("b", "c")
        return results(
            await side_by_side(
                ("hangs", "b", "c"), acts, at_most=1, limit_s=0.5, gives_way_after_s=0.01
            )
        )

    assert asyncio.run(run()) == ["took longer than 0.5 s", "B", "C"]


def test_no_more_than_so_many_begin_together() -> None:
    """The third begins when the first has ended, and not before."""

    async def run() -> tuple[list[str], list[str]]:
        acts = Acts()
        running = asyncio.create_task(
            side_by_side("abc", acts, at_most=2, limit_s=20, gives_way_after_s=20)
        )
        await acts.until("a", "b")
        before = list(acts.begun)
        acts.let_go("a")
        await acts.until("c")
        acts.let_go("b", "c")
        return before, results(await running)

    assert asyncio.run(run()) == (["a", "b"], ["A", "B", "C"])


def test_in_turn_each_waits_for_the_one_before() -> None:
    """One that hangs is ended at its limit; the next begins after it, and one that raises stops
    nothing."""

    async def run() -> list[str]:
        acts = Acts()
        acts.let_go("b")
        acts_of = ("hangs", "raises", "b")
        return results([one async for one in one_by_one(acts_of, acts, limit_s=0.05)])

    assert asyncio.run(run()) == ["took longer than 0.05 s", "ValueError: of our own", "B"]


def test_who_is_cancelled_cancels_all() -> None:
    """A run that is ended leaves nothing behind."""

    async def run() -> int:
        acts = Acts()
        running = asyncio.create_task(side_by_side("ab", acts, at_most=9, limit_s=20))
        await acts.until("a", "b")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return len(asyncio.all_tasks()) - 1

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Transient("the vendor does not answer\nmore"), "the vendor does not answer"),
        (Permanent(""), "Permanent"),
        (AssertionError(), "AssertionError"),
        (KeyError("id"), "KeyError: 'id'"),
    ],
)
def test_an_error_is_one_line_and_never_empty(error: Exception, told: str) -> None:
    assert said(error) == told


def test_how_many_at_once_follows_the_cores_unless_it_is_set() -> None:
    """A setting wins; without one there are at least four for a core."""
    assert at_once(Settings(at_once=3)) == 3
    assert at_once(Settings()) % 4 == 0
